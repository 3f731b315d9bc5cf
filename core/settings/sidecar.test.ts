import { describe, expect, it } from "vitest";
import { readSidecarSettings, SIDECAR_SETTING_NAMES } from "./sidecar.ts";

const [WORKER, SEED, STORAGE] = ["ab", "cd", "ef"].map((byte) => byte.repeat(32)) as [string, string, string];
const KEY = `0x${"0".repeat(62)}a1`;
const GOOD: Readonly<Record<string, string>> = {
  BLF_PRIVATE_KEY: KEY,
  BLF_STORAGE_KEY: "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
  BLF_RPC_URL: "https://arb-sepolia.g.alchemy.com/v2/3fXk9QmT7wLpZr2VbNc8Y",
  BLF_MODELS: "mock:a",
  BLF_SIDECAR_WORKER_KEYS: `w1=${WORKER}`,
  BLF_SIDECAR_SIGNING_KEY: SEED,
};
const read = (change: Readonly<Record<string, unknown>> = {}) => readSidecarSettings({ ...GOOD, ...change });
const faultsOf = (change: Readonly<Record<string, unknown>>) =>
  read(change).faults.map(({ severity, setting, code }) => `${severity} ${setting} ${code}`);

function settingsOf(change: Readonly<Record<string, unknown>> = {}) {
  const { settings, faults } = read(change);
  if (settings === null) throw new Error(JSON.stringify(faults));
  return settings;
}

describe("Good settings", () => {
  it("are given with every default", () => {
    const { settings, faults } = read();
    expect(faults).toEqual([]);
    const { node, ...own } = JSON.parse(JSON.stringify(settings)) as Record<string, unknown>;
    expect(node).toMatchObject({ models: ["mock:a"], tier: 0 });
    expect(own).toEqual({
      privateKeys: ["[redacted]"],
      signingSeed: "[redacted]",
      workerKeys: [{ id: "w1", publicKey: WORKER }],
      origins: [],
      host: "127.0.0.1",
      port: 8790,
      tls: null,
      allowPlainHttp: false,
      stateDir: "./sidecar-state",
      slots: 8,
      queueMax: 16,
      retentionHours: 24,
      customBackends: [],
      tpm: {},
    });
  });

  it("are read as they are written", () => {
    expect(
      settingsOf({
        BLF_SIDECAR_WORKER_KEYS: ` w1=${WORKER} , w.2:x-y=${STORAGE.toUpperCase()},`,
        BLF_SIDECAR_ORIGINS: "https://a.example,https://b.example:8443/,https://a.example/",
        BLF_SIDECAR_HOST: "0.0.0.0",
        BLF_SIDECAR_PORT: "0",
        BLF_SIDECAR_TLS_CERT: "c.pem",
        BLF_SIDECAR_TLS_KEY: "k.pem",
        BLF_SIDECAR_ALLOW_HTTP: "Yes",
        BLF_SIDECAR_SLOTS: "256",
        BLF_SIDECAR_QUEUE: "0",
        BLF_SIDECAR_RETENTION_HOURS: "1",
        BLF_CUSTOM_BACKENDS: "./a.mjs, ./b c.mjs,./a.mjs",
        BLF_TPM_TCTI: "swtpm:port=1",
        BLF_TPM_EK_HANDLE: "0x81010001",
        BLF_TPM_AK_HANDLE: "0x8101B1F0",
      }),
    ).toMatchObject({
      workerKeys: [
        { id: "w1", publicKey: WORKER },
        { id: "w.2:x-y", publicKey: STORAGE },
      ],
      origins: ["https://a.example", "https://b.example:8443"],
      host: "0.0.0.0",
      port: 0,
      tls: { certPath: "c.pem", keyPath: "k.pem" },
      allowPlainHttp: true,
      slots: 256,
      queueMax: 0,
      retentionHours: 1,
      customBackends: ["./a.mjs", "./b c.mjs"],
      tpm: { tcti: "swtpm:port=1", ekHandle: 0x8101_0001, akHandle: 0x8101_b1f0 },
    });
  });

  it("take the Worker's address of the sidecar where no origins are set", () => {
    expect(settingsOf({ BLF_SIDECAR_URL: "https://box.example/" }).origins).toEqual(["https://box.example"]);
    const both = { BLF_SIDECAR_URL: "https://box.example", BLF_SIDECAR_ORIGINS: "https://other.example" };
    expect(settingsOf(both).origins).toEqual(["https://other.example"]);
  });

  it("need no listed model where there are custom backends", () => {
    const { BLF_MODELS: _, ...rest } = GOOD;
    expect(readSidecarSettings(rest).settings).toBeNull();
    expect(readSidecarSettings({ ...rest, BLF_CUSTOM_BACKENDS: "./a.mjs" }).settings).not.toBeNull();
  });
});

