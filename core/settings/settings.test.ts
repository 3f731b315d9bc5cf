import { describe, expect, it } from "vitest";
import { FAULT_CODES } from "./fault.ts";
import { SETTINGS } from "./schema.ts";
import { secretsOf } from "./secrets.ts";
import { readSettings, settingsReport } from "./settings.ts";

const KEY = `0x${"0".repeat(62)}a1`;
const STORAGE = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/** The least that a leader on the public network sets. */
const WITH_SIDECAR = {
  BLF_EXECUTOR: "sidecar",
  BLF_NODE_ADDRESS: "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A",
  BLF_SIDECAR_URL: "https://box.example",
  BLF_SIDECAR_KEY_ID: "k1",
  BLF_SIDECAR_PRIVATE_KEY: "ab".repeat(32),
  BLF_SIDECAR_PUBLIC_KEY: `${"cd".repeat(32)},${"ef".repeat(32)}`,
};
const GOOD: Readonly<Record<string, string>> = {
  BLF_PRIVATE_KEY: KEY,
  BLF_STORAGE_KEY: STORAGE,
  BLF_RPC_URL: "https://arb-sepolia.g.alchemy.com/v2/3fXk9QmT7wLpZr2VbNc8Y",
  GROQ_API_KEY: "gsk_a1b2c3d4e5f6g7h8",
  PINATA_JWT: "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl",
  BLF_ADMIN_TOKEN: "admin-token-of-32-characters-abc",
  BLF_SPEND_TOKEN: "spend-token-of-32-characters-abc",
};

/** Faults as `severity setting code`, without the two notes about tokens. */
function faultsOf(change: Readonly<Record<string, string>>, base = GOOD): string[] {
  return readSettings({ ...base, ...change }).faults.map((f) => `${f.severity} ${f.setting} ${f.code}`);
}

function settingsOf(change: Readonly<Record<string, string>>) {
  const { settings, faults } = readSettings({ ...GOOD, ...change });
  if (settings === null) throw new Error(JSON.stringify(faults));
  return settings;
}

