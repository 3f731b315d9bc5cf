import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createIpfsDownloader } from "../../core/ipfs/download.ts";
import { createPinner } from "../../core/ipfs/pin.ts";
import { systemClock } from "../../core/ports.ts";
import { Secret } from "../../core/secret.ts";
import { type Listening, listen } from "../http.ts";
import { createIpfsApp, DEVNET_PINATA_JWT } from "./app.ts";
import type { ContentFault } from "./content-faults.ts";

const { app, store } = createIpfsApp();
let server: Listening;
beforeAll(async () => {
  server = await listen(app);
});
afterAll(() => server.close());

const content = Uint8Array.from({ length: 700_000 }, (_, index) => (index >> 6) & 0xff);
const small = new Uint8Array(new TextEncoder().encode("a sealed prompt"));

const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  fetch(`${server.url}${path}`, { method, headers });
const arm = async (fault: ContentFault | object) => {
  const reply = await fetch(`${server.url}/devnet/faults`, { method: "POST", body: JSON.stringify(fault) });
  return reply.status;
};
/** A fresh one each time, so that no cache stands between the test and the gateway. */
const downloader = (gatewayTimeoutMs = 10_000) =>
  createIpfsDownloader({ gateways: [server.url], gatewayTimeoutMs, fetch, clock: systemClock });
const pinner = (jwt = DEVNET_PINATA_JWT) =>
  createPinner({ apiUrl: server.url, jwt: new Secret(jwt), fetch, clock: systemClock });

describe("the gateway", () => {
  it("serves a file with the headers of one, to GET and HEAD", async () => {
    const cid = await store.add(small);
    expect(cid).toMatch(/^bafkrei/);
    const answer = await get(`/ipfs/${cid}`);
    expect(new Uint8Array(await answer.arrayBuffer())).toEqual(small);
    const expected = { "x-ipfs-path": `/ipfs/${cid}`, etag: `"${cid}"`, "content-length": `${small.length}` };
    expect(Object.fromEntries(answer.headers)).toMatchObject(expected);
    const head = await get(`/ipfs/${cid}`, {}, "HEAD");
    expect(Object.fromEntries(head.headers)).toMatchObject(expected);
    expect((await head.arrayBuffer()).byteLength).toBe(0);
    expect((await get(`/ipfs/${cid}`, { "if-none-match": `"${cid}"` })).status).toBe(304);
  });

  it("serves the same block and CAR by ?format= and by Accept header", async () => {
    const cid = await store.add(content, { cidVersion: 0 });
    for (const format of ["raw", "car"] as const) {
      const byQuery = await get(`/ipfs/${cid}?format=${format}`);
      const byHeader = await get(`/ipfs/${cid}`, { accept: `application/vnd.ipld.${format}` });
      expect(byQuery.headers.get("content-type")).toContain(`application/vnd.ipld.${format}`);
      expect(await byHeader.bytes()).toEqual(await byQuery.bytes());
    }
  });

  it.each([
    ["/ipfs/QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o", 404],
    ["/ipfs/QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o?format=car", 404],
    ["/ipfs/nonsense", 400],
    ["/ipfs/QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o?format=dag-json", 400],
    ["/elsewhere", 404],
  ])("answers %s with %i", async (path, status) => {
    expect((await get(path)).status).toBe(status);
  });
});

