/** The RFC's own examples, by the parts that this project signs and verifies with. */
import { createSignature, type FieldOccurrence, type MessageDescriptor, verifySignature } from "http-message-sig";
import { describe, expect, it } from "vitest";
import vectors from "../../test/vectors/rfc9421.json" with { type: "json" };
import { Secret } from "../secret.ts";
import { contentDigest, digestFits } from "./digest.ts";
import { publicKeyOf, signingKey, verifyingKey } from "./keys.ts";

const { ed25519, eccP256, testRequest, b26, b4, reqres } = vectors;
const hexOf = (base64Url: string) =>
  Array.from(atob(base64Url.replaceAll("-", "+").replaceAll("_", "/")), (char) =>
    char.charCodeAt(0).toString(16).padStart(2, "0"),
  ).join("");
const seed = new Secret(hexOf(ed25519.privateJwk.d));
const publicKey = hexOf(ed25519.privateJwk.x);
const request = { kind: "request", ...testRequest } as const;

const signed = ({ signatureInput, signature }: { signatureInput: string; signature: string }): FieldOccurrence[] => [
  { name: "signature-input", value: signatureInput },
  { name: "signature", value: signature },
];
const isValid = (message: MessageDescriptor) =>
  verifySignature(message, {
    policy: { algorithms: ["ed25519"], requiredComponents: [], requiredParameters: [] },
    resolveVerifier: () => verifyingKey(ed25519.keyid, publicKey),
  }).then(
    () => true,
    () => false,
  );

describe("RFC 9421, B.1.4 and B.2.6", () => {
  it("the seed gives the public key", async () => {
    expect(await publicKeyOf(seed)).toBe(publicKey);
  });

  it("the signature base and the signature are the RFC's, to the byte", async () => {
    const bases: string[] = [];
    const key = signingKey(ed25519.keyid, seed);
    const signer = {
      algorithm: key.algorithm,
      sign(data: Uint8Array) {
        bases.push(new TextDecoder().decode(data));
        return key.sign(data);
      },
    };
    const { label, components, parameters } = b26;
    expect(await createSignature(request, { label, components, parameters, signer })).toEqual({
      signatureInput: b26.signatureInput,
      signature: b26.signature,
    });
    expect(bases).toEqual([b26.base.join("\n")]);
  });

  it("the RFC's signature is taken, and with any byte of it changed it is not", async () => {
    expect(await isValid({ ...request, fields: [...request.fields, ...signed(b26)] })).toBe(true);
    const bytes = atob(b26.signature.slice("sig-b26=:".length, -1));
    for (let index = 0; index < bytes.length; index++) {
      const changed = Array.from(bytes, (char, at) =>
        at === index ? String.fromCharCode(char.charCodeAt(0) ^ 1) : char,
      );
      const signature = `sig-b26=:${btoa(changed.join(""))}:`;
      expect(await isValid({ ...request, fields: [...request.fields, ...signed({ ...b26, signature })] })).toBe(false);
    }
  });
});

describe("RFC 9421, B.4", () => {
  it.each(b4.messages)("$name: $valid", async ({ valid, method, targetUri, fields }) => {
    expect(await isValid({ kind: "request", method, targetUri, fields: [...fields, ...signed(b4)] })).toBe(valid);
  });
});

describe("RFC 9421, 2.4: a response bound to its request", () => {
  const response = { kind: "response", status: reqres.status, fields: [...reqres.fields, ...signed(reqres)] } as const;

  const isTaken = async (message: MessageDescriptor) => {
    const spki = Uint8Array.from(atob(eccP256.publicSpki), (char) => char.charCodeAt(0));
    const ecdsa = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("spki", spki, ecdsa, false, ["verify"]);
    return verifySignature(message, {
      policy: { algorithms: ["ecdsa-p256-sha256"], requiredComponents: [], requiredParameters: [] },
      resolveVerifier: () => ({
        algorithm: "ecdsa-p256-sha256",
        verify: (data, signature) =>
          crypto.subtle.verify(ecdsa, key, Uint8Array.from(signature), Uint8Array.from(data)),
      }),
    }).then(
      () => true,
      () => false,
    );
  };

  it("is taken with the request that it answers", async () => {
    expect(await isTaken({ ...response, request })).toBe(true);
  });

  it.each([
    ["another authority", { ...request, targetUri: "https://example.org/foo?param=Value&Pet=dog" }],
    ["another path", { ...request, targetUri: "https://example.com/bar" }],
    ["another method", { ...request, method: "PUT" }],
    ["no digest", { ...request, fields: request.fields.filter(({ name }) => name !== "content-digest") }],
  ])("is refused with a request of %s", async (_, other) => {
    expect(await isTaken({ ...response, request: other })).toBe(false);
  });

  it("is refused without a request, and with another status", async () => {
    expect(await isTaken(response)).toBe(false);
    expect(await isTaken({ ...response, request, status: 200 })).toBe(false);
  });
});

describe("RFC 9530, appendix B", () => {
  it.each([
    ["B.1, all of it", '{"hello": "world"}\n', "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"],
    ["B.2, nothing", "", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"],
    ["B.3, a part of it", '"world"}\n', "sha-256=:jjcgBDWNAtbYUXI37CVG3gRuGOAjaaDRGpIUFsdyepQ=:"],
    ["B.7, a title", '{"title": "New Title"}\n', "sha-256=:mEkdbO7Srd9LIOegftO0aBX+VPTVz7/CSHes2Z27gc4=:"],
  ])("%s", async (_, content, header) => {
    const bytes = Uint8Array.from(new TextEncoder().encode(content));
    expect(await contentDigest(bytes)).toBe(header);
    expect(await digestFits(header, bytes)).toBe(true);
  });

  it.each([
    ["absent", null],
    ["empty", ""],
    ["without padding", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU:"],
    [
      "of another algorithm",
      "sha-512=:z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==:",
    ],
    ["with a second member", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:, sha-256=:AAAA:"],
    ["of other content", "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"],
  ])("a digest that is %s fits nothing", async (_, header) => {
    expect(await digestFits(header, new Uint8Array(0))).toBe(false);
  });
});
