import { component, componentIdentity } from "http-message-sig";
import { describe, expect, it } from "vitest";
import { NodeError } from "../errors.ts";
import { Secret } from "../secret.ts";
import { createSidecarClient } from "./client.ts";
import { publicKeyOf } from "./keys.ts";
import { COVERED } from "./protocol.ts";
import type { RequestDescriptor } from "./request-signature.ts";
import { RESPONSE_COMPONENTS } from "./response-signature.ts";
import { type Answer, ask, type How, NOW_MS, nonceOf, otherSeed, sidecarSeed, signedAnswer } from "./signed-answers.ts";

const NODE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

async function failureOf(work: Promise<unknown>): Promise<NodeError> {
  const error = await work.then(
    () => new Error("it succeeded"),
    (thrown: unknown) => thrown,
  );
  if (error instanceof NodeError) return error;
  throw error;
}

/** The error of a client whose sidecar answers so. */
async function answered(how: How): Promise<NodeError> {
  const { client } = await ask((sent) => signedAnswer(sent, how));
  return failureOf(client.metrics());
}

const header = (name: string, change: (value: string) => string | null) => (answer: Answer) => {
  const headers = new Headers(answer.headers);
  const value = change(headers.get(name) ?? "");
  headers.delete(name);
  if (value !== null) headers.set(name, value);
  return { ...answer, headers };
};
const input = (change: (value: string) => string) => header("signature-input", change);
const forged = (fault: string) => ({
  code: "sidecar-malformed",
  retry: "later",
  message: `metrics: the signature of sidecar.example.com's answer is refused: ${fault}`,
});

it("an answer that the sidecar signed for this request is believed", async () => {
  const { client } = await ask((sent) => signedAnswer(sent));
  expect(await client.metrics()).toBe("metrics");
});

