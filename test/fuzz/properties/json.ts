/** core/icl/json.ts against JSON.parse: the same values, but for numbers that a double cannot hold, and no prototypes. */
import fc from "fast-check";
import { parseLossless } from "../../../core/icl/json.ts";
import { mutatedJson, mutatedText, ODD_JSON } from "../mutate.ts";
import { must, property } from "../property.ts";

const SAMPLES = [
  { kpHighHandle: 1, kpLowHandle: "2", list: [1, [2, { a: null }]], "a\u0000b": "\u2028", nested: { x: { y: [] } } },
  [[], {}, "", 0, -1.5e3, true, null],
];
const PIECES = [
  '"',
  "\\",
  "[",
  "]",
  "{",
  "}",
  ",",
  ":",
  "1",
  "-",
  "e",
  ".",
  "9".repeat(20),
  "\u2028",
  "\ud800",
  "\\u12",
  " ",
];

/** Null where the text is none; what is thrown must be a SyntaxError without a word of the text. */
function parsed(text: string): { value: unknown } | null {
  try {
    return { value: parseLossless(text) };
  } catch (error) {
    must(error instanceof SyntaxError, "what is thrown is a SyntaxError");
    const { message } = error as SyntaxError;
    must(
      /^the (text is not valid JSON|JSON text is nested deeper than 512 levels)$/.test(message),
      "it quotes nothing",
    );
    return null;
  }
}

function native(text: string): { value: unknown } | null {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return null;
  }
}

/** With every bigint as the double that JSON.parse would have made of it, and without `__proto__` members. */
function rounded(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "__proto__")
      .map(([key, child]) => [key, rounded(child)]),
  );
}

function agrees(text: string): void {
  const ours = parsed(text);
  const theirs = native(text);
  must(theirs !== null || ours === null, "it takes no text that JSON.parse refuses");
  if (theirs === null || ours === null) {
    // A member that is there twice may hide depth from the value, but not from the text.
    must(theirs === null || text.split(/[[{]/).length > 512, "it takes what JSON.parse takes");
    return;
  }
  const one = JSON.stringify(rounded(ours.value));
  must(one === JSON.stringify(rounded(theirs.value)), "it reads what JSON.parse reads");
}

export const json = [
  property("reads what JSON.parse reads, and refuses what it refuses", 12_000, mutatedJson(SAMPLES), agrees),
  property(
    "reads damaged text as JSON.parse does",
    8_000,
    mutatedText([...SAMPLES.map((sample) => JSON.stringify(sample)), ...ODD_JSON], PIECES),
    agrees,
  ),
  property(
    "keeps every digit of every integer",
    4_000,
    fc.oneof(fc.bigInt({ min: -(2n ** 300n), max: 2n ** 300n }), fc.bigInt({ min: -(2n ** 55n), max: 2n ** 55n })),
    (integer) => {
      const value = parseLossless(`{"a":[${integer}]}`);
      must(String(rounded(value)) === "[object Object]", "it is an object");
      const [[found]] = Object.values(value as { a: [number | bigint] }) as [[number | bigint]];
      must(BigInt(found) === integer, "no digit is lost");
      must(
        (typeof found === "number") === (integer <= 2n ** 53n && integer >= -(2n ** 53n)),
        "small ones stay numbers",
      );
    },
  ),
  property(
    "refuses nesting beyond its depth, whatever stands around it",
    300,
    fc.tuple(
      fc.integer({ min: 500, max: 20_000 }),
      fc.constantFrom("[", '{"a":', '[{"]":'),
      fc.constantFrom("", '"[[["'),
    ),
    ([depth, open, inside]) => {
      const close = open === "[" ? "]" : open === '{"a":' ? "}" : "}]";
      const text = open.repeat(depth) + (inside || "1") + close.repeat(depth);
      must((parsed(text) === null) === depth * close.length > 512, "512 levels are taken, and no more");
    },
  ),
];
