/**
 * The Worker's side of the sidecar's wire in workerd: its WebCrypto signs and verifies Ed25519 as the RFC has it, its
 * headers and URLs keep what was signed, and a client gets through a real fetch.
 */
import { createSignature, type FieldOccurrence, verifySignature } from "http-message-sig";
import { describe, expect, it } from "vitest";
import { systemRandom } from "../../core/ports.ts";
import { Secret } from "../../core/secret.ts";
import { contentDigest } from "../../core/sidecar/digest.ts";
import { publicKeyOf, signingKey, verifyingKey } from "../../core/sidecar/keys.ts";
import { verifyRequest } from "../../core/sidecar/request-signature.ts";
import { type Answer, ask, NOW_MS, otherSeed, signedAnswer } from "../../core/sidecar/signed-answers.ts";
import vectors from "../vectors/rfc9421.json" with { type: "json" };

const NODE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const { ed25519, testRequest, b26, b4 } = vectors;
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
const withSignature = (bytes: string) => (answer: Answer) => {
  const headers = new Headers(answer.headers);
  headers.set("signature", `blf=:${bytes}:`);
  return { ...answer, headers };
};
const policy = { algorithms: ["ed25519"], requiredComponents: [], requiredParameters: [] };
const resolveVerifier = () => verifyingKey(ed25519.keyid, publicKey);

describe("in workerd", () => {
  it("the RFC's key, B.2.6, comes out to the byte, and is verified", async () => {
    expect(await publicKeyOf(seed)).toBe(publicKey);
    const { label, components, parameters } = b26;
    const signer = signingKey(ed25519.keyid, seed);
    const fields = await createSignature(request, { label, components, parameters, signer });
    expect(fields).toEqual({ signatureInput: b26.signatureInput, signature: b26.signature });
    const message = { ...request, fields: [...request.fields, ...signed(b26)] };
    expect((await verifySignature(message, { policy, resolveVerifier })).label).toBe("sig-b26");
  });

  it.each(b4.messages)("B.4, $name: $valid", async ({ valid, method, targetUri, fields }) => {
    const message = { kind: "request", method, targetUri, fields: [...fields, ...signed(b4)] } as const;
    const taken = await verifySignature(message, { policy, resolveVerifier }).then(
      () => true,
      () => false,
    );
    expect(taken).toBe(valid);
  });

  it("RFC 9530's digest of nothing is what it must be", async () => {
    expect(await contentDigest(new Uint8Array(0))).toBe("sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
  });

  it("a request that the client sends is one that the sidecar takes, and its answer is believed", async () => {
    const workerKey = verifyingKey("worker-1", await publicKeyOf(new Secret("11".repeat(32))));
    const { client } = await ask(async (sent) => {
      expect(await verifyRequest(sent, [workerKey], NOW_MS)).toMatchObject({ ok: true });
      return signedAnswer(sent, { body: '{"state":"unknown"}' });
    });
    for (const jobId of ["0xjob", "a/b", "a%2Fb", "é 漢", "?&=#"]) {
      expect(await client.pollExecution({ node: NODE, jobId, role: "leader" })).toEqual({ state: "unknown" });
    }
    expect(await client.outputKey({ node: NODE, jobId: "1" }).catch(({ code }) => code)).toBe("sidecar-malformed");
  });

  it.each<[string, Parameters<typeof signedAnswer>[1], string]>([
    ["another status", { onTheWay: (answer) => ({ ...answer, status: 202 }) }, "forged"],
    ["other content", { onTheWay: (answer) => ({ ...answer, body: "other" }) }, "digest"],
    ["another key", { seed: otherSeed }, "key"],
    ["another request", { request: (sent) => ({ ...sent, method: "POST" }) }, "forged"],
    ["a signature of no bytes", { onTheWay: withSignature("") }, "empty"],
    ["a signature of too few bytes", { onTheWay: withSignature("AAAA") }, "forged"],
    ["a signature of too many bytes", { onTheWay: withSignature("A".repeat(200)) }, "forged"],
  ])("an answer with %s is not believed", async (_, how, fault) => {
    const { client } = await ask((sent) => signedAnswer(sent, how));
    const error = await client.metrics().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "sidecar-malformed" });
    expect(String(error)).toContain(`is refused: ${fault}`);
  });

  it("a Worker goes through its own fetch: what answers there is not the sidecar, and is told apart", async () => {
    const { client } = await ask(async () => new Error("unused"), {
      url: "https://nothing.example.com",
      fetch,
      random: systemRandom,
    });
    // The tests' network refuses every host but loopback, with a status of its own.
    const error = await client.outputKey({ node: NODE, jobId: "1" }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "sidecar-unreachable", retry: "later", admitted: "unknown" });
    expect(String(error)).toContain("answered 599 without the sidecar's signature");
  });
});