describe("the Pinata API", () => {
  it("pins what the node's pinner sends, and the node's downloader gets it back", async () => {
    const { cid } = await pinner().pin(content, "answer");
    expect(cid).toMatch(/^Qm/);
    expect(await downloader().download(cid)).toEqual(content);
  });

  it("answers as Pinata does: CID, size, time, and whether it was pinned before", async () => {
    const upload = async (cidVersion?: number) => {
      const body = new FormData();
      body.append("file", new Blob([small]), "x");
      if (cidVersion !== undefined) body.append("pinataOptions", JSON.stringify({ cidVersion }));
      const headers = { authorization: `Bearer ${DEVNET_PINATA_JWT}` };
      const reply = await fetch(`${server.url}/pinning/pinFileToIPFS`, { method: "POST", headers, body });
      return { status: reply.status, body: (await reply.json()) as Record<string, unknown> };
    };
    const first = await upload();
    expect(first.body).toMatchObject({ PinSize: small.length, IpfsHash: expect.stringMatching(/^Qm/) as string });
    expect(Date.parse(first.body.Timestamp as string)).not.toBeNaN();
    expect(first.body).not.toHaveProperty("isDuplicate");
    expect((await upload(0)).body).toMatchObject({ IpfsHash: first.body.IpfsHash, isDuplicate: true });
    expect((await upload(1)).body.IpfsHash).toMatch(/^bafkrei/);
    expect(await upload(2)).toMatchObject({ status: 400, body: { error: { reason: "INVALID_REQUEST" } } });
  });

  it("answers 401 to another token or none, which the pinner reports as refused", async () => {
    await expect(pinner("revoked").pin(small, "answer")).rejects.toMatchObject({ code: "pin-refused", retry: "never" });
    const reply = await fetch(`${server.url}/pinning/pinFileToIPFS`, { method: "POST" });
    expect(reply.status).toBe(401);
    expect(await reply.json()).toMatchObject({ error: { reason: "INVALID_CREDENTIALS" } });
  });

  it("tests a token", async () => {
    const authorization = `Bearer ${DEVNET_PINATA_JWT}`;
    expect((await get("/data/testAuthentication", { authorization })).status).toBe(200);
    expect((await get("/data/testAuthentication", { authorization: `${authorization}x` })).status).toBe(401);
  });

  it("refuses an upload without a file", async () => {
    const body = new FormData();
    body.append("other", "x");
    const headers = { authorization: `Bearer ${DEVNET_PINATA_JWT}` };
    const reply = await fetch(`${server.url}/pinning/pinFileToIPFS`, { method: "POST", headers, body });
    expect(reply.status).toBe(400);
  });
});

describe("a fault", () => {
  it.each<[ContentFault, string]>([
    [{ route: "gateway", mode: "lie", count: 2 }, "ipfs-mismatch"],
    [{ route: "gateway", mode: "truncate", count: 2 }, "ipfs-mismatch"],
    [{ route: "gateway", mode: "status" }, "ipfs-unavailable"],
    [{ route: "raw", mode: "status", status: 404 }, "ipfs-unavailable"],
    [{ route: "gateway", mode: "hang" }, "ipfs-unavailable"],
  ])("%o makes the node's download fail, and then it works again", async (fault, code) => {
    const cid = await store.add(small, { cidVersion: 0 });
    expect(await arm(fault)).toBe(200);
    await expect(downloader(fault.mode === "hang" ? 200 : 10_000).download(cid)).rejects.toMatchObject({
      code,
      retry: "later",
    });
    expect(await downloader().download(cid)).toEqual(small);
  });

  it("can take away a single format: the node then proves plain bytes", async () => {
    const cid = await store.add(content, { cidVersion: 0 });
    await arm({ route: "raw", mode: "status", status: 400 });
    await arm({ route: "car", mode: "status", status: 400 });
    expect(await downloader().download(cid)).toEqual(content);
    await arm({ route: "plain", mode: "lie" });
    expect(await (await get(`/ipfs/${cid}`)).bytes()).not.toEqual(content);
  });

  it("can make the pinning service lie about a CID, refuse and break off", async () => {
    await arm({ route: "pin", mode: "lie" });
    await expect(pinner().pin(small, "answer")).rejects.toMatchObject({ code: "pin-unavailable", admitted: "unknown" });
    await arm({ route: "pin", mode: "status", status: 403 });
    await expect(pinner().pin(small, "answer")).rejects.toMatchObject({ code: "pin-refused" });
    await arm({ route: "pin", mode: "truncate" });
    await expect(pinner().pin(small, "answer")).rejects.toMatchObject({ code: "pin-unavailable" });
  });

  it("is refused when malformed, left to the general faults when it names a path, and taken back by DELETE", async () => {
    expect(await arm({ route: "gateway", mode: "sulk" })).toBe(400);
    expect(await arm({ route: "elsewhere", mode: "lie" })).toBe(400);
    const cid = await store.add(small);
    expect(await arm({ path: "^/ipfs/", mode: "status", status: 418 })).toBe(200);
    expect((await get(`/ipfs/${cid}`)).status).toBe(418);
    expect((await get(`/ipfs/${cid}`)).status).toBe(200);
    await arm({ route: "gateway", mode: "status", count: 100 });
    await fetch(`${server.url}/devnet/faults`, { method: "DELETE" });
    expect((await get(`/ipfs/${cid}`)).status).toBe(200);
  });
});
