/** Requests that the Worker did sign and that are refused all the same: it is told why, under the sidecar's signature. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NODE, OTHER_NODE } from "./fake-service.ts";
import { BODY, deliverTo, genuine, newNonce, type Sent, signedAs, startTarget, type Target } from "./forge.ts";
import { NOW_MS, ORIGIN } from "./test-rig.ts";

let target: Target;
beforeEach(async () => {
  target = await startTarget();
});
afterEach(() => target.server.close());
const deliver = (request: Sent) => deliverTo(target, request);

describe("a request that the Worker did sign is refused, under the sidecar's signature,", () => {
  const stale = { status: 401, code: "stale", signed: true, reason: "stale" };

  it.each([
    ["61 seconds old", -61],
    ["61 seconds ahead", 61],
    ["a day old", -86_400],
  ])("when it is %s", async (_, seconds) => {
    expect(await deliver(await genuine({}, NOW_MS + seconds * 1000))).toEqual(stale);
  });

  it.each([
    ["59 seconds old", -59],
    ["59 seconds ahead", 59],
  ])("and taken when it is %s", async (_, seconds) => {
    expect(await deliver(await genuine({}, NOW_MS + seconds * 1000))).toMatchObject({
      signed: true,
      reason: undefined,
    });
  });

  it.each([
    ["it expired", { created: NOW_MS / 1000 - 30, expires: NOW_MS / 1000 - 1 }],
    ["it expires before it begins", { created: NOW_MS / 1000 + 10, expires: NOW_MS / 1000 + 5 }],
    ["it is good for more than a minute", { expires: NOW_MS / 1000 + 61 }],
    ["it is good for ever", { expires: 999_999_999_999_999 }],
    ["it was created before time began", { created: -1, expires: 50 }],
  ])("when %s", async (_, parameters) => {
    expect(await deliver(await signedAs({ parameters }))).toEqual(stale);
  });

  it("when it is sent again, to the letter", async () => {
    const request = await genuine();
    expect(await deliver(request)).toMatchObject({ reason: undefined });
    expect(await deliver(request)).toEqual({ status: 401, code: "replayed", signed: true, reason: "replayed" });
  });

  it("when its nonce was used for another request", async () => {
    const nonce = newNonce();
    expect(await deliver(await genuine({}, NOW_MS, nonce))).toMatchObject({ reason: undefined });
    const other = await genuine({ url: `${ORIGIN}/v1/metrics`, method: "GET", body: "", about: {} }, NOW_MS, nonce);
    expect(await deliver(other)).toMatchObject({ code: "replayed", signed: true });
  });

  it("when many copies arrive at once: one is taken", async () => {
    const request = await genuine();
    const replies = await Promise.all(Array.from({ length: 8 }, () => deliver(request)));
    expect(replies.map(({ status }) => status).sort((one, other) => one - other)).toEqual([202, ...Array(7).fill(401)]);
  });

  it.each([
    ["exchanged", JSON.stringify({ node: NODE, jobId: "job 2" })],
    ["longer", `${BODY} `],
    ["cut", BODY.slice(0, -1)],
    ["gone", ""],
  ])("when its content is %s; the request itself is still taken afterwards", async (_, body) => {
    const request = await genuine();
    expect(await deliver({ ...request, body })).toEqual({
      status: 400,
      code: "digest",
      signed: true,
      reason: "digest",
    });
    expect(await deliver(request)).toMatchObject({ status: 202, signed: true });
  });

  it("when its content is longer than the route takes", async () => {
    const body = JSON.stringify({ node: NODE, jobId: "job 1", padding: "x".repeat(8_192) });
    expect(await deliver(await genuine({ body }))).toMatchObject({ status: 413, code: "too-large", signed: true });
  });

  it.each([
    ["node", { node: OTHER_NODE, jobId: "job 1" }],
    ["job", { node: NODE, jobId: "job 2" }],
    ["nothing", {}],
  ])("when its headers name another %s than its content", async (_, about) => {
    expect(await deliver(await genuine({ about }))).toMatchObject({ status: 400, code: "mismatch", signed: true });
  });

  it.each([
    ["no JSON", "{"],
    ["a list", "[]"],
    ["a field short", JSON.stringify({ node: NODE })],
    ["an address in lower case", JSON.stringify({ node: NODE.toLowerCase(), jobId: "job 1" })],
  ])("when its content is %s", async (_, body) => {
    expect(await deliver(await genuine({ body }))).toMatchObject({ status: 400, code: "malformed", signed: true });
  });

  it("when there is no such route", async () => {
    const request = await genuine({ url: `${ORIGIN}/v1/nothing`, method: "GET", body: "", about: {} });
    expect(await deliver(request)).toMatchObject({ status: 404, code: "not-found", signed: true });
  });
});
