import { describe, expect, it } from "vitest";
import { createApp } from "../../workers/routes/app.ts";
import { clientKey, createCounter, createLimiter, RATE_LIMITS } from "../../workers/routes/rate-limit.ts";
import { asAdmin, call, deployedWith, deployment, expectHardened, from, type Init } from "./client.ts";

describe("limits by client", () => {
  /** Without the platform's counters, so that the clock is ours. */
  const unbound = deployedWith({ REQUEST_LIMIT: undefined, SIGN_IN_LIMIT: undefined });
  const guess = (address: string) => from(address, { headers: { authorization: "Bearer guess" } });

  it("are counted by the platform's bindings where they are", () => {
    expect(deployment).toMatchObject({
      REQUEST_LIMIT: { limit: expect.any(Function) },
      SIGN_IN_LIMIT: { limit: expect.any(Function) },
    });
  });

  it("shut out who guesses tokens, with the platform's own counter", async () => {
    const statuses: number[] = [];
    for (let tried = 0; tried < 2 * RATE_LIMITS.SIGN_IN_LIMIT.limit + 1; tried++) {
      statuses.push((await call("/api/status", guess("10.0.3.1"))).status);
    }
    expect(statuses[0]).toBe(401);
    expect(statuses.at(-1)).toBe(429);
    expect((await call("/api/status", from("10.0.3.2", asAdmin()))).status).toBe(200);
  });

  it("shut out a guesser even with the right token, nobody else, and for a minute", async () => {
    let nowMs = 1_800_000_000_000;
    const app = createApp(createLimiter(() => nowMs));
    const status = async (init: Init) => (await call("/api/status", init, unbound, app)).status;
    for (let tried = 0; tried < RATE_LIMITS.SIGN_IN_LIMIT.limit; tried++)
      expect(await status(guess("10.0.3.3"))).toBe(401);
    const over = await call("/api/status", guess("10.0.3.3"), unbound, app);
    expect(over.status).toBe(429);
    expect(over.headers.get("retry-after")).toBe("60");
    expectHardened(over);
    expect(await status(from("10.0.3.3", asAdmin()))).toBe(429);
    expect(await status(from("10.0.3.4", asAdmin()))).toBe(200);
    nowMs += 59_999;
    expect(await status(from("10.0.3.3", asAdmin()))).toBe(429);
    nowMs += 1;
    expect(await status(from("10.0.3.3", asAdmin()))).toBe(200);
  });

  it("do not take a request without any token for a guess", async () => {
    const app = createApp(createLimiter(() => 0));
    for (let tried = 0; tried < 2 * RATE_LIMITS.SIGN_IN_LIMIT.limit; tried++) {
      expect((await call("/api/status", from("10.0.3.5"), unbound, app)).status).toBe(401);
    }
    expect((await call("/api/status", from("10.0.3.5", asAdmin()), unbound, app)).status).toBe(200);
  });

  it.each(["/", "/healthz", "/nothing", "/api/status"])("hold for all requests together, also to %s", async (path) => {
    const app = createApp(createLimiter(() => 0));
    for (let asked = 0; asked < RATE_LIMITS.REQUEST_LIMIT.limit; asked++) {
      expect((await call("/nowhere", from("10.0.3.6"), unbound, app)).status).toBe(404);
    }
    const over = await call(path, from("10.0.3.6", asAdmin()), unbound, app);
    expect(over.status).toBe(429);
    expect(over.headers.get("retry-after")).toBe("60");
    expectHardened(over);
    expect((await call(path, from("10.0.3.7"), unbound, app)).status).not.toBe(429);
  });

  it("hold for the push hint too", async () => {
    const full = { limit: async () => ({ success: false }) };
    const answer = await call("/internal/task", { method: "POST" }, deployedWith({ REQUEST_LIMIT: full }));
    expect(answer.status).toBe(429);
  });

  it("are counted here when the platform's counter fails", async () => {
    const broken = { limit: () => Promise.reject(new Error("the counter is away")) };
    const app = createApp(createLimiter(() => 0));
    const deployed = deployedWith({ REQUEST_LIMIT: broken });
    const statuses = new Set<number>();
    for (let asked = 0; asked <= RATE_LIMITS.REQUEST_LIMIT.limit; asked++) {
      statuses.add((await call("/nowhere", from("10.0.3.8"), deployed, app)).status);
    }
    expect([...statuses]).toEqual([404, 429]);
  });

  it.each([
    ["192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:0db8:0001:0002::9", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::ffff:192.0.2.7", "::ffff:192.0.2.7"],
    ["x".repeat(500), "x".repeat(64)],
  ])("take %s for the client %s", (address, client) => {
    expect(clientKey(address)).toBe(client);
  });

  it("of the isolate's own allow so many uses a client and window, and forget with the next", async () => {
    let nowMs = 0;
    const counter = createCounter({ limit: 2, period: 60 }, () => nowMs);
    const use = async (key: string) => (await counter.limit({ key })).success;
    expect([await use("a"), await use("a"), await use("a"), await use("b")]).toEqual([true, true, false, true]);
    nowMs = 60_000;
    expect(await use("a")).toBe(true);
  });

  it("of the isolate's own remember so many clients, and count the others as one", async () => {
    const counter = createCounter({ limit: 2, period: 60 }, () => 0);
    for (let client = 0; client < 10_000; client++) await counter.limit({ key: `client-${client}` });
    const more = ["x", "y", "z"].map((key) => counter.limit({ key }));
    expect((await Promise.all(more)).map(({ success }) => success)).toEqual([true, true, false]);
    expect(await counter.limit({ key: "client-0" })).toEqual({ success: true });
  });

  it("are those that are documented", () => {
    expect(RATE_LIMITS).toEqual({
      REQUEST_LIMIT: { limit: 1000, period: 60 },
      SIGN_IN_LIMIT: { limit: 20, period: 60 },
    });
  });
});

describe("a body", () => {
  const streamOf = (text: string) => new Blob([text]).stream();
  const pause = (body: string | ReadableStream, headers: Record<string, string> = {}) =>
    call("/api/pause", from("10.0.4.1", asAdmin({ method: "POST", body, headers })));
  const fitting = (bytes: number) =>
    JSON.stringify({ node: "x", more: "" }).replace('""', `"${"x".repeat(bytes - 22)}"`);

  it("of 64 KiB is read, and one of a byte more is not", async () => {
    expect(fitting(65_536)).toHaveLength(65_536);
    expect((await pause(fitting(65_536))).status).toBe(404);
    const over = await pause(fitting(65_537));
    expect(over.status).toBe(413);
    expectHardened(over);
  });

  it("is measured as it arrives: without a length, and with a false one", async () => {
    expect((await pause(streamOf(fitting(65_536)))).status).toBe(404);
    expect((await pause(streamOf(fitting(65_537)))).status).toBe(413);
    expect((await pause(streamOf(fitting(65_537)), { "content-length": "10" })).status).toBe(413);
    expect((await pause(fitting(65_537), { "content-length": "10" })).status).toBe(413);
  });

  it("without an end is given up at the limit", async () => {
    let given = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        given += 1;
        controller.enqueue(new Uint8Array(16_384));
      },
    });
    expect((await pause(endless)).status).toBe(413);
    expect(given).toBeLessThan(10);
  });

  it("of a stranger's is not read at all", async () => {
    let given = 0;
    const stream = () =>
      new ReadableStream<Uint8Array>(
        {
          pull() {
            given += 1;
          },
        },
        { highWaterMark: 0 },
      );
    expect((await call("/api/pause", from("10.0.4.2", { method: "POST", body: stream() }))).status).toBe(401);
    expect((await call("/internal/task", from("10.0.4.2", { method: "POST", body: stream() }))).status).toBe(202);
    expect(given).toBe(0);
  });

  it.each([
    "[]",
    "not JSON",
    "7",
    '"x"',
    "null",
    '{"node":7}',
    '{"reason":{"a":1}}',
    `{"reason":"${"x".repeat(201)}"}`,
  ])("like %s gets an answer that says what is wrong", async (body) => {
    const answer = await pause(body);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({ error: expect.stringContaining("JSON object") });
  });
});
