/** Another implementation of RFC 9421, by others, reads what this one writes, and writes what this one reads. */
import { createPrivateKey, createPublicKey, sign as signNode, verify as verifyNode } from "node:crypto";
import { httpbis } from "http-message-signatures";
import { describe, expect, it } from "vitest";
import { systemRandom } from "../ports.ts";
import { Secret } from "../secret.ts";
import { contentDigest } from "./digest.ts";
import { publicKeyOf, signingKey, verifyingKey } from "./keys.ts";
import { COVERED, JSON_TYPE, TAG } from "./protocol.ts";
import { aboutHeaders, describeRequest, signRequest, verifyRequest } from "./request-signature.ts";
import { describeResponse, signResponse, verifyResponse } from "./response-signature.ts";

const nowMs = Date.now();
const seed = new Secret(Buffer.from(systemRandom(32)).toString("hex"));
const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.from(seed.reveal(), "hex")]);
const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
const publicKey = createPublicKey(privateKey);
const nonce = "nonce-0123456789";
const url = "https://sidecar.example.com:8443/v1/executions/0xA/a%2Fb/leader?x=1&y";

const lookup = async () => ({
  id: "k",
  algs: ["ed25519"],
  verify: async (data: Buffer, signature: Buffer) => verifyNode(null, data, publicKey, signature),
});
const plainHeaders = async () => ({
  "content-type": JSON_TYPE,
  "content-digest": await contentDigest(new Uint8Array(0)),
  ...aboutHeaders({ node: "0xA", jobId: "a/b", attempt: 2 }),
});
const headersOf = (fields: readonly { name: string; value: string }[]) =>
  Object.fromEntries(fields.map(({ name, value }) => [name, value]));

describe("http-message-signatures", () => {
  it("takes a request that was signed here", async () => {
    const request = describeRequest("GET", url, new Headers(await plainHeaders()));
    const signed = await signRequest(request, signingKey("k", seed), { nowMs, nonce });
    const config = {
      keyLookup: lookup,
      requiredFields: [...COVERED],
      requiredParams: ["created", "expires", "nonce", "keyid", "tag"],
    };
    expect(await httpbis.verifyMessage(config, { method: "GET", url, headers: headersOf(signed.fields) })).toBe(true);
    const moved = { method: "GET", url: url.replace("leader", "verifier"), headers: headersOf(signed.fields) };
    expect(await httpbis.verifyMessage(config, moved)).toBe(false);
  });

  it("signs a request that is taken here", async () => {
    const key = { id: "k", alg: "ed25519", sign: async (data: Buffer) => signNode(null, data, privateKey) };
    const created = new Date(nowMs);
    const { headers } = await httpbis.signMessage(
      {
        key,
        fields: [...COVERED],
        params: ["created", "expires", "nonce", "keyid", "tag"],
        paramValues: { created, expires: new Date(nowMs + 60_000), nonce, tag: TAG },
      },
      { method: "GET", url, headers: await plainHeaders() },
    );
    const given = new Headers(Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]));
    const keys = [verifyingKey("k", await publicKeyOf(seed))];
    expect(await verifyRequest(describeRequest("GET", url, given), keys, nowMs)).toMatchObject({ ok: true });
  });

  it("takes a response that was signed here, with its request and with no other", async () => {
    const request = describeRequest("GET", url, new Headers(await plainHeaders()));
    const signed = await signRequest(request, signingKey("k", seed), { nowMs, nonce });
    const body = Uint8Array.from(new TextEncoder().encode("{}"));
    const headers = new Headers({ "content-type": JSON_TYPE, "content-digest": await contentDigest(body) });
    const signature = await signResponse(describeResponse(200, headers, signed), signingKey("k", seed), {
      nowMs,
      nonce,
    });
    const response = { status: 200, headers: { ...Object.fromEntries(headers), ...signature } };
    const asked = { method: "GET", url, headers: headersOf(signed.fields) };
    expect(await httpbis.verifyMessage({ keyLookup: lookup }, response, asked)).toBe(true);
    const other = { ...asked, url: url.replace("leader", "verifier") };
    expect(await httpbis.verifyMessage({ keyLookup: lookup }, response, other)).toBe(false);

    const described = describeResponse(200, new Headers(response.headers), signed);
    const keys = [verifyingKey("k", await publicKeyOf(seed))];
    expect(await verifyResponse(described, body, nonce, keys)).toMatchObject({ ok: true });
  });
});