describe("good settings", () => {
  it("become one nested object with every default filled in", () => {
    const { settings, faults, notes } = readSettings(GOOD);
    expect(faults).toEqual([]);
    expect(notes).toEqual([]);
    expect(JSON.parse(JSON.stringify(settings))).toEqual({
      privateKeys: ["[redacted]"],
      sidecar: null,
      fleet: null,
      storageKeys: ["[redacted]", "[redacted]"],
      iclEndpoint: "https://icl.blindference.xyz",
      paymentServiceUrl: "https://payment.blindference.xyz",
      rpcUrls: [GOOD.BLF_RPC_URL],
      cofhe: {
        rpcUrls: [GOOD.BLF_RPC_URL],
        chainId: 421614,
        urls: {
          coFheUrl: "https://testnet-cofhe.fhenix.zone",
          verifierUrl: "https://testnet-cofhe-vrf.fhenix.zone",
          thresholdNetworkUrl: "https://testnet-cofhe-tn.fhenix.zone",
        },
      },
      executor: "edge",
      tier: 0,
      attestation: { backend: "mock" },
      models: ["groq:llama-3.3-70b-versatile"],
      openaiDiscover: false,
      roles: ["leader", "verifier"],
      backends: { groq: { apiKey: "[redacted]", baseUrl: "https://api.groq.com/openai/v1" } },
      ipfs: {
        pinataJwt: "[redacted]",
        pinataApiUrl: "https://api.pinata.cloud",
        gatewayUrl: "https://ipfs.io/ipfs",
      },
      contracts: {
        nodeRegistry: "0x72C0Ead949Fd2C346598a30AF1A69c3c5Cb86082",
        staking: "0x222Ac74201Ed58915e42Ee5be626d939fd234D0b",
        token: "0x232D5470DaaC7AD552a42d876aDEF1f778033cE0",
        promptKeyStore: "0x1E22dD12f448B15f1Ca8560fB6B4463834FaAf73",
        resultRegistry: "0xCebd831eCd00915E299b8Ef2666cAbf942dc7150",
      },
      maxFeeGwei: "10",
      maxConcurrentJobs: 8,
      stakeAmount: 1000,
      skipOutputKeyStorage: false,
      keyPoolSize: 4,
      knownCheckSec: 120,
      copyCheckSec: 120,
      retention: { historyDays: 90, jobRecordDays: 7, sealedAnswerHours: 0 },
      logLevel: "info",
      adminToken: "[redacted]",
      spendToken: "[redacted]",
      allowHttp: false,
      cli: { configDir: "./", keystore: "./keystore.json" },
    });
  });

  it("hold the secrets that were given", () => {
    const settings = settingsOf({
      BLF_STORAGE_KEY_PREVIOUS: `${"ab".repeat(32)},${"ab".repeat(32)}`,
      OPENAI_BASE_URL: "https://gpu.example",
      OPENAI_API_KEY: "sk-local",
      BLF_KEY_PASSWORD: "hunter2hunter2",
      MOCK_ATTESTATION_KEY: "mock-hmac-key",
    });
    expect(settings.privateKeys.map((key) => key.reveal())).toEqual([KEY]);
    expect(settings.storageKeys.map((key) => key.reveal())).toEqual([
      STORAGE,
      "ab".repeat(32),
      expect.stringMatching(/^[0-9a-f]{64}$/),
    ]);
    expect(settings.backends.openai?.apiKey?.reveal()).toBe("sk-local");
    expect(settings.cli.keyPassword?.reveal()).toBe("hunter2hunter2");
    expect(settings.attestation.mockKey?.reveal()).toBe("mock-hmac-key");
    expect(settings.adminToken?.reveal()).toBe(GOOD.BLF_ADMIN_TOKEN);
  });

  it.each([
    ["a verifier needs no Pinata token", { BLF_ROLES: "verifier", PINATA_JWT: "" }],
    ["the mock runs under a name", { BLF_MODELS: "mock:demo", GROQ_API_KEY: "" }],
    [
      "Base Sepolia needs its own key store",
      { BLF_COFHE_CHAIN_ID: "84532", BLF_PROMPT_KEY_STORE_ADDRESS: `0x${"1".repeat(40)}` },
    ],
    [
      "a leader that skips the key's storage needs no key store",
      { BLF_COFHE_CHAIN_ID: "31337", BLF_SKIP_OUTPUT_KEY_STORAGE: "yes" },
    ],
    ["loopback may be plain http", { BLF_ICL_ENDPOINT: "http://127.0.0.1:8787", BLF_RPC_URL: "http://[::1]:8545" }],
    [
      "an answer may stay as long as its record, and both for longer than by default",
      { BLF_HISTORY_DAYS: "3650", BLF_JOB_RECORD_DAYS: "30", BLF_SEALED_ANSWER_HOURS: "720" },
    ],
    ["any host may be plain http when allowed", { BLF_ALLOW_HTTP: "1", BLF_ICL_ENDPOINT: "http://icl.lan" }],
  ])("%s", (_, change) => {
    expect(faultsOf(change)).toEqual([]);
    expect(readSettings({ ...GOOD, ...change }).settings).not.toBeNull();
  });
});

