import { readFileSync } from "node:fs";
import { privateKeyToAccount } from "viem/accounts";
import { describe, expect, it } from "vitest";
import { devAccount } from "../chain/accounts.ts";
import { authenticate } from "./auth.ts";
import { createRig, NOW_SEC, rigWithJob } from "./test-rig.ts";

const account = devAccount(4);
const other = devAccount(5);
const BODY = '{"jobId": "0xabc",  "note": "é"}';

async function headersFor(body: string, timestamp = String(NOW_SEC), signer = account) {
  return new Headers({
    "content-type": "application/json",
    "x-node-address": signer.address,
    "x-timestamp": timestamp,
    "x-signature": await signer.signMessage({ message: `${body}${timestamp}` }),
  });
}

const bytes = (text: string) => new TextEncoder().encode(text);
const check = (headers: Headers, body = BODY) => authenticate({ headers, body: bytes(body) }, NOW_SEC, 60);

describe("authenticate", () => {
  it.each([0, 60, -60])("takes the signer's own headers, %i s from now", async (offset) => {
    const headers = await headersFor(BODY, String(NOW_SEC + offset));
    expect(await check(headers)).toEqual({ ok: true, value: account.address });
  });

  it("takes a body-less request, whose text is the timestamp alone", async () => {
    expect((await check(await headersFor(""), "")).ok).toBe(true);
  });

  const faults: { name: string; header: string; value: string | null; kind?: string }[] = [
    { name: "no address", header: "x-node-address", value: null },
    { name: "an address in lower case", header: "x-node-address", value: account.address.toLowerCase() },
    { name: "another's address", header: "x-node-address", value: other.address },
    { name: "an address cut short", header: "x-node-address", value: account.address.slice(0, -1) },
    { name: "no timestamp", header: "x-timestamp", value: null },
    { name: "a timestamp in milliseconds", header: "x-timestamp", value: `${NOW_SEC}000` },
    { name: "a timestamp in hex", header: "x-timestamp", value: `0x${NOW_SEC.toString(16)}` },
    { name: "a timestamp with a fraction", header: "x-timestamp", value: `${NOW_SEC}.5` },
    { name: "another second's timestamp", header: "x-timestamp", value: String(NOW_SEC + 1) },
    { name: "no signature", header: "x-signature", value: null },
    { name: "an empty signature", header: "x-signature", value: "" },
    { name: "a signature of zeros", header: "x-signature", value: `0x${"00".repeat(65)}` },
    { name: "a signature cut short", header: "x-signature", value: `0x${"11".repeat(64)}` },
    { name: "no content type", header: "content-type", value: null, kind: "content-type" },
    { name: "another content type", header: "content-type", value: "text/plain", kind: "content-type" },
  ];
  it.each(faults)("refuses $name", async ({ header, value, kind = "unauthenticated" }) => {
    const headers = await headersFor(BODY);
    if (value === null) headers.delete(header);
    else headers.set(header, value);
    expect(await check(headers)).toMatchObject({ ok: false, refusal: { kind } });
  });

  it.each([61, -61, 3600])("refuses a rightly signed timestamp %i s away", async (offset) => {
    const answer = await check(await headersFor(BODY, String(NOW_SEC + offset)));
    expect(answer).toMatchObject({ ok: false, refusal: { kind: "unauthenticated" } });
  });

  it("says so when only the address's spelling is wrong", async () => {
    const headers = await headersFor(BODY);
    headers.set("x-node-address", account.address.toLowerCase());
    expect(await check(headers)).toMatchObject({ refusal: { detail: expect.stringContaining("EIP-55") } });
  });

  it("refuses a signature over the same JSON in other bytes", async () => {
    const answer = await check(await headersFor(JSON.stringify(JSON.parse(BODY))));
    expect(answer).toMatchObject({ ok: false, refusal: { kind: "unauthenticated" } });
  });

  interface Case {
    private_key: `0x${string}`;
    body_json: string | null;
    headers: Record<string, string>;
  }
  const vectors = JSON.parse(readFileSync("test/vectors/blindference-0.3.5.json", "utf8")) as {
    icl_auth: { cases: Case[] };
  };
  it.each(vectors.icl_auth.cases)("takes the original node's headers at $timestamp", async (vector) => {
    const body = bytes(vector.body_json ?? "");
    const nowSec = Number(vector.headers["X-Timestamp"]);
    const answer = await authenticate({ headers: new Headers(vector.headers), body }, nowSec, 60);
    expect(answer).toEqual({ ok: true, value: privateKeyToAccount(vector.private_key).address });
  });
});

describe("the coordinator's signed routes", () => {
  const routes: { name: string; path: string; body?: object; address: "path" | "body" | "none" }[] = [
    { name: "challenge", path: "/internal/challenge/", address: "path" },
    { name: "assignments", path: "/internal/assignments/", address: "path" },
    { name: "heartbeat", path: "/internal/heartbeat", body: { timestamp: String(NOW_SEC) }, address: "body" },
    { name: "claim", path: "/internal/task/claim", body: { jobId: "x" }, address: "body" },
    { name: "job status", path: "/internal/jobs/x/status", address: "none" },
  ];

  it.each(routes)("$name: an unsigned call is refused with 401 and a reason", async ({ path, body, address }) => {
    const { leader, send } = await rigWithJob();
    const url = address === "path" ? path + leader.address : path;
    const headers = { "content-type": "application/json" };
    const text = JSON.stringify({ ...body, nodeAddress: leader.address });
    const answer = await send(url, body ? { method: "POST", headers, body: text } : { headers });
    expect(answer).toMatchObject({ status: 401, json: { detail: expect.stringContaining("X-Node-Address") } });
  });

  it.each(routes.filter(({ address }) => address !== "none"))(
    "$name: a signed call in another's name is refused with 401, in lower case with 400 and an explanation",
    async ({ path, body, address }) => {
      const { leader, first } = await rigWithJob();
      const callAs = (name: string) =>
        address === "path" ? leader.call(path + name) : leader.call(path, { ...body, nodeAddress: name });
      expect((await callAs(leader.address)).status).toBe(200);
      expect((await callAs(first.address)).status).toBe(401);
      expect(await callAs(leader.address.toLowerCase())).toMatchObject({
        status: 400,
        json: { detail: expect.stringContaining("EIP-55") },
      });
    },
  );

  it.each([401, 404] as const)("answers a node that never attested with %i, where so configured", async (status) => {
    const rig = createRig({ unknownNodeStatus: status });
    const stranger = rig.node(0);
    expect((await stranger.heartbeat()).status).toBe(status);
    expect((await stranger.call(`/internal/assignments/${stranger.address}`)).status).toBe(status);
    expect((await stranger.claim("x")).status).toBe(status);
    expect((await stranger.challenge()).status).toBe(200);
  });
});
