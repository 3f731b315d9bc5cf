import { describe, expect, it } from "vitest";
import {
  placeholder,
  readAccessToken,
  readChoice,
  readChoices,
  readFlag,
  readGwei,
  readInteger,
  readToken,
  splitList,
  unquote,
} from "./text.ts";

function outcome(reading: { ok: true; value: unknown } | { ok: false; refusal: readonly { code: string }[] }) {
  return reading.ok ? reading.value : reading.refusal.map(({ code }) => code).join();
}

describe("a text", () => {
  it.each([
    ["  a b \n", "a b"],
    ['"quoted"', "quoted"],
    ["'quoted'", "quoted"],
    [' " twice " ', "twice"],
    [`'"nested"'`, "nested"],
    ["“curly”", "curly"],
    ['""', ""],
    ['"', '"'],
    ['"open', '"open'],
    [`"mixed'`, `"mixed'`],
    ['say "hi"', 'say "hi"'],
  ])("%j is read as %j", (text, bare) => {
    expect(unquote(text)).toBe(bare);
  });

  it("is split at commas and line breaks, without empty items", () => {
    expect(splitList(' a, "b" ,,\nc\r\n')).toEqual(["a", "b", "c"]);
    expect(splitList(" , ")).toEqual([]);
  });
});

describe("an example from a guide", () => {
  it.each([
    "YOUR_KEY",
    "https://rpc.example/v2/YOUR_REAL_KEY",
    "https://YOUR_GATEWAY.mypinata.cloud/ipfs",
    "your-api-key",
    "YOURKEY",
    "<token>",
    "0x...",
    "gsk_...",
    "AIza…",
    "$BLF_RPC_URL",
    ["$", "{BLF_RPC_URL}"].join(""),
  ])("%s is recognised", (text) => {
    expect(placeholder(text)?.refusal[0]?.code).toBe("placeholder");
  });

  it.each(["gsk_4f9aXyourname", "https://your-company.example", "eyJhbGciOi.eyJzdWIiOi.c2ln", "a-your-keyring"])(
    "%s is none",
    (text) => {
      expect(placeholder(text)).toBeNull();
    },
  );
});

describe("a flag", () => {
  it.each([
    ["true", true],
    ["YES", true],
    ["1", true],
    ["On", true],
    ["False", false],
    ["no", false],
    ["0", false],
    ["off", false],
    ["2", "malformed"],
    ["y", "malformed"],
  ])("%s gives %s", (text, expected) => {
    expect(outcome(readFlag(text))).toBe(expected);
  });
});

describe("a whole number from 1 to 256", () => {
  it.each([
    ["1", 1],
    ["256", 256],
    ["008", 8],
    ["0", "out-of-range"],
    ["257", "out-of-range"],
    ["-1", "out-of-range"],
    ["1e2", "malformed"],
    ["0x10", "malformed"],
    ["1.0", "malformed"],
    ["８", "malformed"],
    ["9".repeat(400), "malformed"],
  ])("reads %s as %s", (text, expected) => {
    expect(outcome(readInteger(1, 256)(text))).toBe(expected);
  });
});

describe("a choice", () => {
  it("takes a word in any case and nothing that objects happen to have", () => {
    const read = readChoice({ edge: 1, sidecar: 2 });
    expect(["EDGE", "sidecar", "cloud", "constructor"].map((text) => outcome(read(text)))).toEqual([
      1,
      2,
      "malformed",
      "malformed",
    ]);
  });

  it("of several words comes in a fixed order, each once", () => {
    const read = readChoices(["leader", "verifier"]);
    expect(outcome(read("Verifier, leader,verifier"))).toEqual(["leader", "verifier"]);
    expect(outcome(read("verifier"))).toEqual(["verifier"]);
    expect(outcome(read("leader,judge"))).toBe("malformed");
    expect(outcome(read(","))).toBe("malformed");
  });
});

describe("a token", () => {
  it.each([
    ["eyJhbGciOi.eyJzdWIiOi.c2ln", "taken"],
    ["Bearer eyJhbGciOi", "malformed"],
    ["two words", "malformed"],
    ["line\nbreak", "malformed"],
    ["pässword", "malformed"],
    ["<your token>", "placeholder"],
  ])("%j is %s", (text, expected) => {
    const reading = readToken(text);
    expect(reading.ok ? "taken" : outcome(reading)).toBe(expected);
  });

  it("that guards something of ours must be long enough", () => {
    expect(outcome(readAccessToken(16)("123456789012345"))).toBe("weak");
    expect(readAccessToken(16)("1234567890123456").ok).toBe(true);
  });
});

describe("an amount of gwei", () => {
  it.each([
    ["10", "10"],
    ["0.5", "0.5"],
    ["0.010000000", "0.01"],
    ["0.0099", "out-of-range"],
    ["20.000000001", "out-of-range"],
    ["1.0000000001", "malformed"],
    [".5", "malformed"],
    ["5 gwei", "malformed"],
    ["0x5", "malformed"],
  ])("%s is %s", (text, expected) => {
    expect(outcome(readGwei("0.01", "20")(text))).toBe(expected);
  });
});