describe("defaults that depend on others", () => {
  it.each([
    [{}, ["groq:llama-3.3-70b-versatile"], false],
    [{ GOOGLE_API_KEY: "AIzaSyA1" }, ["groq:llama-3.3-70b-versatile", "gemini:gemini-2.5-flash"], false],
    [{ GROQ_API_KEY: "", OPENAI_BASE_URL: "https://gpu.example/v1" }, [], true],
    [{ OPENAI_BASE_URL: "https://gpu.example/v1" }, ["groq:llama-3.3-70b-versatile"], true],
    [{ OPENAI_BASE_URL: "https://gpu.example/v1", BLF_MODELS: "facebook/opt-125m" }, ["facebook/opt-125m"], false],
  ])("with %j the models are %j", (change, models, openaiDiscover) => {
    expect(settingsOf(change)).toMatchObject({ models, openaiDiscover });
  });

  it("follow the chain: a devnet has loopback services and no contracts", () => {
    const address = `0x${"1".repeat(40)}`;
    const { cofhe, contracts } = settingsOf({ BLF_COFHE_CHAIN_ID: "31337", BLF_PROMPT_KEY_STORE_ADDRESS: address });
    expect(contracts).toEqual({ promptKeyStore: address });
    expect(cofhe.urls).toEqual({
      coFheUrl: "http://127.0.0.1:8448",
      verifierUrl: "http://127.0.0.1:3001",
      thresholdNetworkUrl: "http://127.0.0.1:3000",
    });
  });

  it("let CoFHE use another endpoint than the node", () => {
    const { rpcUrls, cofhe } = settingsOf({ BLF_COFHE_ENDPOINT: "https://cofhe-rpc.example" });
    expect([rpcUrls, cofhe.rpcUrls]).toEqual([[GOOD.BLF_RPC_URL], ["https://cofhe-rpc.example"]]);
  });
});

describe("a sidecar's settings", () => {
  it("make no account on the Worker, and say whom to ask and whom to believe", () => {
    const { settings } = readSettings({ ...GOOD, ...WITH_SIDECAR, BLF_STORAGE_KEY: "", BLF_PRIVATE_KEY: "" });
    expect(settings).toMatchObject({ privateKeys: [], storageKeys: [], executor: "sidecar" });
    const { key, ...sidecar } = settings?.sidecar ?? { key: null };
    expect(sidecar).toEqual({
      nodes: [WITH_SIDECAR.BLF_NODE_ADDRESS],
      url: "https://box.example",
      sidecarKeys: ["cd".repeat(32), "ef".repeat(32)],
    });
    expect([key?.id, key?.seed.reveal()]).toEqual(["k1", "ab".repeat(32)]);
    expect(secretsOf(settingsOf({ ...WITH_SIDECAR })).map((secret) => secret.reveal())).toContain("ab".repeat(32));
  });
});

