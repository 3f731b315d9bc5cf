import { describe, expect, it } from "vitest";
import { NodeError, toFailure } from "../errors.ts";
import type { Fetch, LogFields } from "../ports.ts";
import { Secret } from "../secret.ts";
import { createManualClock, importFile } from "./fake-gateway.ts";
import { createPinner } from "./pin.ts";
import { ONE_BLOCK } from "./published-files.ts";

const JWT = "eyJhbGciOiJIUzI1NiJ9.secret.token";
const bytes = new Uint8Array(new TextEncoder().encode("a sealed answer"));
const v0 = (await importFile(bytes, { cidVersion: 0 })).cid.toString();
const v1 = (await importFile(bytes)).cid.toString();
const unusual = (await importFile(bytes, { chunkBytes: 4 })).cid.toString();
const otherRaw = (await importFile(new TextEncoder().encode("other"))).cid.toString();

function pinnerTo(reply: (request: Request) => Response | Promise<Response>, apiUrl?: string) {
  const requests: Request[] = [];
  const lines: [string, LogFields | undefined][] = [];
  const fetch: Fetch = async (input, init) => {
    const request = new Request(input, init);
    requests.push(request.clone());
    return reply(request);
  };
  const pinner = createPinner({
    ...(apiUrl === undefined ? {} : { apiUrl }),
    jwt: new Secret(JWT),
    fetch,
    clock: createManualClock(),
    log: (_, event, fields) => lines.push([event, fields]),
  });
  return { pinner, requests, lines };
}

const replying = (body: unknown, code = 200) => pinnerTo(() => Response.json(body, { status: code }));

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => {
      throw new Error("did not fail");
    },
    (error: unknown) => {
      if (error instanceof NodeError) return error;
      throw error;
    },
  );

describe("pin", () => {
  it("posts the bytes as the multipart field `file` with the token as bearer", async () => {
    const { pinner, requests } = replying({ IpfsHash: v0, PinSize: 15, Timestamp: "2026-01-01T00:00:00Z" });
    expect(await pinner.pin(bytes, "answer")).toEqual({ cid: v0 });
    const [request] = requests;
    if (request === undefined) throw new Error("nothing sent");
    expect(`${request.method} ${request.url}`).toBe("POST https://api.pinata.cloud/pinning/pinFileToIPFS");
    expect(request.headers.get("authorization")).toBe(`Bearer ${JWT}`);
    const form = await request.formData();
    expect([...form.keys()]).toEqual(["file"]);
    const file = form.get("file");
    if (!(file instanceof File)) throw new Error("not a file");
    expect(file.name).toBe("answer");
    expect(new Uint8Array(await file.arrayBuffer())).toEqual(bytes);
  });

  it.each(["https://pin.example", "https://pin.example/", "https://pin.example//"])(
    "joins the path to %s",
    async (api) => {
      const { pinner, requests } = pinnerTo(() => Response.json({ IpfsHash: v1 }), api);
      await pinner.pin(bytes, "answer");
      expect(requests[0]?.url).toBe("https://pin.example/pinning/pinFileToIPFS");
    },
  );

  it.each([
    ["Pinata's legacy answer", { IpfsHash: v0, isDuplicate: true }, v0],
    ["a version 1 CID", { IpfsHash: v1 }, v1],
    ["an answer of v3", { data: { id: "1", cid: v1, size: 15 } }, v1],
  ])("takes the CID from %s", async (_, body, cid) => {
    const { pinner, lines } = replying(body);
    expect(await pinner.pin(bytes, "answer")).toEqual({ cid });
    expect(lines).toEqual([]);
  });

  it.each(ONE_BLOCK)("finds nothing to object to in the published CID of $name", async (file) => {
    const { pinner, lines } = replying({ IpfsHash: file.cid });
    expect(await pinner.pin(new Uint8Array(file.content), "answer")).toEqual({ cid: file.cid });
    expect(lines).toEqual([]);
  });

  it("takes a dag-pb CID in an unusual layout but says that nothing proves it", async () => {
    const { pinner, lines } = replying({ IpfsHash: unusual });
    expect(await pinner.pin(bytes, "answer")).toEqual({ cid: unusual });
    expect(lines).toEqual([["ipfs.pin-unproven", { cid: unusual }]]);
  });
});

describe("pin fails", () => {
  it.each([401, 403])("with pin-refused, never, on %i, and names the token's setting", async (code) => {
    const { pinner } = replying({ error: { reason: "INVALID_CREDENTIALS", details: JWT } }, code);
    const failure = await failureOf(pinner.pin(bytes, "answer"));
    expect(failure).toMatchObject({ code: "pin-refused", retry: "never", admitted: "no" });
    expect(failure.hint).toMatch(/PINATA_JWT.*revoked.*scope/);
  });

  it.each([400, 402, 404, 413, 302])("with pin-refused, never, on %i", async (code) => {
    const { pinner } = pinnerTo(
      () => new Response(null, { status: code, headers: { location: "https://elsewhere.example" } }),
    );
    expect(await failureOf(pinner.pin(bytes, "answer"))).toMatchObject({ code: "pin-refused", retry: "never" });
  });

  it.each([408, 429, 500, 502, 503, 504])("with pin-unavailable, later, on %i", async (code) => {
    const { pinner } = replying({}, code);
    expect(await failureOf(pinner.pin(bytes, "answer"))).toMatchObject({ code: "pin-unavailable", retry: "later" });
  });

  it("with the time that a rate limit asks for", async () => {
    const { pinner } = pinnerTo(() => new Response("", { status: 429, headers: { "retry-after": "7" } }));
    expect(await failureOf(pinner.pin(bytes, "answer"))).toMatchObject({ retryAfterMs: 7000, admitted: "no" });
  });

  it("with pin-unavailable and an unknown outcome when the connection breaks, the platform's message left out", async () => {
    const { pinner } = pinnerTo(() => {
      throw new TypeError(`fetch failed with ${JWT}`);
    });
    const failure = await failureOf(pinner.pin(bytes, "answer"));
    expect(failure).toMatchObject({ code: "pin-unavailable", retry: "later", admitted: "unknown" });
    expect(JSON.stringify(toFailure(failure))).not.toContain(JWT);
    expect(failure.cause).toBeUndefined();
  });

  it.each<[string, Response]>([
    ["HTML", new Response("<html>")],
    ["nothing", new Response("")],
    ["JSON without a CID", Response.json({ ok: true })],
    ["null", Response.json(null)],
    ["a CID that is none", Response.json({ IpfsHash: "../x" })],
    ["a CID of the wrong type", Response.json({ IpfsHash: 7 })],
    ["an answer without end", new Response(new Uint8Array(70_000))],
    ["the raw CID of other bytes", Response.json({ IpfsHash: otherRaw })],
  ])("with pin-unavailable, later, on %s with status 200", async (_, response) => {
    const { pinner } = pinnerTo(() => response);
    expect(await failureOf(pinner.pin(bytes, "answer"))).toMatchObject({
      code: "pin-unavailable",
      retry: "later",
      admitted: "unknown",
    });
  });

  it("with the caller's own reason when the caller gives up", async () => {
    const { pinner } = replying({ IpfsHash: v1 });
    await expect(pinner.pin(bytes, "answer", AbortSignal.abort(new Error("deadline")))).rejects.toThrow("deadline");
  });
});
