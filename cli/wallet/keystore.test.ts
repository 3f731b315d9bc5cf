import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Keystore from "ox/Keystore";
import { privateKeyToAccount } from "viem/accounts";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Secret } from "../../core/secret.ts";
import { addressOf, newPrivateKey, openKeystore, readKeystore, sealKeystore } from "./keystore.ts";
import { ETH_ACCOUNT_SAMPLE, KEYSTORE_SAMPLES, PBKDF2_SAMPLE } from "./keystore-samples.ts";

// geth's cost is a second of work, more on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const NAME = "the file";
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "keystore-"));
});
afterAll(() => rm(dir, { recursive: true }));

/** The sample's file with a part of it changed. */
function changed(
  change: (file: { crypto: Record<string, unknown> } & Record<string, unknown>) => void,
  text = PBKDF2_SAMPLE.text,
) {
  const file = JSON.parse(text);
  change(file);
  return JSON.stringify(file);
}

describe("files that others wrote", () => {
  it.each(KEYSTORE_SAMPLES)("opens a file of $from", async ({ text, password, privateKey }) => {
    const opened = await openKeystore(text, new Secret(password), NAME);
    expect(opened.reveal()).toBe(privateKey);
  });

  it("opens a file whose section is called Crypto, as older tools write it", async () => {
    const text = changed((file) => {
      file.Crypto = file.crypto;
      file.crypto = undefined as never;
    });
    expect((await openKeystore(text, new Secret("testpassword"), NAME)).reveal()).toBe(PBKDF2_SAMPLE.privateKey);
  });

  it("names the address without the password, and none where the file names none", () => {
    expect(addressOf(ETH_ACCOUNT_SAMPLE.text, NAME)).toBe("0xE6FF69353A16c9A5B139c79F6499D8AD74bFeceb");
    expect(addressOf(PBKDF2_SAMPLE.text, NAME)).toBeNull();
  });
});

describe("files of our own", () => {
  it("are read by an independent implementation, cost geth's standard, and name their address", async () => {
    const privateKey = newPrivateKey();
    const text = await sealKeystore(privateKey, new Secret("Käse und Brot"));
    const file = JSON.parse(text);
    expect(file.crypto.kdfparams).toMatchObject({ n: 262_144, r: 8, p: 1, dklen: 32 });
    expect(`0x${file.address}`).toBe(privateKeyToAccount(privateKey.reveal()).address.toLowerCase());
    const key = Keystore.toKey(file, { password: "Käse und Brot" });
    expect(Keystore.decrypt(file, key)).toBe(privateKey.reveal());
    expect((await openKeystore(text, new Secret("Käse und Brot"), NAME)).reveal()).toBe(privateKey.reveal());
    expect(text).not.toContain(privateKey.reveal().slice(2));
  });

  it("never share a salt, an initial vector or a key", async () => {
    const one = newPrivateKey();
    expect(newPrivateKey().reveal()).not.toBe(one.reveal());
    const [first, second] = [await sealKeystore(one, new Secret("p")), await sealKeystore(one, new Secret("p"))].map(
      (text) => JSON.parse(text),
    );
    expect(first.crypto.kdfparams.salt).not.toBe(second.crypto.kdfparams.salt);
    expect(first.crypto.cipherparams.iv).not.toBe(second.crypto.cipherparams.iv);
  });
});

describe("what does not open", () => {
  it("refuses a wrong password", async () => {
    const opening = openKeystore(PBKDF2_SAMPLE.text, new Secret("testpasswort"), NAME);
    await expect(opening).rejects.toMatchObject({
      exit: "usage",
      message: expect.stringContaining("password does not open"),
    });
  });

  it.each([
    ["no JSON", "{", /not JSON/],
    ["JSON that is no object", "null", /no keystore of version 3/],
    [
      "another version",
      changed((file) => {
        file.version = 1;
      }),
      /version/,
    ],
    [
      "another cipher",
      changed(({ crypto }) => {
        crypto.cipher = "aes-128-cbc";
      }),
      /crypto\.cipher/,
    ],
    [
      "another key derivation",
      changed(({ crypto }) => {
        crypto.kdf = "argon2id";
      }),
      /crypto\.kdf/,
    ],
    [
      "a ciphertext of more than a key",
      changed(({ crypto }) => {
        crypto.ciphertext = "00".repeat(33);
      }),
      /crypto\.ciphertext must be at most 32 bytes/,
    ],
    [
      "a vector of the wrong length",
      changed(({ crypto }) => {
        crypto.cipherparams = { iv: "00" };
      }),
      /crypto\.cipherparams\.iv must be 16 bytes/,
    ],
    [
      "a salt that is no hex",
      changed(({ crypto }) => {
        crypto.kdfparams = { ...(crypto.kdfparams as object), salt: "xyz" };
      }),
      /salt must be hex/,
    ],
    [
      "rounds beyond any tool's",
      changed(({ crypto }) => {
        crypto.kdfparams = { ...(crypto.kdfparams as object), c: 1e9 };
      }),
      /kdfparams\.c/,
    ],
    [
      "a changed ciphertext",
      changed(({ crypto }) => {
        crypto.ciphertext = `00${String(crypto.ciphertext).slice(2)}`;
      }),
      /or the file was changed/,
    ],
    [
      "a changed address",
      changed((file) => {
        file.address = `${"00".repeat(19)}01`;
      }),
      /holds the key of 0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b/,
    ],
    [
      "an address that is none",
      changed((file) => {
        file.address = "nobody";
      }),
      /address cannot be read/,
    ],
    [
      "a memory cost that would fill the machine",
      changed(({ crypto }) => {
        crypto.kdfparams = { ...(crypto.kdfparams as object), n: 2 ** 24, r: 8 };
      }, ETH_ACCOUNT_SAMPLE.text),
      /scrypt parameters are out of range/,
    ],
    [
      "a cost that is no power of two",
      changed(({ crypto }) => {
        crypto.kdfparams = { ...(crypto.kdfparams as object), n: 1000 };
      }, ETH_ACCOUNT_SAMPLE.text),
      /scrypt parameters are out of range/,
    ],
  ])("refuses %s, and says what it is", async (_what, text, message) => {
    await expect(openKeystore(text, new Secret("testpassword"), NAME)).rejects.toMatchObject({
      name: "CliError",
      exit: "usage",
      message: expect.stringMatching(message),
    });
  });

  it("refuses a file that holds no key of the curve", async () => {
    const [key, options] = Keystore.pbkdf2({ password: "p", iterations: 1 });
    const zero = JSON.stringify(Keystore.encrypt(`0x${"00".repeat(32)}`, key, options));
    await expect(openKeystore(zero, new Secret("p"), NAME)).rejects.toMatchObject({
      name: "CliError",
      message: expect.stringContaining("no private key"),
    });
  });

  it("says where a file is missing", async () => {
    await expect(readKeystore(join(dir, "none.json"))).rejects.toMatchObject({
      message: expect.stringContaining("There is no keystore"),
    });
  });

  it("says that a folder is no keystore", async () => {
    await expect(readKeystore(dir)).rejects.toMatchObject({
      message: expect.stringContaining("cannot be read (EISDIR)"),
    });
  });
});