describe("every fault", () => {
  const DEVNET = { BLF_COFHE_CHAIN_ID: "31337" };
  it.each<[string, Record<string, string>, string[]]>([
    ["no key", { BLF_PRIVATE_KEY: "" }, ["fault BLF_PRIVATE_KEY missing"]],
    ["a malformed key", { BLF_PRIVATE_KEY: "0x12" }, ["fault BLF_PRIVATE_KEY malformed"]],
    [
      "a fleet without keys",
      { BLF_PRIVATE_KEY: "", BLF_MNEMONIC: `${"abandon ".repeat(11)}about` },
      ["fault BLF_MNEMONIC unsupported"],
    ],
    ["a malformed phrase", { BLF_MNEMONIC: "abandon" }, ["fault BLF_MNEMONIC malformed"]],
    ["indices", { BLF_NODE_INDICES: "9-1" }, ["fault BLF_NODE_INDICES malformed"]],
    ["no storage key", { BLF_STORAGE_KEY: "" }, []],
    ["a short storage key", { BLF_STORAGE_KEY: "abc" }, ["fault BLF_STORAGE_KEY malformed"]],
    ["a regular storage key", { BLF_STORAGE_KEY: "77".repeat(32) }, ["warning BLF_STORAGE_KEY weak"]],
    [
      "the current key as a previous one",
      { BLF_STORAGE_KEY_PREVIOUS: STORAGE },
      ["warning BLF_STORAGE_KEY_PREVIOUS duplicate"],
    ],
    [
      "a sidecar that nothing is known of",
      { BLF_EXECUTOR: "sidecar", BLF_PRIVATE_KEY: "" },
      [
        "fault BLF_NODE_ADDRESS missing",
        "fault BLF_SIDECAR_URL missing",
        "fault BLF_SIDECAR_KEY_ID missing",
        "fault BLF_SIDECAR_PRIVATE_KEY missing",
        "fault BLF_SIDECAR_PUBLIC_KEY missing",
      ],
    ],
    ["a sidecar, with the key on the Worker all the same", WITH_SIDECAR, ["warning BLF_PRIVATE_KEY conflict"]],
    [
      "a sidecar behind a path",
      { ...WITH_SIDECAR, BLF_PRIVATE_KEY: "", BLF_SIDECAR_URL: "https://box.example/edge" },
      ["fault BLF_SIDECAR_URL malformed"],
    ],
    [
      "half a service token",
      { ...WITH_SIDECAR, BLF_PRIVATE_KEY: "", BLF_SIDECAR_ACCESS_CLIENT_ID: "abc.access" },
      ["warning BLF_SIDECAR_ACCESS_CLIENT_SECRET missing"],
    ],
    ["an unknown executor", { BLF_EXECUTOR: "cloud" }, ["fault BLF_EXECUTOR malformed"]],
    ["a sidecar's bad URL", { BLF_SIDECAR_URL: "sidecar" }, ["fault BLF_SIDECAR_URL malformed"]],
    ["hardware in edge mode", { BLF_ATTESTATION_BACKEND: "tdx" }, ["fault BLF_ATTESTATION_BACKEND conflict"]],
    ["a tier with the mock", { BLF_TIER: "1" }, ["warning BLF_TIER conflict"]],
    ["a tier too high", { BLF_TIER: "3" }, ["fault BLF_TIER out-of-range"]],
    ["a short token", { BLF_ADMIN_TOKEN: "short" }, ["fault BLF_ADMIN_TOKEN weak"]],
    ["one token for both", { BLF_SPEND_TOKEN: GOOD.BLF_ADMIN_TOKEN ?? "" }, ["fault BLF_SPEND_TOKEN conflict"]],
    ["no RPC", { BLF_RPC_URL: "" }, ["fault BLF_RPC_URL missing"]],
    ["the demo key", { BLF_RPC_URL: "https://arb-sepolia.g.alchemy.com/v2/demo" }, ["fault BLF_RPC_URL placeholder"]],
    ["plain http", { BLF_ICL_ENDPOINT: "http://icl.lan" }, ["fault BLF_ICL_ENDPOINT not-https"]],
    ["plain http for RPC, once", { BLF_RPC_URL: "http://rpc.lan" }, ["fault BLF_RPC_URL not-https"]],
    ["a mainnet", { BLF_COFHE_CHAIN_ID: "42161" }, ["fault BLF_COFHE_CHAIN_ID mainnet"]],
    ["no fee at all", { BLF_MAX_FEE_GWEI: "0" }, ["fault BLF_MAX_FEE_GWEI out-of-range"]],
    ["a fee with a sign", { BLF_MAX_FEE_GWEI: "-1" }, ["fault BLF_MAX_FEE_GWEI malformed"]],
    ["a fee beyond reason", { BLF_MAX_FEE_GWEI: "10001" }, ["fault BLF_MAX_FEE_GWEI out-of-range"]],
    ["a fee in powers of ten", { BLF_MAX_FEE_GWEI: "1e3" }, ["fault BLF_MAX_FEE_GWEI malformed"]],
    ["an unknown chain", { BLF_COFHE_CHAIN_ID: "421613" }, ["fault BLF_COFHE_CHAIN_ID unsupported"]],
    ["a leader on a devnet without key store", DEVNET, ["fault BLF_PROMPT_KEY_STORE_ADDRESS missing"]],
    [
      "a key store with a bad checksum",
      { ...DEVNET, BLF_PROMPT_KEY_STORE_ADDRESS: `0x${"aB".repeat(20)}` },
      ["fault BLF_PROMPT_KEY_STORE_ADDRESS malformed"],
    ],
    ["a leader without Pinata", { PINATA_JWT: "" }, ["fault PINATA_JWT missing"]],
    [
      "a groq model without its key",
      { GROQ_API_KEY: "", BLF_MODELS: "groq:a,mock:demo" },
      ["fault BLF_MODELS conflict"],
    ],
    ["a gemini model without its key", { BLF_MODELS: "gemini:a" }, ["fault BLF_MODELS conflict"]],
    ["a local model without a server", { BLF_MODELS: "facebook/opt-125m" }, ["fault BLF_MODELS conflict"]],
    ["the mock as a fallback", { BLF_MODELS: "mock" }, ["fault BLF_MODELS unsupported"]],
    ["no model at all", { GROQ_API_KEY: "" }, ["fault BLF_MODELS no-model"]],
    ["a placeholder for the only model key, once", { GROQ_API_KEY: "gsk_..." }, ["fault GROQ_API_KEY placeholder"]],
    ["a key for no server", { OPENAI_API_KEY: "sk-local" }, ["warning OPENAI_API_KEY conflict"]],
    ["too many jobs", { BLF_MAX_CONCURRENT_JOBS: "257" }, ["fault BLF_MAX_CONCURRENT_JOBS out-of-range"]],
    ["too small a stake", { BLF_STAKE_AMOUNT: "999" }, ["fault BLF_STAKE_AMOUNT out-of-range"]],
    [
      "a rare look at the coordinator",
      { BLF_KNOWN_CHECK_SECONDS: "9" },
      ["fault BLF_KNOWN_CHECK_SECONDS out-of-range"],
    ],
    ["a history of no days", { BLF_HISTORY_DAYS: "0" }, ["fault BLF_HISTORY_DAYS out-of-range"]],
    ["a history without end", { BLF_HISTORY_DAYS: "3651" }, ["fault BLF_HISTORY_DAYS out-of-range"]],
    ["records of no days", { BLF_JOB_RECORD_DAYS: "0" }, ["fault BLF_JOB_RECORD_DAYS out-of-range"]],
    ["records for ever", { BLF_JOB_RECORD_DAYS: "366" }, ["fault BLF_JOB_RECORD_DAYS out-of-range"]],
    [
      "answers of less than no hours",
      { BLF_SEALED_ANSWER_HOURS: "-1" },
      ["fault BLF_SEALED_ANSWER_HOURS out-of-range"],
    ],
    ["answers for ever", { BLF_SEALED_ANSWER_HOURS: "721" }, ["fault BLF_SEALED_ANSWER_HOURS out-of-range"]],
    [
      "an answer that outlasts its record",
      { BLF_SEALED_ANSWER_HOURS: "169" },
      ["warning BLF_SEALED_ANSWER_HOURS conflict"],
    ],
    ["a typing error", { BLF_MODLES: "x" }, ["warning BLF_MODLES unknown"]],
  ])("is found: %s", (_, change, expected) => {
    expect(faultsOf(change)).toEqual(expected);
    const sound = expected.every((fault) => fault.startsWith("warning"));
    expect(readSettings({ ...GOOD, ...change }).settings !== null).toBe(sound);
  });

  it("is found at once in an empty environment", () => {
    expect(faultsOf({}, {})).toEqual([
      "fault BLF_PRIVATE_KEY missing",
      "fault BLF_RPC_URL missing",
      "fault PINATA_JWT missing",
      "fault BLF_MODELS no-model",
    ]);
  });

  it("is found at once in settings that are all wrong, each setting with a fix", () => {
    const wrong = Object.fromEntries(SETTINGS.map(({ name }) => [name, "\u00e4 <bad>"]));
    const { settings, faults } = readSettings(wrong);
    const forgiving = [
      "MOCK_ATTESTATION_KEY",
      "BLF_SIDECAR_KEY_ID",
      "BLF_SIDECAR_ACCESS_CLIENT_ID",
      "BLF_SIDECAR_ACCESS_CLIENT_SECRET",
      "BLF_CONFIG_DIR",
      "BLF_KEYSTORE",
      "BLF_KEY_PASSWORD",
    ];
    const strict = SETTINGS.map(({ name }) => name).filter((name) => !forgiving.includes(name));
    expect(settings).toBeNull();
    expect(new Set(faults.map(({ setting }) => setting))).toEqual(new Set(strict));
    for (const { message, fix, setting, code } of faults) {
      expect(message).toContain(setting);
      expect(fix).toMatch(/\.$/);
      expect(Object.keys(FAULT_CODES)).toContain(code);
    }
  });

  it("of a key that is no text stands alone, whatever else would follow from its absence", () => {
    const binding = { get() {} };
    const env = { ...GOOD, GROQ_API_KEY: binding, BLF_PRIVATE_KEY: binding, PINATA_JWT: binding };
    const settings = ["BLF_PRIVATE_KEY", "GROQ_API_KEY", "PINATA_JWT"];
    for (const change of [{}, { BLF_MODELS: "groq:a" }]) {
      expect(readSettings({ ...env, ...change }).faults.map(({ setting }) => setting)).toEqual(settings);
    }
  });

  it("of a missing Pinata token names both ways out", () => {
    const fault = readSettings({ ...GOOD, PINATA_JWT: "" }).faults[0];
    expect(fault?.fix).toMatch(/Set PINATA_JWT .*BLF_ROLES to verifier/);
  });

  it("of a model names the model and the key it needs", () => {
    const fault = readSettings({ ...GOOD, GROQ_API_KEY: "", BLF_MODELS: "groq:a" }).faults[0];
    expect(fault?.message).toMatch(/"groq:a".*GROQ_API_KEY/);
  });

  it("of a mainnet names the mainnet", () => {
    expect(readSettings({ ...GOOD, BLF_COFHE_CHAIN_ID: "8453" }).faults[0]?.message).toContain("Base");
  });
});

