import { constants, createDecipheriv, createHmac, generateKeyPairSync, privateDecrypt } from "node:crypto";
import { hexToBytes } from "viem/utils";
import { describe, expect, it } from "vitest";
import recorded from "../../test/swtpm/recorded.json" with { type: "json" };
import { systemRandom } from "../ports.ts";
import { concat, MalformedEvidence } from "./bytes.ts";
import { decodeEnvelope } from "./envelope.ts";
import { type Credential, credentialFile, makeCredential } from "./tpm-credential.ts";
import { nameOf, parsePublic, type TpmPublic } from "./tpm-structures.ts";

const { evidence } = decodeEnvelope(hexToBytes(`0x${recorded.quote}`));
if (evidence.backend !== "tpm") throw new Error("the recorded envelope is not a TPM's");
const AK = parsePublic(evidence.tpm.akPublic);
const AK_NAME = await nameOf(AK);
const SECRET = Uint8Array.from({ length: 32 }, (_, at) => at + 1);

/** An endorsement key whose private half the test holds. */
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const EK: TpmPublic = {
  ...parsePublic(evidence.tpm.ekPublic),
  kind: "rsa",
  modulus: Uint8Array.from(Buffer.from(publicKey.export({ format: "jwk" }).n ?? "", "base64url")),
  exponent: 65_537,
  wrapBits: 128,
};

/** What a TPM does (Library, part 3, TPM2_ActivateCredential), with Node's parts. */
function activate({ idObject, encryptedSecret }: Credential, name: Uint8Array): Buffer {
  const oaep = { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" };
  const seed = privateDecrypt({ ...oaep, oaepLabel: Buffer.from("IDENTITY\0") }, encryptedSecret);
  const derive = (label: string, context: Uint8Array, bits: number) => {
    const counter = Buffer.from([0, 0, 0, 1]);
    const size = Buffer.from([0, 0, bits >> 8, bits & 0xff]);
    const hmac = createHmac("sha256", seed).update(counter).update(`${label}\0`).update(context).update(size);
    return hmac.digest().subarray(0, bits / 8);
  };
  const integrity = Buffer.from(idObject.slice(2, 34));
  const encrypted = idObject.slice(34);
  const key = derive("INTEGRITY", Buffer.alloc(0), 256);
  if (!createHmac("sha256", key).update(encrypted).update(name).digest().equals(integrity))
    throw new Error("integrity");
  const cipher = createDecipheriv("aes-128-cfb", derive("STORAGE", name, 128), Buffer.alloc(16));
  const sized = Buffer.concat([cipher.update(encrypted), cipher.final()]);
  return sized.subarray(2, 2 + sized.readUInt16BE());
}

describe("a credential", () => {
  it.each([1, 14, 15, 16, 31, 32])("of %i bytes is given out for the key it was made for", async (length) => {
    const secret = SECRET.slice(0, length);
    const credential = await makeCredential(EK, AK_NAME, secret, systemRandom);
    expect(Uint8Array.from(activate(credential, AK_NAME))).toEqual(secret);
  });

  it("is given out for no other key", async () => {
    const credential = await makeCredential(EK, AK_NAME, SECRET, systemRandom);
    const other = await nameOf(parsePublic(evidence.tpm.ekPublic));
    expect(() => activate(credential, other)).toThrow("integrity");
  });

  it("is another every time", async () => {
    const [a, b] = await Promise.all([1, 2].map(() => makeCredential(EK, AK_NAME, SECRET, systemRandom)));
    expect(a?.encryptedSecret).not.toEqual(b?.encryptedSecret);
    expect(a?.idObject).not.toEqual(b?.idObject);
  });

  it("is written as tpm2-tools reads it", () => {
    const file = credentialFile({ idObject: Uint8Array.of(1, 2), encryptedSecret: Uint8Array.of(3) });
    const header = Uint8Array.of(0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1);
    expect(file).toEqual(concat(header, Uint8Array.of(0, 2, 1, 2), Uint8Array.of(0, 1, 3)));
  });

  it.each<[string, TpmPublic]>([
    ["a key that signs", { ...EK, wrapBits: null }],
    ["a key on a curve", { ...AK, wrapBits: 128 }],
    ["a key that does not decrypt", { ...EK, attributes: AK.attributes }],
  ])("cannot be made for %s", async (_name, key) => {
    await expect(makeCredential(key, AK_NAME, SECRET, systemRandom)).rejects.toThrow(MalformedEvidence);
  });

  it.each([0, 33])("cannot hold %i bytes", async (length) => {
    await expect(makeCredential(EK, AK_NAME, new Uint8Array(length), systemRandom)).rejects.toThrow(RangeError);
  });
});
