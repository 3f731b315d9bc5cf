/**
 * The forms in which a secret could leave: as it is, and as whatever carries bytes and texts makes of it. Refuses a
 * secret so short that it would be found by chance. Invariant: every form is long enough to be no accident.
 */
export type Encoding =
  | "utf-8"
  | "utf-16le"
  | "bytes"
  | "base64"
  | "base64url"
  | "hex"
  | "percent"
  | "percent-full"
  | "json"
  | "json-full"
  | "decimal";

export interface Secret {
  name: string;
  /** A text, bytes, or a number that is looked for in decimal, hex and as big-endian bytes. */
  value: string | Uint8Array | bigint;
}

export interface Needle {
  secret: string;
  encoding: Encoding;
  bytes: Buffer;
  /** Looked for whatever the case of its letters. */
  folded: boolean;
}

/** Eight bytes of noise are met once in 2^64 places. */
export const SECRET_MIN_BYTES = 8;
/** What is left of a base64 form once the digits that its neighbours share are cut off. */
const FORM_MIN_BYTES = 8;

/** Every form of a secret, none twice. Throws where it is shorter than SECRET_MIN_BYTES. */
export function formsOf(secret: Secret): Needle[] {
  const forms = all(secret.value);
  if (forms.some(({ encoding, bytes }) => PLAIN.includes(encoding) && bytes.length < SECRET_MIN_BYTES)) {
    throw new Error(`${secret.name} is too short to be searched for`);
  }
  const seen = new Set<string>();
  return forms.flatMap(({ encoding, bytes }) => {
    const folded = FOLDED.includes(encoding);
    const key = `${folded} ${bytes.toString("latin1")}`;
    if (seen.has(key) || bytes.length < FORM_MIN_BYTES) return [];
    seen.add(key);
    return [{ secret: secret.name, encoding, bytes, folded }];
  });
}

/** ASCII letters in lower case, everything else as it is. */
export function fold(bytes: Uint8Array): Buffer {
  const folded = Buffer.from(bytes);
  for (let i = 0; i < folded.length; i++) {
    const byte = folded[i] as number;
    if (byte >= 0x41 && byte <= 0x5a) folded[i] = byte + 0x20;
  }
  return folded;
}

interface Form {
  encoding: Encoding;
  bytes: Buffer;
}

const PLAIN: readonly Encoding[] = ["utf-8", "bytes", "decimal"];
/** Digits above 9 come in either case here. */
const FOLDED: readonly Encoding[] = ["hex", "percent", "percent-full", "json", "json-full"];

function all(value: Secret["value"]): Form[] {
  if (typeof value === "string") return textForms(value);
  if (typeof value === "bigint") return numberForms(value);
  const bytes = Buffer.from(value);
  return [{ encoding: "bytes", bytes }, ...byteForms(bytes), ...textInside(bytes.toString("hex"))];
}

function textForms(text: string): Form[] {
  const bytes = Buffer.from(text);
  const percent = encodeURIComponent(text);
  const json = JSON.stringify(text).slice(1, -1);
  const ascii = text.replace(/[^\x20-\x7e]/g, escaped);
  return [
    { encoding: "utf-8", bytes },
    { encoding: "utf-16le", bytes: Buffer.from(text, "utf16le") },
    ...byteForms(bytes),
    ...folded("percent", [percent, percent.replaceAll("%20", "+")], text),
    ...folded("percent-full", [bytes.toString("hex").replace(/../g, "%$&")], text),
    // In a text inside a JSON text a back slash is two.
    ...folded("json", [json, JSON.stringify(json).slice(1, -1), ascii], text),
    ...folded("json-full", [text.replace(/[\s\S]/g, escaped)], text),
  ];
}

/** As decimal digits and as the bytes of a uint128, or of a uint256 where it needs them. */
function numberForms(value: bigint): Form[] {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length > 32 ? 64 : 32, "0"), "hex");
  const decimal = value.toString();
  return [
    { encoding: "decimal", bytes: Buffer.from(decimal) },
    ...textInside(decimal),
    { encoding: "bytes", bytes },
    ...byteForms(bytes),
    ...textInside(hex),
    { encoding: "hex", bytes: Buffer.from(hex) },
  ];
}

/** A text that only carries the secret, inside what carries texts. */
function textInside(text: string): Form[] {
  return [{ encoding: "utf-16le", bytes: Buffer.from(text, "utf16le") }, ...byteForms(Buffer.from(text))];
}

function byteForms(bytes: Buffer): Form[] {
  return [
    { encoding: "hex", bytes: Buffer.from(bytes.toString("hex")) },
    ...[0, 1, 2].flatMap((before): Form[] => {
      const core = base64Core(bytes, before);
      return [
        { encoding: "base64", bytes: Buffer.from(core) },
        { encoding: "base64url", bytes: Buffer.from(core.replaceAll("+", "-").replaceAll("/", "_")) },
      ];
    }),
  ];
}

/**
 * The digits that are the same whatever stands around the bytes, with `before` bytes of a group in front of them
 * (RFC 4648, 4). Padding and the neighbours' digits are not part of it.
 */
function base64Core(bytes: Buffer, before: number): string {
  const digits = Buffer.concat([Buffer.alloc(before), bytes])
    .toString("base64")
    .replaceAll("=", "");
  const whole = Math.floor(((before + bytes.length) * 8) / 6);
  return digits.slice(Math.ceil((before * 8) / 6), whole);
}

function folded(encoding: Encoding, texts: readonly string[], plain: string): Form[] {
  return texts.filter((text) => text !== plain).map((text) => ({ encoding, bytes: fold(Buffer.from(text)) }));
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