describe("a note", () => {
  it.each([
    ["closed parts of the API", { BLF_ADMIN_TOKEN: "", BLF_SPEND_TOKEN: "" }, ["BLF_ADMIN_TOKEN", "BLF_SPEND_TOKEN"]],
    ["a setting of the Python node", { BLF_COFHE_MODE: "bridge" }, ["BLF_COFHE_MODE"]],
    ["a phrase beside keys", { BLF_MNEMONIC: `${"abandon ".repeat(11)}about` }, ["BLF_MNEMONIC"]],
    [
      "sidecar settings in edge mode",
      { BLF_SIDECAR_URL: "https://box.example", BLF_SIDECAR_KEY_ID: "k1" },
      ["BLF_SIDECAR_URL", "BLF_SIDECAR_KEY_ID"],
    ],
    ["plain text over the network", { BLF_ALLOW_HTTP: "true", PINATA_API_URL: "http://ipfs.lan" }, ["PINATA_API_URL"]],
  ])("tells of %s", (_, change, expected) => {
    const { settings, notes } = readSettings({ ...GOOD, ...change });
    expect(notes.map(({ setting }) => setting)).toEqual(expected);
    expect(settings).not.toBeNull();
  });
});

describe("no secret", () => {
  const CANARY = "c4na4yc4na4yc4na4yc4na4yc4na4y";
  const shapes = [
    CANARY,
    `${CANARY} ${CANARY}`,
    `<${CANARY}>`,
    `http://u:${CANARY}@h.example/${CANARY}`,
    `${CANARY},${CANARY}`,
  ];

  it.each(SETTINGS.map(({ name }) => name))("pasted into %s comes out again", (name) => {
    for (const value of shapes) {
      const result = readSettings({ ...GOOD, [name]: value });
      const visible = [{ ...result, settings: null }, settingsReport(result)];
      expect(JSON.stringify(visible)).not.toContain(CANARY);
    }
  });

  it("of good settings comes out again, nor does the key in an RPC URL", () => {
    const result = readSettings({ ...GOOD, BLF_COFHE_ENDPOINT: `https://rpc.example/?apikey=${CANARY}` });
    const text = JSON.stringify(settingsReport(result));
    for (const secret of secretsOf(settingsOf({}))) expect(text).not.toContain(secret.reveal());
    expect(text).not.toContain(CANARY);
  });
});

