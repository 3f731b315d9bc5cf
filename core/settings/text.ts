/**
 * Readers for plain texts: flags, whole numbers, choices, lists and tokens. They forgive what shells and copied guides
 * leave around a value (spaces, quotes) and refuse examples that were never filled in.
 */
import { formatGwei, parseGwei } from "viem";
import { ok } from "../result.ts";
import { Secret } from "../secret.ts";
import { problem, type Reading } from "./setting.ts";

const QUOTES: Readonly<Record<string, string>> = { '"': '"', "'": "'", "`": "`", "“": "”", "‘": "’" };

/** Without surrounding white space and quotes; a shell or a dotenv file leaves them there by accident. */
export function unquote(text: string): string {
  let bare = text.trim();
  for (;;) {
    const first = bare[0];
    if (first === undefined || bare.length < 2 || QUOTES[first] !== bare.at(-1)) return bare;
    bare = bare.slice(1, -1).trim();
  }
}

/** The items of a list separated by commas or line breaks, each unquoted, empty ones left out. */
export function splitList(text: string): string[] {
  return text
    .split(/[,\r\n]/)
    .map(unquote)
    .filter((item) => item !== "");
}

const EXAMPLE = /(?:^|[^a-z0-9])your_|your-?(?:[a-z]+-)?(?:key|token|jwt|secret|gateway)(?![a-z])|<[^>]*>|\.\.\.|…/i;
const UNEXPANDED = /^\$(?:\{\w+\}|\w+)$/;

/** The problem when a text is an example from a guide (`YOUR_KEY`, `<token>`, `gsk_...`, `$OTHER`), else null. */
export function placeholder(text: string) {
  if (UNEXPANDED.test(text)) {
    return problem(
      "placeholder",
      "holds the name of another variable that was not expanded",
      "Write the value itself.",
    );
  }
  return EXAMPLE.test(text) ? problem("placeholder", "holds a placeholder from an example, not a real value") : null;
}

export function readFlag(text: string): Reading<boolean> {
  const flag = text.toLowerCase();
  if (["true", "1", "yes", "on"].includes(flag)) return ok(true);
  if (["false", "0", "no", "off"].includes(flag)) return ok(false);
  return problem("malformed", "must be true or false");
}

/** A whole number within limits, both included. */
export function readInteger(min: number, max: number): (text: string) => Reading<number> {
  const range = `a whole number from ${min} to ${max}`;
  return (text) => {
    if (!/^-?\d{1,15}$/.test(text)) return problem("malformed", `must be ${range}`);
    const value = Number(text);
    return value < min || value > max ? problem("out-of-range", `must be ${range}, not ${value}`) : ok(value);
  };
}

/** An amount of gwei, as `0.5` or `10`, within limits, both included; kept as text, because it is exact there. */
export function readGwei(min: string, max: string): (text: string) => Reading<string> {
  const range = `a number of gwei from ${min} to ${max}`;
  return (text) => {
    if (!/^\d{1,9}(\.\d{1,9})?$/.test(text)) return problem("malformed", `must be ${range}, such as 0.5`);
    const wei = parseGwei(text);
    const within = wei >= parseGwei(min) && wei <= parseGwei(max);
    return within ? ok(formatGwei(wei)) : problem("out-of-range", `must be ${range}, not ${text}`);
  };
}

/** One of the words that `words` maps to a value, in any case. */
export function readChoice<T>(words: Readonly<Record<string, T>>): (text: string) => Reading<T> {
  const choices = new Map(Object.entries(words));
  return (text) => {
    const value = choices.get(text.toLowerCase());
    return value === undefined ? problem("malformed", `must be one of ${[...choices.keys()].join(", ")}`) : ok(value);
  };
}

/** Some of the words, comma-separated; the answer is in the order of `words`, without repetition. */
export function readChoices<T extends string>(words: readonly T[]): (text: string) => Reading<T[]> {
  return (text) => {
    const items = splitList(text.toLowerCase());
    const strangers = items.some((item) => !words.some((word) => word === item));
    if (items.length === 0 || strangers) return problem("malformed", `must list one or more of ${words.join(", ")}`);
    return ok(words.filter((word) => items.includes(word)));
  };
}

export function readText(maxLength: number): (text: string) => Reading<string> {
  return (text) =>
    text.length > maxLength ? problem("malformed", `must have at most ${maxLength} characters`) : ok(text);
}

/** Any secret text, taken as it is. */
export function readPassword(text: string): Reading<Secret> {
  return ok(new Secret(text));
}

/** A secret that travels in an HTTP header: visible ASCII without spaces. */
export function readToken(text: string): Reading<Secret> {
  const example = placeholder(text);
  if (example !== null) return example;
  if (/^bearer\s/i.test(text)) return problem("malformed", "must hold the token alone, without the word Bearer");
  if (!/^[\x21-\x7e]+$/.test(text))
    return problem("malformed", "must be ASCII characters without spaces or line breaks");
  return ok(new Secret(text));
}

/** A token that guards something of ours: at least `minLength` characters. */
export function readAccessToken(minLength: number): (text: string) => Reading<Secret> {
  return (text) => {
    const token = readToken(text);
    if (token.ok && text.length < minLength) {
      return problem("weak", `must have at least ${minLength} characters`);
    }
    return token;
  };
}
