import { createDecipheriv, createHash, hkdfSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { NodeError } from "./errors.ts";
import { systemRandom } from "./ports.ts";
import { Secret } from "./secret.ts";
import { createVault, storageKeyBytes } from "./vault.ts";

const KEY_A = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const KEY_B = "f0".repeat(32);
const KEY_C = "3c".repeat(32);
const PLAIN = new TextEncoder().encode("thirty-two bytes of an output key");
const ROW = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed/job-1";

function vaultWith(...keys: string[]) {
  return createVault({ keys: keys.map((key) => new Secret(key)), random: systemRandom });
}

async function refusal(promise: Promise<unknown>): Promise<NodeError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof NodeError)) throw new Error("no NodeError was thrown");
  return error;
}

describe("an envelope", () => {
  it("opens to what was sealed, for any length", async () => {
    const vault = vaultWith(KEY_A);
    for (const length of [0, 1, 2, 3, 32, 1000]) {
      const plain = systemRandom(length);
      expect(await vault.open("output-key", ROW, await vault.seal("output-key", ROW, plain))).toEqual(plain);
    }
  });

  it("is what its description says, as another implementation reads it", async () => {
    const envelope = await vaultWith(KEY_A).seal("permit", ROW, PLAIN);
    const [version, keyId, body] = envelope.split(".");
    const derive = (info: string) => Buffer.from(hkdfSync("sha256", Buffer.from(KEY_A, "hex"), "", info, 32));
    const bytes = Buffer.from(body ?? "", "base64url");
    const key = derive("blindference-edge/vault/1/permit");
    const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12));
    decipher.setAAD(Buffer.from(JSON.stringify(["v1", "permit", ROW])));
    decipher.setAuthTag(bytes.subarray(-16));
    const plain = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]);
    const id = createHash("sha256").update(derive("blindference-edge/vault-key-id/1")).digest("hex").slice(0, 8);
    expect([version, keyId, plain.toString()]).toEqual(["v1", id, new TextDecoder().decode(PLAIN)]);
  });

  it("differs each time, although the secret is the same", async () => {
    const vault = vaultWith(KEY_A);
    expect(await vault.seal("p", ROW, PLAIN)).not.toBe(await vault.seal("p", ROW, PLAIN));
  });

  it("opens with the same key written in hex, with 0x, in base64 or in base64url", async () => {
    const envelope = await vaultWith(KEY_A).seal("p", ROW, PLAIN);
    const bytes = Buffer.from(KEY_A, "hex");
    for (const form of [KEY_A.toUpperCase(), `0x${KEY_A}`, bytes.toString("base64"), bytes.toString("base64url")]) {
      expect(await vaultWith(form).open("p", ROW, envelope)).toEqual(PLAIN);
    }
  });
});

describe("rotation", () => {
  it("opens what a previous key sealed, seals with the current one, and says what to wrap again", async () => {
    const old = await vaultWith(KEY_A).seal("p", ROW, PLAIN);
    const vault = vaultWith(KEY_B, KEY_C, KEY_A);
    expect(await vault.open("p", ROW, old)).toEqual(PLAIN);
    expect(await vault.needsRewrap(old)).toBe(true);
    const fresh = await vault.seal("p", ROW, PLAIN);
    expect(await vault.needsRewrap(fresh)).toBe(false);
    expect(await vaultWith(KEY_B).open("p", ROW, fresh)).toEqual(PLAIN);
  });

  it("names the key that is missing and what to do about it", async () => {
    const envelope = await vaultWith(KEY_A).seal("p", ROW, PLAIN);
    const keyId = envelope.split(".")[1] ?? "none";
    const vault = vaultWith(KEY_B);
    // Called one after the other: a promise that nobody waits for yet would count as unhandled.
    for (const call of [() => vault.open("p", ROW, envelope), () => vault.needsRewrap(envelope)]) {
      const error = await refusal(call());
      expect(error).toMatchObject({ code: "storage-key", retry: "never", admitted: "no" });
      expect(error.message).toContain(keyId);
      expect(error.hint).toMatch(new RegExp(`${keyId}.*BLF_STORAGE_KEY_PREVIOUS`));
    }
  });
});