describe("A fault", () => {
  it.each<[string, Record<string, unknown>, string[]]>([
    ["no account", { BLF_PRIVATE_KEY: undefined }, ["fault BLF_PRIVATE_KEY missing"]],
    ["an account that cannot be read", { BLF_PRIVATE_KEY: "0x12" }, ["fault BLF_PRIVATE_KEY malformed"]],
    ["no key of the sidecar's", { BLF_SIDECAR_SIGNING_KEY: "" }, ["fault BLF_SIDECAR_SIGNING_KEY missing"]],
    ["a short one", { BLF_SIDECAR_SIGNING_KEY: "ab" }, ["fault BLF_SIDECAR_SIGNING_KEY malformed"]],
    ["no key of a Worker's", { BLF_SIDECAR_WORKER_KEYS: " " }, ["fault BLF_SIDECAR_WORKER_KEYS missing"]],
    ["one without its name", { BLF_SIDECAR_WORKER_KEYS: WORKER }, ["fault BLF_SIDECAR_WORKER_KEYS malformed"]],
    [
      "a name twice",
      { BLF_SIDECAR_WORKER_KEYS: `a=${WORKER},a=${STORAGE}` },
      ["fault BLF_SIDECAR_WORKER_KEYS duplicate"],
    ],
    [
      "too many keys",
      { BLF_SIDECAR_WORKER_KEYS: Array.from({ length: 17 }, (_, index) => `k${index}=${WORKER}`).join() },
      ["fault BLF_SIDECAR_WORKER_KEYS out-of-range"],
    ],
    ["an origin with a path", { BLF_SIDECAR_ORIGINS: "https://a.example/b" }, ["fault BLF_SIDECAR_ORIGINS malformed"]],
    ["a port beyond", { BLF_SIDECAR_PORT: "65536" }, ["fault BLF_SIDECAR_PORT out-of-range"]],
    ["no slot", { BLF_SIDECAR_SLOTS: "0" }, ["fault BLF_SIDECAR_SLOTS out-of-range"]],
    ["a queue of words", { BLF_SIDECAR_QUEUE: "many" }, ["fault BLF_SIDECAR_QUEUE malformed"]],
    ["a certificate alone", { BLF_SIDECAR_TLS_CERT: "c" }, ["fault BLF_SIDECAR_TLS_KEY missing"]],
    ["a certificate's key alone", { BLF_SIDECAR_TLS_KEY: "k" }, ["fault BLF_SIDECAR_TLS_CERT missing"]],
    [
      "a certificate that cannot be read",
      { BLF_SIDECAR_TLS_CERT: "c".repeat(5_000), BLF_SIDECAR_TLS_KEY: "k" },
      ["fault BLF_SIDECAR_TLS_CERT malformed"],
    ],
    ["a handle that is none", { BLF_TPM_EK_HANDLE: "0x80000001" }, ["fault BLF_TPM_EK_HANDLE malformed"]],
    ["what is no text", { BLF_SIDECAR_STATE: {} }, ["fault BLF_SIDECAR_STATE malformed"]],
    ["no paths", { BLF_CUSTOM_BACKENDS: "," }, ["fault BLF_CUSTOM_BACKENDS malformed"]],
    ["a typing error", { BLF_SIDECAR_SLOT: "1" }, ["warning BLF_SIDECAR_SLOT unknown"]],
    ["the Worker's own key", { BLF_SIDECAR_PRIVATE_KEY: SEED }, ["warning BLF_SIDECAR_PRIVATE_KEY conflict"]],
    ["a tier that the mock has not", { BLF_TIER: "1" }, ["warning BLF_TIER conflict"]],
  ])("is %s", (_, change, faults) => {
    expect(faultsOf(change)).toEqual(faults);
    expect(read(change).settings === null).toBe(faults.some((fault) => fault.startsWith("fault")));
  });

  it("is none of the tier where the hardware attests it", () => {
    expect(faultsOf({ BLF_TIER: "1", BLF_ATTESTATION_BACKEND: "tpm" })).toEqual([]);
    expect(faultsOf({ BLF_TIER: "2", BLF_ATTESTATION_BACKEND: "tpm" })).toEqual(["warning BLF_TIER conflict"]);
    expect(faultsOf({ BLF_TIER: "2", BLF_ATTESTATION_BACKEND: "tdx" })).toEqual([]);
  });

  it("does not hide another, and each says what to do", () => {
    const { settings, faults } = readSidecarSettings({
      BLF_SIDECAR_PORT: "x",
      BLF_SIDECAR_SLOTS: "0",
      BLF_SIDECAR_TLS_KEY: "k",
      BLF_SIDECAR_WORKER_KEYS: `one,b=${WORKER},c=short`,
    });
    expect(settings).toBeNull();
    const names = faults.map(({ setting }) => setting);
    for (const name of ["PORT", "SLOTS", "TLS_CERT", "SIGNING_KEY"]) expect(names).toContain(`BLF_SIDECAR_${name}`);
    for (const name of ["BLF_PRIVATE_KEY", "BLF_RPC_URL"]) expect(names).toContain(name);
    expect(names.filter((name) => name === "BLF_SIDECAR_WORKER_KEYS")).toHaveLength(2);
    for (const { fix } of faults) expect(fix).not.toBe("");
  });

  it("never repeats a value, whichever setting it was put into", () => {
    const value = `5ecre7-${"9f".repeat(40)}`;
    for (const name of [...SIDECAR_SETTING_NAMES, "BLF_SIDECAR_PRIVATE_KEY", "BLF_PRIVATE_KEY", "BLF_STORAGE_KEY"]) {
      const { faults, notes } = read({ [name]: value });
      expect(JSON.stringify([faults, notes]), name).not.toContain("9f9f");
      expect(JSON.stringify([faults, notes]), name).not.toContain("5ecre7");
    }
  });
});
