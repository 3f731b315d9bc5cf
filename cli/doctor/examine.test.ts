import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Secret } from "../../core/secret.ts";
import { readEnvironment } from "../environment.ts";
import { createIo } from "../io.ts";
import { createNodeApi } from "../node-api.ts";
import { ETH_ACCOUNT_SAMPLE } from "../wallet/keystore-samples.ts";
import { saveSecrets } from "../wallet/secrets-file.ts";
import { examine } from "./examine.ts";
import {
  ADMIN_TOKEN,
  type FakeNetwork,
  GROQ_KEY,
  healthyNode,
  PINATA_JWT,
  startFakeNetwork,
  type World,
} from "./fake-network.ts";
import { checkNode } from "./node-checks.ts";
import { openWallet } from "./wallet-checks.ts";

const KEY = `0x${"0".repeat(63)}1`;
const ADDRESS = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf";
let network: FakeNetwork;
let dir: string;

beforeEach(async () => {
  network = await startFakeNetwork();
  dir = await mkdtemp(join(tmpdir(), "doctor-"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await network.close();
  await rm(dir, { recursive: true });
});

const SECRETS = { BLF_PRIVATE_KEY: KEY, GROQ_API_KEY: GROQ_KEY, PINATA_JWT, BLF_ADMIN_TOKEN: ADMIN_TOKEN };

/** The whole examination with these settings on top of sound ones; undefined takes one away. */
async function findings(changes: Record<string, string | undefined> = {}) {
  const settings = { ...network.settings, ...SECRETS, BLF_CONFIG_DIR: dir, CI: "1", ...changes };
  for (const [name, text] of Object.entries(settings)) vi.stubEnv(name, text);
  const env = readEnvironment(createIo());
  return examine({ opened: await openWallet(env), api: createNodeApi(env, {}), limitMs: 20_000 });
}

/** Those of one check, as `status detail`. */
const of = (found: Awaited<ReturnType<typeof findings>>, check: string) =>
  found.filter((finding) => finding.check === check).map(({ status, detail }) => `${status} ${detail}`);

it("finds nothing to mend in a node that is well, and keeps its order", async () => {
  const found = await findings();
  expect(found.filter(({ status }) => status !== "ok")).toEqual([]);
  expect(found.map(({ check }) => check)).toEqual([
    "settings",
    "wallet",
    "rpc",
    "contracts",
    "eth",
    "blind",
    "registration",
    "stake",
    "failures",
    "coordinator",
    "clock",
    "coordinator",
    "backend",
    "ipfs up",
    "ipfs down",
    "cofhe",
    "cofhe",
    "cofhe",
    "node",
    "version",
    "certificate",
    "holds",
  ]);
  expect(of(found, "wallet")).toEqual([`ok ${ADDRESS} can be opened`]);
});

it("costs one token of each model and pins nothing", async () => {
  await findings();
  const asked = network.requests.filter(({ line }) => line.startsWith("POST /groq"));
  expect(asked).toHaveLength(1);
  expect(JSON.parse(asked[0]?.body ?? "")).toMatchObject({
    model: "llama-3.3-70b-versatile",
    max_completion_tokens: 1,
  });
  expect(network.requests.some(({ line }) => line.includes("/pinning/"))).toBe(false);
});

describe("each thing that is wrong", () => {
  it.each<[string, Partial<World>, string, RegExp]>([
    ["another chain", { chainId: 84_532 }, "rpc", /^failure .*serves chain 84532, not 421614/],
    ["a mainnet", { chainId: 42_161 }, "rpc", /^failure .*serves chain 42161 \(Arbitrum One, a mainnet\)/],
    ["an RPC that refuses", { rpcStatus: 401 }, "rpc", /^failure .*HTTP 401/],
    [
      "a contract that is not there",
      { bare: ["0x232D5470DaaC7AD552a42d876aDEF1f778033cE0"] },
      "contracts",
      /^failure there is no contract at 0x232D5470.*BLF_TOKEN_ADDRESS/,
    ],
    ["no ETH", { ethWei: 0n }, "eth", /^failure 0 ETH/],
    ["little ETH", { ethWei: 3n * 6n * 10n ** 13n }, "eth", /^warning 0\.00018 ETH, enough for 3 transactions/],
    [
      "neither stake nor BLIND",
      { staked: 0n, blind: 10n ** 18n },
      "blind",
      /^failure 1 BLIND in the account, less than the 1000/,
    ],
    ["BLIND that is not staked", { staked: 0n, blind: 2000n * 10n ** 18n }, "stake", /^warning 0 BLIND staked/],
    ["one failure on chain", { failures: 1n }, "failures", /^warning 1 of 3/],
    ["two failures on chain", { failures: 2n }, "failures", /^failure 2 of 3/],
    ["no registration", { registered: false }, "registration", /^warning the node is not registered/],
    ["a clock that is a little off", { skewMs: 12_000 }, "clock", /^warning 1[12]\.\d s behind/],
    ["a clock that is far off", { skewMs: -120_000 }, "clock", /^failure 1(19|20)\.\d s ahead/],
    [
      "a coordinator that does not know the node",
      { known: false },
      "coordinator",
      /^warning it does not know this node/,
    ],
    ["a model that the cloud refuses", { groqStatus: 404 }, "backend", /^failure Groq answered 404/],
    ["a cloud that is down", { groqStatus: 503 }, "backend", /^failure Groq answered 503/],
    ["a pinning token that is revoked", { pinataStatus: 403 }, "ipfs up", /^failure .*refuses PINATA_JWT \(403\)/],
    ["a pinning service without that question", { pinataStatus: 404 }, "ipfs up", /^warning .*answered 404/],
    ["a gateway that refuses", { gatewayStatus: 403 }, "ipfs down", /^failure .*answered 403/],
    ["CoFHE in trouble", { cofheStatus: 502 }, "cofhe", /^warning .*answers 502/],
    ["no node where one is named", { node: null }, "node", /^failure no node answers at/],
    [
      "a node of another version",
      { node: { ...healthyNode(), healthz: { status: "ok", version: "0.0.1" } } },
      "version",
      /^warning the node is 0\.0\.1/,
    ],
    [
      "a node with faulty settings",
      {
        node: {
          ...healthyNode(),
          healthz: { status: "misconfigured", version: "0.1.0", codes: [{ setting: "BLF_RPC_URL", code: "missing" }] },
        },
      },
      "node",
      /^failure .*claims nothing: BLF_RPC_URL missing/,
    ],
    [
      "a hold",
      {
        node: healthyNode({ holds: [{ code: "failures", blocks: "everything", reason: "two failed", hint: "cure" }] }),
      },
      "holds",
      /^failure .*held \(failures\): two failed/,
    ],
    [
      "a pause",
      { node: healthyNode({ holds: [{ code: "operator", blocks: "everything", reason: "paused", hint: "resume" }] }) },
      "holds",
      /^warning .*held \(operator\)/,
    ],
    [
      "a certificate that should be renewed",
      { node: healthyNode({ certificate: { certHash: "0x", expiresAtSec: 1, secondsLeft: 3_700 } }) },
      "certificate",
      /^warning .*good for 1 hour 1 minute and should/,
    ],
    [
      "a certificate that has run out",
      { node: healthyNode({ certificate: { certHash: "0x", expiresAtSec: 1, secondsLeft: 0 } }) },
      "certificate",
      /^failure .*run out/,
    ],
  ])("names %s", async (_what, changes, check, expected) => {
    Object.assign(network.world, changes);
    const found = await findings();
    expect(
      of(found, check).some((line) => expected.test(line)),
      of(found, check).join("\n"),
    ).toBe(true);
    expect(found.filter(({ status, fix }) => status !== "ok" && !fix)).toEqual([]);
  });

  it.each<[string, Record<string, string | undefined>, string, RegExp]>([
    [
      "Alchemy's placeholder",
      { BLF_RPC_URL: "https://arb-sepolia.g.alchemy.com/v2/demo" },
      "settings",
      /^failure BLF_RPC_URL ends in a placeholder/,
    ],
    [
      "YOUR_KEY",
      { BLF_RPC_URL: "https://arb-sepolia.g.alchemy.com/v2/YOUR_KEY" },
      "settings",
      /^failure BLF_RPC_URL ends in a placeholder/,
    ],
    [
      "a mainnet's chain id",
      { BLF_COFHE_CHAIN_ID: "42161" },
      "settings",
      /^failure BLF_COFHE_CHAIN_ID is 42161, the mainnet/,
    ],
    ["no wallet", { BLF_PRIVATE_KEY: undefined }, "wallet", /^failure there is no keystore and no BLF_PRIVATE_KEY/],
    ["a wallet that is none", { BLF_PRIVATE_KEY: "0x12" }, "wallet", /^failure BLF_PRIVATE_KEY holds no private key/],
    [
      "a key that the cloud refuses",
      { GROQ_API_KEY: "gsk_another" },
      "backend",
      /^failure Groq answered 401 to the key/,
    ],
    [
      "a token that the node refuses",
      { BLF_ADMIN_TOKEN: "another-token-0123" },
      "certificate",
      /^warning not looked at: The node at .* does not accept/,
    ],
    ["a mock model", { BLF_MODELS: "mock:demo" }, "backend", /^warning mock:demo makes answers up/],
    ["an executor without its sidecar", { BLF_EXECUTOR: "sidecar" }, "sidecar", /^failure BLF_SIDECAR_URL is not set/],
  ])("names %s", async (_what, changes, check, expected) => {
    const found = await findings(changes);
    expect(
      of(found, check).some((line) => expected.test(line)),
      of(found, check).join("\n"),
    ).toBe(true);
  });

  it("says once that no RPC answers, and once which of several does not", async () => {
    network.world.rpcStatus = 500;
    expect((await findings()).map(({ check }) => check)).not.toContain("contracts");
    network.world.rpcStatus = 200;
    const found = await findings({ BLF_RPC_URL: `http://127.0.0.1:1/x,${network.settings.BLF_RPC_URL}` });
    expect(of(found, "rpc").map((line) => line.split(" ")[0])).toEqual(["failure", "ok"]);
    expect(of(found, "contracts")).toEqual(["ok 5 contracts have code"]);
  });

  it("names a model that the server does not have, and what it has", async () => {
    const found = await findings({
      GROQ_API_KEY: undefined,
      OPENAI_BASE_URL: `${network.url}/v1`,
      BLF_MODELS: "other/model",
    });
    expect(found.find(({ check }) => check === "backend")).toMatchObject({
      status: "failure",
      detail: "openai: the server does not have other/model",
      fix: expect.stringContaining("facebook/opt-125m"),
    });
  });

  it("never takes a default in the place of an address that is at fault", async () => {
    const found = await findings({ GROQ_BASE_URL: "http://groq.example.org", BLF_ICL_ENDPOINT: "nonsense" });
    expect(of(found, "backend")).toEqual([]);
    expect(of(found, "coordinator")).toEqual([]);
    expect(of(found, "settings")).toHaveLength(2);
  });
});

it.each([
  ["default", "warning"],
  ["--url", "failure"],
  ["BLF_NODE_URL", "failure"],
] as const)("takes a node that does not answer at the address of %s as a %s", async (chosenBy, status) => {
  const never = () => Promise.reject(new Error("not asked"));
  const api = {
    url: "http://127.0.0.1:8787",
    chosenBy,
    node: undefined,
    health: async () => null,
    get: never,
    send: never,
  };
  expect(await checkNode(api)).toMatchObject([{ check: "node", status }]);
});

it("goes on without the password with what the files say of themselves", async () => {
  await writeFile(join(dir, "keystore.json"), ETH_ACCOUNT_SAMPLE.text, { mode: 0o600 });
  await saveSecrets(join(dir, "secrets.json"), new Secret("password1234"), {
    GROQ_API_KEY: new Secret(GROQ_KEY),
    PINATA_JWT: new Secret(PINATA_JWT),
  });
  const closed = { BLF_PRIVATE_KEY: undefined, GROQ_API_KEY: undefined, PINATA_JWT: undefined };
  const found = await findings(closed);
  expect(found.filter(({ status }) => status === "failure")).toEqual([]);
  expect(of(found, "wallet").join()).toMatch(
    /^warning 0xE6FF69353A16c9A5B139c79F6499D8AD74bFeceb by its keystore, which was not opened/,
  );
  expect(of(found, "secrets").join()).toMatch(/^warning GROQ_API_KEY, PINATA_JWT stayed closed/);
  expect(of(found, "stake")).toEqual(["ok 1000 BLIND staked"]);
  const opened = await findings({ ...closed, BLF_KEY_PASSWORD: "password1234" });
  expect(opened.filter(({ status }) => status !== "ok")).toEqual([]);
}, 60_000);

it("names files that others can read", async () => {
  await writeFile(join(dir, ".env"), "BLF_ROLES=verifier\n");
  await chmod(join(dir, ".env"), 0o644);
  expect(of(await findings(), "files").join()).toMatch(/^warning .*\.env can be read by others/);
});

it("puts no secret into what it found, whatever went wrong", async () => {
  Object.assign(network.world, { chainId: 1, groqStatus: 404, pinataStatus: 403, gatewayStatus: 500, node: null });
  const text = JSON.stringify([
    await findings(),
    await findings({ GROQ_API_KEY: "gsk_another-secret-key", BLF_PRIVATE_KEY: "0x1234567890abcdef" }),
  ]);
  for (const secret of [
    ...Object.values(SECRETS),
    "gsk_another-secret-key",
    "1234567890abcdef",
    "an-rpc-key-of-some-length",
  ]) {
    expect(text).not.toContain(secret.replace(/^0x/, ""));
  }
});
