/**
 * Forged requests against the running sidecar. Each is made from a request that would be taken; each is refused like any
 * stranger's, and the log names the reason.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { COVERED, TAG } from "../../core/sidecar/protocol.ts";
import { NODE, OTHER_NODE } from "./fake-service.ts";
import {
  adding,
  deliverTo,
  digestOf,
  fieldOf,
  genuine,
  type Sent,
  STRANGER,
  signedAs,
  startTarget,
  type Target,
  withField,
  without,
} from "./forge.ts";
import { nextWorkerSeed, ORIGIN } from "./test-rig.ts";

let target: Target;
beforeEach(async () => {
  target = await startTarget();
});
afterEach(() => target.server.close());
const deliver = (request: Sent) => deliverTo(target, request);

it("the request that every forged one is made from is taken", async () => {
  expect(await deliver(await genuine())).toEqual({ status: 202, code: "none", signed: true, reason: undefined });
});

it("it is taken whatever a proxy adds to it, in letters that no signature base could hold too", async () => {
  const request = adding(await genuine(), "cf-ipcity", Buffer.from("Zürich").toString("latin1"));
  expect(await deliver(request)).toMatchObject({ status: 202, signed: true });
});

describe("a request with no signature, or an empty one, is refused before anything else", () => {
  it.each<[string, string, (request: Sent) => Sent]>([
    ["neither field", "missing", (r) => without(without(r, "signature"), "signature-input")],
    ["no Signature", "missing", (r) => without(r, "signature")],
    ["no Signature-Input", "missing", (r) => without(r, "signature-input")],
    ["an empty Signature", "empty", (r) => withField(r, "signature", () => "")],
    ["an empty Signature-Input", "empty", (r) => withField(r, "signature-input", () => "")],
    ["a Signature of no bytes", "empty", (r) => withField(r, "signature", () => "blf=::")],
    ["a Signature-Input of nothing", "empty", (r) => withField(r, "signature-input", () => "blf=()")],
  ])("%s", async (_, reason, forge) => {
    expect(await deliver(forge(await genuine()))).toEqual({ ...STRANGER, reason });
  });
});

describe("a request of which any covered part is altered does not fit its signature", () => {
  it.each<[string, (request: Sent) => Sent | Promise<Sent>]>([
    ["the method", (r) => ({ ...r, method: "PUT" })],
    ["the path", (r) => ({ ...r, targetUri: `${ORIGIN}/v1/attest` })],
    ["the path's spelling", (r) => ({ ...r, targetUri: `${ORIGIN}/v1/output%2Dkeys` })],
    ["the query", (r) => ({ ...r, targetUri: `${r.targetUri}?a=1` })],
    ["the content type", (r) => withField(r, "content-type", () => "text/plain")],
    [
      "the digest, with the content",
      async (r) => {
        const body = JSON.stringify({ node: NODE, jobId: "job 2" });
        const digest = await digestOf(body);
        return { ...withField(r, "content-digest", () => digest), body };
      },
    ],
    ["the node", (r) => withField(r, "blf-node", () => OTHER_NODE)],
    ["the job", (r) => withField(r, "blf-job", () => "job%202")],
    ["the attempt", (r) => withField(r, "blf-attempt", () => "2")],
    [
      "the signature",
      (r) => withField(r, "signature", (value) => value.replace(/:(.)/, (_, c) => `:${c === "A" ? "B" : "A"}`)),
    ],
    ["created", (r) => withField(r, "signature-input", (value) => value.replace(/created=\d+/, "created=1767700801"))],
    ["expires", (r) => withField(r, "signature-input", (value) => value.replace(/expires=\d+/, "expires=1767700859"))],
    ["the nonce", (r) => withField(r, "signature-input", (value) => value.replace("nonce-0", "nonce-1"))],
    [
      "the order of what is covered",
      (r) =>
        withField(r, "signature-input", (value) => value.replace('"@method" "@authority"', '"@authority" "@method"')),
    ],
    ["a parameter more", (r) => withField(r, "signature-input", (value) => `${value};more=1`)],
    ["a node said twice", (r) => adding(r, "blf-node", OTHER_NODE)],
    ["a job said twice", (r) => adding(r, "blf-job", "job%202")],
    ["a digest said twice", (r) => adding(r, "content-digest", "sha-256=:AAAA:")],
  ])("%s", async (_, forge) => {
    expect(await deliver(await forge(await genuine()))).toEqual({ ...STRANGER, reason: "forged" });
  });

  it.each(["AAAA", "A".repeat(84), `${"A".repeat(86)}==`, "A".repeat(88), "A".repeat(2_000)])(
    "a signature of other bytes, %s",
    async (bytes) => {
      const request = withField(await genuine(), "signature", () => `blf=:${bytes}:`);
      expect(await deliver(request)).toEqual({ ...STRANGER, reason: "forged" });
    },
  );

  it("another key under the Worker's name", async () => {
    expect(await deliver(await signedAs({ seed: nextWorkerSeed }))).toEqual({ ...STRANGER, reason: "forged" });
  });

  it("one node's signature on another node's request", async () => {
    const body = JSON.stringify({ node: OTHER_NODE, jobId: "job 1" });
    const other = await genuine({ body, about: { node: OTHER_NODE, jobId: "job 1" } });
    const own = await genuine();
    const signature = fieldOf(own, "signature");
    const input = fieldOf(own, "signature-input");
    const forged = withField(
      withField(other, "signature", () => signature),
      "signature-input",
      () => input,
    );
    expect(await deliver(forged)).toEqual({ ...STRANGER, reason: "forged" });
  });
});

describe("a request for another sidecar is refused", () => {
  it("sent on as it was, with the other's host", async () => {
    const request = await genuine({ url: "https://other.example.com/v1/output-keys" });
    expect(await deliver(request)).toEqual({ ...STRANGER, reason: "authority" });
  });

  it("that says it is nowhere", async () => {
    const request = await genuine({ url: "https://unknown.invalid/v1/output-keys" });
    expect(await deliver(request)).toMatchObject({ ...STRANGER, reason: "authority" });
  });

  it("and without a signature for lack of that", async () => {
    const request = await genuine({ url: "https://other.example.com/v1/output-keys" });
    expect(await deliver(without(request, "signature"))).toEqual({ ...STRANGER, reason: "missing" });
  });

  it("sent on with this one's host", async () => {
    const request = await genuine({ url: "https://other.example.com/v1/output-keys" });
    expect(await deliver({ ...request, targetUri: `${ORIGIN}/v1/output-keys` })).toEqual({
      ...STRANGER,
      reason: "forged",
    });
  });
});

describe("a covered header that is dropped is missed", () => {
  it.each(["content-digest", "content-type", "blf-node", "blf-job", "blf-attempt"])("%s", async (name) => {
    expect(await deliver(without(await genuine(), name))).toEqual({ ...STRANGER, reason: "component" });
  });
});

describe("a signature by the Worker's key that covers too little is refused", () => {
  it.each([...COVERED])("without %s", async (name) => {
    const request = await signedAs({ components: COVERED.filter((other) => other !== name) });
    expect(await deliver(request)).toEqual({ ...STRANGER, reason: "component" });
  });

  it.each(["created", "expires", "nonce", "keyid", "tag"])("without %s", async (name) => {
    const request = await signedAs({ parameters: { [name]: undefined } });
    expect(await deliver(request)).toEqual({ ...STRANGER, reason: "parameter" });
  });

  it.each([
    ["an empty nonce", { nonce: "" }],
    ["a short nonce", { nonce: "short" }],
    ["a nonce of other characters", { nonce: "nonce with a blank in it" }],
  ])("with %s", async (_, parameters) => {
    expect(await deliver(await signedAs({ parameters }))).toEqual({ ...STRANGER, reason: "parameter" });
  });

  it.each([
    ["another tag", { tag: "blf-sidecar/2" }, "tag"],
    ["another key's name", { keyid: "worker-9" }, "key"],
    ["an empty name", { keyid: "" }, "parameter"],
  ])("with %s", async (_, parameters, reason) => {
    expect(await deliver(await signedAs({ parameters }))).toEqual({ ...STRANGER, reason });
  });

  it.each(["hmac-sha256", "rsa-pss-sha512", "ecdsa-p256-sha256", "none", ""])(
    "said to be of the algorithm %j",
    async (alg) => {
      const request = withField(await genuine(), "signature-input", (value) => `${value};alg="${alg}"`);
      expect(await deliver(request)).toEqual({ ...STRANGER, reason: "algorithm" });
    },
  );

  it("the algorithm may be named, if it is ours", async () => {
    expect(await deliver(await signedAs({ parameters: { alg: "ed25519" } }))).toMatchObject({ signed: true });
  });
});

describe("exactly one signature is taken", () => {
  it("two of two names, in one field each", async () => {
    const [one, two] = [await signedAs({ label: "a" }), await signedAs({ label: "b" })];
    const forged = ["signature", "signature-input"].reduce(
      (request, name) => withField(request, name, (value) => `${value}, ${fieldOf(two, name)}`),
      one,
    );
    expect(await deliver(forged)).toEqual({ ...STRANGER, reason: "several" });
  });

  it("two of two names, in two fields each", async () => {
    const [one, two] = [await signedAs({ label: "a" }), await signedAs({ label: "b" })];
    const forged = ["signature", "signature-input"].reduce(
      (request, name) => adding(request, name, fieldOf(two, name)),
      one,
    );
    expect(await deliver(forged)).toEqual({ ...STRANGER, reason: "several" });
  });

  it.each<[string, (request: Sent) => Sent]>([
    [
      "two of one name",
      (r) => adding(adding(r, "signature", fieldOf(r, "signature")), "signature-input", fieldOf(r, "signature-input")),
    ],
    ["one field twice", (r) => adding(r, "signature", "blf=:AAAA:")],
    ["names that do not belong together", (r) => withField(r, "signature", (value) => value.replace("blf", "other"))],
    ["no structured field", (r) => withField(r, "signature-input", () => "blf=(((")],
    ["a text for a signature", (r) => withField(r, "signature", () => 'blf="AAAA"')],
    ["a parameter twice", (r) => withField(r, "signature-input", (value) => `${value};tag="${TAG}"`)],
    [
      "a time that is a text",
      (r) => withField(r, "signature-input", (value) => value.replace(/created=\d+/, 'created="1"')),
    ],
    [
      "a time with a fraction",
      (r) => withField(r, "signature-input", (value) => value.replace(/created=(\d+)/, "created=$1.5")),
    ],
  ])("%s", async (_, forge) => {
    expect(await deliver(forge(await genuine()))).toEqual({ ...STRANGER, reason: "malformed" });
  });

  it.each<[string, (value: string) => string]>([
    ["a component twice", (value) => value.replace('("@method"', '("@method" "@method"')],
    ["a component of the response", (value) => value.replace('("@method"', '("@method";req')],
    ["a status", (value) => value.replace('("@method"', '("@status" "@method"')],
  ])("%s", async (_, forge) => {
    const request = withField(await genuine(), "signature-input", forge);
    expect(await deliver(request)).toEqual({ ...STRANGER, reason: "component" });
  });
});