describe("the report", () => {
  it("has one plain entry a setting", () => {
    const report = settingsReport(
      readSettings({ ...GOOD, BLF_TIER: "nine", OPENAI_BASE_URL: "https://gpu.example/v1" }),
    );
    expect(report.ok).toBe(false);
    expect(structuredClone(report)).toEqual(JSON.parse(JSON.stringify(report)));
    expect(report.settings.map(({ name }) => name)).toEqual(SETTINGS.map(({ name }) => name));
    const entry = (name: string) => report.settings.find((one) => one.name === name);
    expect(entry("BLF_PRIVATE_KEY")).toEqual({ name: "BLF_PRIVATE_KEY", source: "set", secret: true, shown: "set" });
    expect(entry("GOOGLE_API_KEY")).toEqual({
      name: "GOOGLE_API_KEY",
      source: "absent",
      secret: true,
      shown: "absent",
    });
    expect(entry("BLF_TIER")).toMatchObject({ source: "set", shown: null });
    expect(entry("BLF_ROLES")).toMatchObject({ source: "default", shown: "leader,verifier" });
    expect(entry("BLF_COFHE_MODE")).toMatchObject({ source: "absent", shown: null });
    expect(entry("BLF_RPC_URL")).toMatchObject({ source: "set", shown: "https://arb-sepolia.g.alchemy.com/…" });
    expect(entry("BLF_COFHE_ENDPOINT")).toMatchObject({
      source: "default",
      shown: "https://arb-sepolia.g.alchemy.com/…",
    });
    expect(entry("BLF_MODELS")).toMatchObject({ source: "default", shown: "groq:llama-3.3-70b-versatile" });
    expect(entry("BLF_STAKING_ADDRESS")?.shown).toBe("0x222Ac74201Ed58915e42Ee5be626d939fd234D0b");
  });

  it("shows a single URL's origin, also with a comma in it", () => {
    const { settings } = settingsReport(readSettings({ ...GOOD, OPENAI_BASE_URL: "https:,//model.test/v1" }));
    expect(settings.find(({ name }) => name === "OPENAI_BASE_URL")?.shown).toBe("https://,/…");
  });

  it("lists every name that is read, aliases included", () => {
    const { known } = readSettings({});
    expect(known).toEqual(
      expect.arrayContaining(["PINATA_JWT", "BLF_IPFS_UPLOAD_JWT", "BLF_IPFS_GATEWAY", "BLF_TIER"]),
    );
    expect(new Set(known).size).toBe(known.length);
  });
});

it("the log's guard is given every secret, RPC keys included", () => {
  const settings = settingsOf({
    OPENAI_BASE_URL: "https://gpu.example",
    OPENAI_API_KEY: "sk-local",
    BLF_KEY_PASSWORD: "hunter2hunter2",
    MOCK_ATTESTATION_KEY: "mock-hmac-key",
    GOOGLE_API_KEY: "AIzaSyA1",
    BLF_MNEMONIC: `${"abandon ".repeat(11)}about`,
    BLF_COFHE_ENDPOINT: "https://rpc.example/?apikey=query-key-of-the-rpc",
  });
  const texts = secretsOf(settings).map((secret) => secret.reveal());
  expect(texts).toEqual(
    expect.arrayContaining([
      KEY,
      STORAGE,
      "sk-local",
      "hunter2hunter2",
      "mock-hmac-key",
      "AIzaSyA1",
      "3fXk9QmT7wLpZr2VbNc8Y",
      "query-key-of-the-rpc",
    ]),
  );
  expect(texts).toHaveLength(14);
});