describe("a vault refuses", () => {
  it("an envelope under another row's identity", async () => {
    const vault = vaultWith(KEY_A);
    const envelope = await vault.seal("p", ROW, PLAIN);
    expect((await refusal(vault.open("p", ROW.replace("job-1", "job-2"), envelope))).code).toBe("storage-key");
  });

  it("an envelope made for another purpose, however purpose and identity are joined", async () => {
    const vault = vaultWith(KEY_A);
    const envelope = await vault.seal("a", "b/c", PLAIN);
    for (const [purpose, identity] of [
      ["b", "b/c"],
      ["a/b", "c"],
      ["a/b/c", ""],
    ] as const) {
      expect((await refusal(vault.open(purpose, identity, envelope))).code).toBe("storage-key");
    }
  });

  it("an envelope with any one character changed, cut or added", async () => {
    const vault = vaultWith(KEY_A);
    const envelope = await vault.seal("p", ROW, PLAIN.subarray(0, 3));
    const changed = Array.from(envelope).flatMap((char, at) => [
      envelope.slice(0, at) + (char === "A" ? "B" : "A") + envelope.slice(at + 1),
      envelope.slice(0, at) + String.fromCharCode(char.charCodeAt(0) ^ 1) + envelope.slice(at + 1),
      envelope.slice(0, at) + envelope.slice(at + 1),
    ]);
    const others = changed.filter((text) => text !== envelope);
    for (const text of [...others, `${envelope}A`, `${envelope}=`, ` ${envelope}`, `${envelope}\n`, "", "v1", "v1.."]) {
      expect((await refusal(vault.open("p", ROW, text))).code, text).toBe("storage-key");
    }
  });

  it("an envelope whose unused last bits were changed", async () => {
    const vault = vaultWith(KEY_A);
    // 12 + 3 + 16 = 31 bytes leave four unused bits in the last character.
    const envelope = await vault.seal("p", ROW, PLAIN.subarray(0, 3));
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const last = alphabet.indexOf(envelope.at(-1) ?? "");
    const twin = envelope.slice(0, -1) + alphabet[last ^ 1];
    const bytesOf = (text: string) => Buffer.from(text.split(".")[2] ?? "", "base64url");
    expect(bytesOf(twin)).toEqual(bytesOf(envelope));
    expect((await refusal(vault.open("p", ROW, twin))).code).toBe("storage-key");
  });

  it.each([
    ["no key", []],
    ["a key that is too short", [KEY_A.slice(2)]],
    ["a key that is no hex", ["g".repeat(64)]],
    ["a second key that is malformed", [KEY_A, "x"]],
  ])("to be made with %s", (_, keys) => {
    expect(() => vaultWith(...keys)).toThrow(expect.objectContaining({ code: "storage-key", retry: "never" }));
  });

  it("without saying anything of the keys or the secret", async () => {
    const vault = vaultWith(KEY_A);
    const envelope = await vault.seal("p", ROW, PLAIN);
    const errors = [
      await refusal(vault.open("p", "other", envelope)),
      await refusal(vaultWith(KEY_B).open("p", ROW, envelope)),
      await refusal(vault.open("p", ROW, "v1.nonsense")),
    ];
    for (const { message, hint, cause } of errors) {
      expect(message + hint).not.toMatch(new RegExp(`${KEY_A}|${KEY_B}|output key|nonsense`));
      expect(cause).toBeUndefined();
    }
  });
});

describe("a storage key", () => {
  it.each(["", "0x", KEY_A.slice(1), `${KEY_A}0`, "A".repeat(42), "A".repeat(45), `${"A".repeat(42)}B`])(
    "cannot be %j",
    (text) => {
      expect(storageKeyBytes(text)).toBeNull();
    },
  );
});