describe("an answer of which anything is altered on the way is not believed", () => {
  it.each<[string, string, (answer: Answer) => Answer]>([
    ["its status", "forged", (answer) => ({ ...answer, status: 202 })],
    ["its status, to a refusal", "forged", (answer) => ({ ...answer, status: 422 })],
    ["its content", "digest", (answer) => ({ ...answer, body: "other" })],
    ["its content, cut", "digest", (answer) => ({ ...answer, body: "metric" })],
    ["its content, gone", "digest", (answer) => ({ ...answer, body: "" })],
    ["its digest", "forged", header("content-digest", () => "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")],
    ["its digest, said twice", "forged", header("content-digest", (value) => `${value}, ${value}`)],
    ["its type", "forged", header("content-type", () => "application/json")],
    ["its signature", "forged", header("signature", (v) => v.replace(/:(.)/, (_, c) => `:${c === "A" ? "B" : "A"}`))],
    ["when it was made", "forged", input((value) => value.replace(/created=\d+/, "created=1"))],
    ["the nonce", "forged", input((v) => v.replace(/nonce="(.)/, (_, c) => `nonce="${c === "_" ? "-" : "_"}`))],
    ["a parameter more", "forged", input((value) => `${value};more=1`)],
    ["its tag", "tag", input((value) => value.replace("blf-sidecar/1", "blf-sidecar/2"))],
    ["its key's name", "key", input((value) => value.replace(/keyid="../, 'keyid="zz'))],
    ["the algorithm", "algorithm", input((value) => `${value};alg="hmac-sha256"`)],
    ["no digest", "component", header("content-digest", () => null)],
    ["no signature", "empty", header("signature", () => "")],
    ["a signature of no bytes", "empty", header("signature", () => "blf=::")],
    ["no parameters", "empty", header("signature-input", () => "blf=()")],
    ["no structured field", "malformed", header("signature-input", () => "blf=(((")],
    ["its signature's name", "malformed", header("signature", (value) => value.replace("blf", "other"))],
    ["its signature said twice", "malformed", header("signature", (value) => `${value}, ${value}`)],
  ])("%s: %s", async (_, fault, onTheWay) => {
    expect(await answered({ onTheWay })).toMatchObject(forged(fault));
  });

  it("two signatures", async () => {
    const { client } = await ask(async (sent) => {
      const [one, other] = [await signedAnswer(sent, { label: "a" }), await signedAnswer(sent, { label: "b" })];
      return ["signature", "signature-input"].reduce(
        (answer, name) => header(name, (value) => `${value}, ${other.headers.get(name)}`)(answer),
        one,
      );
    });
    expect(await failureOf(client.metrics())).toMatchObject(forged("several"));
  });
});

describe("an answer that covers too little is not believed", () => {
  it.each(RESPONSE_COMPONENTS.map((part) => [componentIdentity(part)]))("without %s", async (identity) => {
    const components = RESPONSE_COMPONENTS.filter((part) => componentIdentity(part) !== identity);
    expect(await answered({ components })).toMatchObject(forged("component"));
  });

  it.each(["created", "nonce", "keyid", "tag"])("without %s", async (name) => {
    expect(await answered({ parameters: { [name]: undefined } })).toMatchObject(forged("parameter"));
  });

  it("all of the request is asked for, and its signature", () => {
    const identities = RESPONSE_COMPONENTS.map((part) => componentIdentity(part));
    for (const name of [...COVERED, "signature"]) {
      expect(identities).toContain(componentIdentity(component(name, { req: true })));
    }
  });
});

describe("an answer to something else is not believed", () => {
  const changed = (name: string, value: string) => (sent: RequestDescriptor) => ({
    ...sent,
    fields: sent.fields.map((field) => (field.name === name ? { name, value } : field)),
  });

  it.each<[string, (sent: RequestDescriptor) => RequestDescriptor]>([
    ["another method", (sent) => ({ ...sent, method: "POST" })],
    ["another sidecar", (sent) => ({ ...sent, targetUri: sent.targetUri.replace("sidecar.", "other.") })],
    ["another path", (sent) => ({ ...sent, targetUri: sent.targetUri.replace("metrics", "capabilities") })],
    ["another query", (sent) => ({ ...sent, targetUri: `${sent.targetUri}?a=1` })],
    ["other content", changed("content-digest", "sha-256=:AAAA:")],
    ["another type", changed("content-type", "text/plain")],
    ["another node", changed("blf-node", NODE)],
    ["another job", changed("blf-job", "1")],
    ["another attempt", changed("blf-attempt", "2")],
    ["another signature", changed("signature", "blf=:AAAA:")],
  ])("%s", async (_, request) => {
    expect(await answered({ request })).toMatchObject(forged("forged"));
  });

  it("the same request, sent before", async () => {
    let first: Answer | undefined;
    const { client } = await ask(async (sent) => {
      first ??= await signedAnswer(sent);
      return first;
    });
    expect(await client.metrics()).toBe("metrics");
    expect(await failureOf(client.metrics())).toMatchObject(forged("forged"));
  });

  it("the same request, by its nonce alone", async () => {
    const parameters = { nonce: "another-nonce-000" };
    expect(await answered({ parameters })).toMatchObject(forged("replayed"));
  });

  it("by another key, or by another key under the sidecar's name", async () => {
    expect(await answered({ seed: otherSeed })).toMatchObject(forged("key"));
    const keyid = await publicKeyOf(sidecarSeed);
    expect(await answered({ seed: otherSeed, parameters: { keyid } })).toMatchObject(forged("forged"));
  });
});

describe("an answer that nobody signed comes from something in between", () => {
  const unsigned = (status: number, headers: Record<string, string> = {}) =>
    ask(async () => ({
      status,
      headers: new Headers(headers),
      body: '{"error":{"code":"withdrawn","retry":"never"}}',
    }));

  it.each([
    [200, "sidecar-malformed"],
    [302, "sidecar-refused"],
    [401, "sidecar-refused"],
    [403, "sidecar-refused"],
    [404, "sidecar-malformed"],
    [422, "sidecar-malformed"],
    [429, "sidecar-busy"],
    [500, "sidecar-unreachable"],
    [502, "sidecar-unreachable"],
    [503, "sidecar-busy"],
    [530, "sidecar-unreachable"],
  ])("%i is %s, never for good, and its words are not repeated", async (status, code) => {
    const { client } = await unsigned(status);
    const failure = await failureOf(client.metrics());
    expect(failure).toMatchObject({ code, retry: "later" });
    expect(failure.message).toBe(`metrics: sidecar.example.com answered ${status} without the sidecar's signature`);
  });

  it("its Retry-After is kept to", async () => {
    const { client } = await unsigned(503, { "retry-after": "17" });
    expect(await failureOf(client.metrics())).toMatchObject({ code: "sidecar-busy", retryAfterMs: 17_000 });
  });
});

describe("what the sidecar says under its signature", () => {
  const error = { code: "model-unavailable", message: "m", hint: "h", retry: "later", admitted: "no" };
  const says = (status: number, body: unknown) =>
    answered({ status, body: JSON.stringify(body), headers: { "content-type": "application/json" } });

  it("is the Worker's error, with its time to wait", async () => {
    expect(await says(503, { error: { ...error, code: "sidecar-busy", retryAfterMs: 5_000 } })).toMatchObject({
      code: "sidecar-busy",
      retryAfterMs: 5_000,
    });
    expect(await says(502, { error })).toMatchObject({ code: "model-unavailable", message: "m", hint: "h" });
    expect(await says(422, { error: { ...error, retry: "never" } })).toMatchObject({ retry: "never" });
  });

  it.each([["no JSON"], [{}], [{ error: { ...error, retry: "often" } }], [{ error: { ...error, code: "No Code" } }]])(
    "is malformed if it is no error of the protocol's: %j",
    async (body) => {
      expect(await says(500, body)).toMatchObject({ code: "sidecar-malformed", retry: "later" });
    },
  );

  it("is malformed if it is no answer of the protocol's, and only the fields are named", async () => {
    const body = JSON.stringify({ state: "done", result: { answerDigest: "secret" } });
    const { client } = await ask((sent) => signedAnswer(sent, { body }));
    const failure = await failureOf(client.pollExecution({ node: NODE, jobId: "1", role: "leader" }));
    expect(failure).toMatchObject({ code: "sidecar-malformed", retry: "later", admitted: "no" });
    expect(failure.message).toMatch(/result\.answerDigest/);
    expect(failure.message).not.toMatch(/secret/);
  });
});

describe("a request", () => {
  it("carries what it is about, and Access's service token where there is one", async () => {
    const access = { clientId: "id.access", clientSecret: new Secret("hush") };
    const { client, requests } = await ask((sent) => signedAnswer(sent, { body: '{"state":"unknown"}' }), { access });
    await client.pollExecution({ node: NODE, jobId: "a/b", role: "leader" });
    const [request] = requests;
    expect(request?.url).toBe(`https://sidecar.example.com/v1/executions/${NODE}/a%2Fb/leader`);
    const headers = Object.fromEntries(request?.headers ?? []);
    expect(headers).toMatchObject({
      "blf-node": NODE,
      "blf-job": "a%2Fb",
      "blf-attempt": "@none",
      "cf-access-client-id": "id.access",
      "cf-access-client-secret": "hush",
    });
    expect(headers["signature-input"]).toMatch(
      /^blf=\("@method" "@authority" "@path" "@query" "content-digest" "content-type" "blf-node" "blf-job" "blf-attempt"\);created=1767700800;expires=1767700860;nonce="[\w-]{22}";keyid="worker-1";tag="blf-sidecar\/1"$/,
    );
  });

  it("has a nonce of its own each time", async () => {
    const nonces = new Set<string>();
    const { client } = await ask((sent) => {
      nonces.add(nonceOf(sent));
      return signedAnswer(sent);
    });
    for (let count = 0; count < 20; count++) await client.metrics();
    expect(nonces.size).toBe(20);
  });

  it("that was lost may have been taken if it was a POST; any is worth another try", async () => {
    const { client } = await ask(async () => new TypeError("fetch failed"));
    expect(await failureOf(client.metrics())).toMatchObject({
      code: "sidecar-unreachable",
      retry: "later",
      admitted: "no",
    });
    const start = client.outputKey({ node: NODE, jobId: "1" });
    expect(await failureOf(start)).toMatchObject({ code: "sidecar-unreachable", retry: "later", admitted: "unknown" });
  });

  it("takes no longer answer than the endpoint gives", async () => {
    const { client } = await ask((sent) => signedAnswer(sent, { body: "x".repeat(2 << 20) }));
    expect(await failureOf(client.metrics())).toMatchObject({
      code: "sidecar-malformed",
      message: expect.stringMatching(/longer than/),
    });
  });

  it("is given up at the end of its time", async () => {
    let waits = 0;
    const clock = {
      now: () => NOW_MS,
      sleep: async (ms: number) => {
        waits = ms;
      },
    };
    const { client } = await ask(() => new Promise(() => undefined), { clock });
    expect(await failureOf(client.metrics())).toMatchObject({ code: "sidecar-unreachable" });
    expect(waits).toBe(10_000);
  });

  it("ends with the caller's own reason when the caller calls it off", async () => {
    const { client } = await ask(() => new Promise(() => undefined));
    const call = new AbortController();
    const work = client.metrics(call.signal);
    call.abort(new Error("the job ended"));
    await expect(work).rejects.toThrow("the job ended");
  });

  it("goes to no URL with a path, which a proxy might strip", () => {
    const parts = { fetch, clock: { now: () => 0, sleep: async () => undefined }, random: () => new Uint8Array(16) };
    const key = { id: "a", seed: sidecarSeed };
    const make = (url: string) => createSidecarClient({ url, key, sidecarKeys: [], ...parts });
    expect(() => make("https://host/sidecar")).toThrow(/more than a host/);
    expect(() => make("https://host/?a=1")).toThrow(/more than a host/);
    expect(() => make("https://host:8443/")).not.toThrow();
  });
});
