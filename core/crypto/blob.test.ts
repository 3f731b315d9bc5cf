import { bytesToHex, hexToBytes } from "viem/utils";
import { describe, expect, it } from "vitest";
import vectors from "../../test/vectors/blindference-0.3.5.json" with { type: "json" };
import { NodeError } from "../errors.ts";
import { openBlob, sealBlob } from "./blob.ts";

const bytes = (hex: string) => Uint8Array.from(hexToBytes(`0x${hex}`));
const KEY = bytes("42".repeat(32));

async function refusalOf(blob: Uint8Array, key: Uint8Array): Promise<NodeError> {
  const error: unknown = await openBlob(blob, key).catch((thrown: unknown) => thrown);
  if (error instanceof NodeError) return error;
  throw new Error("the blob was opened", { cause: error });
}

describe("a blob", () => {
  it.each(vectors.aes_blob)("of the network opens to its text: $plaintext", async ({ key, blob, plaintext }) => {
    expect(await openBlob(bytes(blob), bytes(key))).toBe(plaintext);
  });

  it.each(vectors.aes_blob)("sealed under the same iv is the network's, byte for byte: $plaintext", async (vector) => {
    const iv = () => bytes(vector.blob.slice(0, 24));
    expect(bytesToHex(await sealBlob(vector.plaintext, bytes(vector.key), iv)).slice(2)).toBe(vector.blob);
  });

  it.each([
    ["27 bytes", "27 bytes"],
    ["tag flipped", "does not fit its key"],
    ["not utf8", "not UTF-8"],
  ])("that the network refuses (%s) is refused", async (name, message) => {
    const vector = vectors.aes_blob_errors.find((candidate) => candidate.case === name);
    if (vector === undefined) throw new Error(`no vector ${name}`);
    const error = await refusalOf(bytes(vector.blob), bytes(vector.key));
    expect([error.code, error.retry]).toEqual(["prompt-unreadable", "never"]);
    expect(error.message).toContain(message);
    expect(`${error.message}${error.hint}`).not.toContain(vector.blob.slice(0, 8));
  });

  it("covers every refusal that the vectors hold", () => {
    expect(vectors.aes_blob_errors.map((vector) => vector.case)).toEqual(["27 bytes", "tag flipped", "not utf8"]);
  });

  it("does not open once any byte of it was changed", async () => {
    const blob = await sealBlob("hi", KEY);
    for (let i = 0; i < blob.length; i++) {
      const changed = Uint8Array.from(blob);
      changed[i] = (changed[i] ?? 0) ^ 1;
      expect((await refusalOf(changed, KEY)).message).toContain("does not fit its key");
    }
    expect(await openBlob(blob, KEY)).toBe("hi");
  });

  it("keeps a leading U+FEFF, which the text's commitment depends on", async () => {
    expect(await openBlob(await sealBlob("\ufeffbom", KEY), KEY)).toBe("\ufeffbom");
  });

  it("is different at each sealing of the same text", async () => {
    expect(bytesToHex(await sealBlob("x", KEY))).not.toBe(bytesToHex(await sealBlob("x", KEY)));
  });

  it("opens where it lies inside a longer buffer", async () => {
    const blob = await sealBlob("view", KEY);
    const buffer = new Uint8Array(blob.length + 9);
    buffer.set(blob, 5);
    expect(await openBlob(buffer.subarray(5, 5 + blob.length), KEY)).toBe("view");
  });

  it.each([0, 16, 24, 31, 33])("takes no key of %i bytes, although AES has shorter ones", async (length) => {
    await expect(sealBlob("x", new Uint8Array(length))).rejects.toThrow(RangeError);
    await expect(openBlob(new Uint8Array(28), new Uint8Array(length))).rejects.toThrow(RangeError);
  });
});
