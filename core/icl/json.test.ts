import { describe, expect, it } from "vitest";
import { parseLossless } from "./json.ts";

const UINT256_MAX = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
const DIGITS_77 = "12345678901234567890123456789012345678901234567890123456789012345678901234567";

describe("parseLossless", () => {
  it.each([
    [UINT256_MAX, BigInt(UINT256_MAX)],
    [DIGITS_77, BigInt(DIGITS_77)],
    [`-${UINT256_MAX}`, -BigInt(UINT256_MAX)],
    ["9007199254740993", 9007199254740993n],
    ["-9007199254740993", -9007199254740993n],
    ["10000000000000000", 10000000000000000n],
  ])("keeps every digit of %s", (text, expected) => {
    expect(parseLossless(text)).toBe(expected);
    expect(parseLossless(`{"a":[{"b":${text}}, 1]}`)).toEqual({ a: [{ b: expected }, 1] });
    expect(parseLossless(` [ ${text}\n,${text} ] `)).toEqual([expected, expected]);
  });

  it.each([
    "9007199254740992",
    "-9007199254740992",
    "9007199254740991",
    "0",
    "-0",
    "-1",
    "1.5",
    "12345678901234567890.5",
    "1e30",
    "1E+30",
    "12345678901234567890e0",
    "1e400",
    "0.1234567890123456789",
    "null",
    "true",
    '""',
    `"${UINT256_MAX}"`,
    `"\\"${UINT256_MAX}"`,
    `{"${UINT256_MAX}":1}`,
    '{"a":{"b":[1,[2,{"c":null}]]},"a":2}',
    '"\\u00e9\\ud83d\\ude00\\\\"',
    '"[[[{{{"',
    " \t\r\n[]",
  ])("reads %s as JSON.parse does", (text) => {
    expect(parseLossless(text)).toEqual(JSON.parse(text));
  });

  it.each([
    "",
    " ",
    "{",
    "[1,]",
    '{"a":1,}',
    "01",
    "+1",
    ".5",
    "1.",
    "0x10",
    "1n",
    "NaN",
    "Infinity",
    "'a'",
    '"a',
    '"\t"',
    '"\\x41"',
    "{a:1}",
    "[1 2]",
    "1 1",
    "//x\n1",
    "undefined",
    "\ufeff1",
    `${UINT256_MAX}x`,
    "]",
  ])("refuses %j, as JSON.parse does", (text) => {
    expect(() => JSON.parse(text)).toThrow(SyntaxError);
    expect(() => parseLossless(text)).toThrow(SyntaxError);
  });

  it("never quotes what it refuses", () => {
    expect(() => parseLossless('{"token": secret}')).toThrow(/^the text is not valid JSON$/);
  });

  it.each(["[", '{"a":', '[{"a":['])("refuses %s nested without end, instead of overflowing", (open) => {
    expect(() => parseLossless(open.repeat(200_000))).toThrow(/nested deeper/);
  });

  it("takes 512 levels and not 513, and does not count brackets in strings", () => {
    const nested = (depth: number) => `${"[".repeat(depth)}"]]\\"[["${"]".repeat(depth)}`;
    expect(parseLossless(nested(512))).toEqual(JSON.parse(nested(512)));
    expect(() => parseLossless(nested(513))).toThrow(/nested deeper than 512/);
    expect(parseLossless(`[${"[],".repeat(2000)}1]`)).toHaveLength(2001);
  });

  it("drops __proto__ members at every level, so that no copy of an answer gets a foreign prototype", () => {
    const parsed = parseLossless('{"__proto__":{"polluted":true},"a":{"__proto__":1,"b":2}}');
    expect(parsed).toEqual({ a: { b: 2 } });
    expect(Object.keys(Object(parsed))).toEqual(["a"]);
    expect(Object.assign({}, parsed)).not.toHaveProperty("polluted");
  });
});
