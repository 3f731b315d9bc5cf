import { describe, expect, it } from "vitest";
import { readEnv, SETTING_NAMES } from "./env.ts";
import { nearestName } from "./nearest-name.ts";

describe("the environment", () => {
  it("gives trimmed, unquoted texts and takes an empty one for absent", () => {
    const { texts, faults } = readEnv({ BLF_TIER: ' "1" ', BLF_ROLES: "''", GROQ_API_KEY: "  ", BLF_LOG_LEVEL: null });
    expect(texts).toEqual({ BLF_TIER: "1" });
    expect(faults).toEqual([]);
  });

  it("may hold numbers and booleans, as configuration files do", () => {
    expect(readEnv({ BLF_TIER: 2, BLF_ALLOW_HTTP: true }).texts).toEqual({ BLF_TIER: "2", BLF_ALLOW_HTTP: "true" });
  });

  it("may hold bindings and variables of others, which are left alone", () => {
    const env = {
      DB: { prepare() {} },
      PATH: "/bin",
      HOME: "/",
      BLF_QUEUE: { send() {} },
      __proto__: { BLF_TIER: "2" },
    };
    expect(readEnv({ ...env })).toEqual({ texts: {}, faults: [], notes: [] });
  });

  it("cannot hold a setting as a binding", () => {
    expect(readEnv({ GROQ_API_KEY: { get() {} } }).faults).toEqual([
      expect.objectContaining({ code: "malformed", setting: "GROQ_API_KEY", severity: "fault" }),
    ]);
  });
});

describe("an alias", () => {
  it("is read when the name is absent, and that is noted", () => {
    const { texts, notes } = readEnv({ BLF_IPFS_UPLOAD_JWT: "jwt", PINATA_JWT: " " });
    expect(texts).toEqual({ PINATA_JWT: "jwt" });
    expect(notes).toEqual([{ setting: "PINATA_JWT", message: "PINATA_JWT is read from BLF_IPFS_UPLOAD_JWT." }]);
  });

  it("loses against the name, with a warning when they differ", () => {
    const differing = readEnv({ PINATA_GATEWAY_URL: "https://a", BLF_IPFS_GATEWAY: "https://b" });
    expect(differing.texts).toEqual({ PINATA_GATEWAY_URL: "https://a" });
    expect(differing.faults).toEqual([expect.objectContaining({ code: "conflict", severity: "warning" })]);
    expect(readEnv({ PINATA_GATEWAY_URL: "https://a", BLF_IPFS_GATEWAY: "https://a" }).faults).toEqual([]);
  });
});

describe("an unknown name", () => {
  it.each([
    ["BLF_PRIVTE_KEY", "Did you mean BLF_PRIVATE_KEY? Rename or remove it."],
    ["blf_rpc_url", "Did you mean BLF_RPC_URL? Rename or remove it."],
    ["BLF_RPC_URLS", "Did you mean BLF_RPC_URL? Rename or remove it."],
    ["BLF_SOMETHING_ELSE_ENTIRELY", "Remove BLF_SOMETHING_ELSE_ENTIRELY."],
  ])("%s is a warning: %s", (name, fix) => {
    const { faults } = readEnv({ [name]: "a-secret-value" });
    expect(faults).toEqual([expect.objectContaining({ code: "unknown", setting: name, fix, severity: "warning" })]);
    expect(JSON.stringify(faults)).not.toContain("a-secret-value");
  });

  it("is cut to a bounded length", () => {
    expect(readEnv({ [`BLF_${"X".repeat(500)}`]: "1" }).faults[0]?.setting).toHaveLength(64);
  });
});

describe("the nearest name", () => {
  it.each([
    ["BLF_TEIR", "BLF_TIER"],
    ["BLF_MODEL", "BLF_MODELS"],
    ["BLF_IPFS_GATWAY", "BLF_IPFS_GATEWAY"],
    ["BLF_COFHE_URI", "BLF_COFHE_URL"],
    ["BLF_", null],
    ["BLF_ZZZZZZ", null],
  ])("to %s is %s", (typed, expected) => {
    expect(nearestName(typed, SETTING_NAMES)).toBe(expected);
  });
});
