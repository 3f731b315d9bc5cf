import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type Encoding, type Place, type Secret, search } from "../canary/search.ts";

const TEXT = 'Kanarie é "zwölf"\n\\ ÿ>?~ 界 ende';
const BYTES = Uint8Array.from({ length: 32 }, (_, i) => (i * 37 + 0xfb) & 0xff);
const UINT128 = 0x0fb0_1d2e_3f40_5162_7384_95a6_b7c8_d9ean;
const UINT256 = (0x0edc_ba98_7654_3210n << 192n) + UINT128;

const placed = (name: string, content: string | Uint8Array): Place => ({
  name,
  bytes: Buffer.concat([Buffer.from("before "), Buffer.from(content as string), Buffer.from(" after")]),
});
const found = (secret: Secret["value"], content: string | Uint8Array) =>
  search([{ name: "it", value: secret }], [placed("there", content)]).map(({ encoding }) => encoding);

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const percent = (text: string) => hex(Buffer.from(text)).replace(/../g, "%$&");
const units = (text: string) =>
  Array.from({ length: text.length }, (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, "0")}`).join("");

describe("a text is found", () => {
  const cases: [string, string | Uint8Array, Encoding][] = [
    ["as it is", TEXT, "utf-8"],
    ["in UTF-16", Buffer.from(TEXT, "utf16le"), "utf-16le"],
    ["in hex", hex(Buffer.from(TEXT)), "hex"],
    ["in upper-case hex", hex(Buffer.from(TEXT)).toUpperCase(), "hex"],
    ["in a URL", encodeURIComponent(TEXT), "percent"],
    ["in a URL with small digits", encodeURIComponent(TEXT).replace(/%../g, (part) => part.toLowerCase()), "percent"],
    ["in a form", encodeURIComponent(TEXT).replaceAll("%20", "+"), "percent"],
    ["in a URL with every byte escaped", percent(TEXT), "percent-full"],
    ["in a URL with every byte escaped, in capitals", percent(TEXT).toUpperCase(), "percent-full"],
    ["in JSON", JSON.stringify({ text: TEXT }), "json"],
    ["in JSON inside JSON", JSON.stringify(JSON.stringify({ text: TEXT })), "json"],
    ["in JSON with every unit escaped", units(TEXT), "json-full"],
    [
      "in JSON with every unit escaped, in capitals",
      units(TEXT).replace(/[a-f]/g, (x) => x.toUpperCase()),
      "json-full",
    ],
  ];
  it.each(cases)("%s", (_how, content, encoding) => expect(found(TEXT, content)).toContain(encoding));

  it("in JSON in ASCII only", () => {
    const plain = "Kanarie é zwölf ende";
    expect(found(plain, plain.replace(/[^\x20-\x7e]/g, units))).toEqual(["json"]);
  });
});

describe("bytes are found", () => {
  it("as they are and in hex of any case", () => {
    expect(found(BYTES, BYTES)).toEqual(["bytes"]);
    expect(found(BYTES, `0x${hex(BYTES)}`)).toEqual(["hex"]);
    expect(
      found(
        BYTES,
        hex(BYTES).replace(/[a-f]/g, (x, at: number) => (at % 2 ? x.toUpperCase() : x)),
      ),
    ).toEqual(["hex"]);
  });

  it("as hex inside base64", () => {
    expect(found(BYTES, Buffer.from(`{"key":"${hex(BYTES)}"}`).toString("base64"))).toEqual(["base64"]);
  });
});

describe.each(["base64", "base64url"] as const)("in %s", (encoding) => {
  it.each([0, 1, 2, 3, 4])("bytes with %i bytes in front of them and any number behind are found", (before) => {
    for (const after of [0, 1, 2, 3]) {
      const whole = Buffer.concat([Buffer.alloc(before, 0xff), BYTES, Buffer.alloc(after, 0xff)]);
      const text = whole.toString("base64");
      const url = text.replaceAll("+", "-").replaceAll("/", "_");
      const written = encoding === "base64" ? text : url;
      expect(written).toMatch(encoding === "base64" ? /[+/]/ : /[-_]/);
      expect(found(BYTES, written)).toContain(encoding);
      expect(found(BYTES, written.replaceAll("=", ""))).toContain(encoding);
    }
  });
});

describe("a number is found", () => {
  it.each([UINT128, UINT256])("in decimal, hex, base64 and as bytes: %s", (value) => {
    const digits = value.toString(16);
    const bytes = Buffer.from(digits.padStart(digits.length > 32 ? 64 : 32, "0"), "hex");
    expect(found(value, `${value}`)).toEqual(["decimal"]);
    expect(found(value, bytes)).toEqual(["bytes"]);
    expect(found(value, `0x${digits}`)).toContain("hex");
    expect(found(value, bytes.toString("base64"))).toEqual(["base64"]);
    expect(found(value, Buffer.from(`${value}`).toString("base64"))).toEqual(["base64"]);
  });
});

describe("inside gzip", () => {
  const member = gzipSync(`noise ${TEXT} noise`);

  it("a text is found, and the member named", () => {
    const [finding] = search([{ name: "it", value: TEXT }], [placed("file", member)]);
    expect(finding).toEqual({ secret: "it", place: "file!gzip@7", encoding: "utf-8", offset: 6 });
  });

  it("a text is found in a member that is cut off, and in a member within a member", () => {
    const long = gzipSync(Buffer.concat([Buffer.from(TEXT), randomBytes(4_096)]));
    expect(found(TEXT, long.subarray(0, 2_048))).toContain("utf-8");
    expect(found(TEXT, gzipSync(member))).toContain("utf-8");
  });

  it("what only looks like a member is passed over", () => {
    expect(found(TEXT, Buffer.concat([Buffer.from([0x1f, 0x8b, 0x08, 0x00]), Buffer.from(TEXT)]))).toEqual(["utf-8"]);
  });
});

describe("a search", () => {
  it("names secret, place and offset of every occurrence", () => {
    const places = [placed("one", `${TEXT}${TEXT}`), placed("two", "nothing"), placed("three", BYTES)];
    const secrets = [
      { name: "the text", value: TEXT },
      { name: "the bytes", value: BYTES },
    ];
    expect(search(secrets, places)).toEqual([
      { secret: "the text", place: "one", encoding: "utf-8", offset: 7 },
      { secret: "the text", place: "one", encoding: "utf-8", offset: 7 + Buffer.byteLength(TEXT) },
      { secret: "the bytes", place: "three", encoding: "bytes", offset: 7 },
    ]);
  });

  it("finds what begins at the first byte or ends at the last", () => {
    expect(search([{ name: "it", value: TEXT }], [{ name: "all", bytes: Buffer.from(TEXT) }])).toHaveLength(1);
  });

  it("finds nothing where one byte is different", () => {
    const changed = Buffer.from(BYTES);
    changed[17] = (changed[17] ?? 0) ^ 1;
    const forms = [changed, hex(changed), changed.toString("base64"), gzipSync(changed)];
    expect(forms.flatMap((form) => found(BYTES, form))).toEqual([]);
  });

  it("refuses a secret that would be met by chance", () => {
    expect(() => search([{ name: "short", value: "seven77" }], [])).toThrow("short is too short");
    expect(() => search([{ name: "small", value: 123n }], [])).toThrow("small is too short");
  });

  it("looks through 32 MiB of noise for two hundred secrets and finds the one at the end", () => {
    const noise = randomBytes(32 << 20);
    const secrets = Array.from({ length: 200 }, (_, i) => ({ name: `secret ${i}`, value: randomBytes(32) }));
    noise.write(hex(secrets[150]?.value ?? BYTES), noise.length - 64);
    expect(search(secrets, [{ name: "noise", bytes: noise }])).toEqual([
      { secret: "secret 150", place: "noise", encoding: "hex", offset: noise.length - 64 },
    ]);
  });
});
