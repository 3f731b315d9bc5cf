import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { type Clock, systemClock } from "../core/ports.ts";
import { type Fault, installFaults } from "./faults.ts";
import { listen } from "./http.ts";

function service(clock?: Clock) {
  const app = new Hono();
  const slept: number[] = [];
  const faults = installFaults(app, clock ?? { now: () => 0, sleep: async (ms) => void slept.push(ms) });
  let acted = 0;
  app.all("/deed/:id", (c) => c.json({ acted: ++acted }));
  return { app, faults, slept, acted: () => acted };
}

const json = { "content-type": "application/json" };
const post = (body: unknown) => ({ method: "POST", headers: json, body: JSON.stringify(body) });

describe("faults", () => {
  const modes: { name: string; fault: Fault; status: number; acted: number; header?: string }[] = [
    { name: "status refuses before acting", fault: { path: "^/deed/", mode: "status" }, status: 503, acted: 0 },
    {
      name: "status carries its own code and Retry-After",
      fault: { path: "deed", mode: "status", status: 429, retryAfterSec: 7 },
      status: 429,
      acted: 0,
      header: "7",
    },
    { name: "lost acts and hides the answer", fault: { path: "deed", mode: "lost" }, status: 502, acted: 1 },
    { name: "garbage answers a web page", fault: { path: "deed", mode: "garbage" }, status: 200, acted: 0 },
    { name: "delay acts late", fault: { path: "deed", mode: "delay", delayMs: 250 }, status: 200, acted: 1 },
  ];
  it.each(modes)("$name, once, and then behaves again", async ({ fault, status, acted, header }) => {
    const { app, acted: count, slept } = service();
    expect((await app.request("/devnet/faults", post(fault))).status).toBe(200);
    const answer = await app.request("/deed/1");
    expect(answer.status).toBe(status);
    expect(count()).toBe(acted);
    expect(answer.headers.get("retry-after")).toBe(header ?? null);
    if (fault.mode === "garbage") expect(await answer.text()).toContain("<html>");
    expect(slept).toEqual(fault.mode === "delay" ? [250] : []);
    expect(await (await app.request("/deed/1")).json()).toEqual({ acted: acted + 1 });
  });

  it("counts down, and matches path and method only", async () => {
    const { app, faults } = service();
    faults.arm({ path: "/deed/2$", method: "POST", mode: "status", count: 2 });
    const statuses = [];
    for (const [method, path] of [
      ["POST", "/deed/1"],
      ["GET", "/deed/2"],
      ["POST", "/deed/2"],
      ["POST", "/deed/2"],
      ["POST", "/deed/2"],
    ] as const) {
      statuses.push((await app.request(path, { method })).status);
    }
    expect(statuses).toEqual([200, 200, 503, 503, 200]);
  });

  it("is listed and taken back over HTTP, whatever is armed", async () => {
    const { app } = service();
    await app.request("/devnet/faults", post({ path: ".*", mode: "status", count: 1000 }));
    expect(await (await app.request("/devnet/faults")).json()).toMatchObject({ faults: [{ path: ".*", hits: 0 }] });
    await app.request("/devnet/faults", { method: "DELETE" });
    expect((await app.request("/deed/1")).status).toBe(200);
  });

  it.each([
    ["an unknown mode", { path: "x", mode: "explode" }],
    ["a pattern that is none", { path: "(", mode: "status" }],
    ["a negative count", { path: "x", mode: "status", count: -1 }],
    ["an unknown field", { path: "x", mode: "status", statusCode: 500 }],
  ])("refuses %s", async (_, body) => {
    const { app } = service();
    expect((await app.request("/devnet/faults", post(body))).status).toBe(400);
    expect((await app.request("/deed/1")).status).toBe(200);
  });

  const cuts: { name: string; fault: Fault; acted: number }[] = [
    { name: "close cuts the connection before anything happens", fault: { path: "deed", mode: "close" }, acted: 0 },
    { name: "half acts and cuts the answer in the middle", fault: { path: "deed", mode: "half" }, acted: 1 },
  ];
  it.each(cuts)("$name", async ({ fault, acted }) => {
    const { app, faults, acted: count } = service();
    faults.arm(fault);
    const server = await listen(app);
    try {
      const broken = async () => (await fetch(`${server.url}/deed/1`)).text();
      await expect(broken()).rejects.toThrow();
      expect(count()).toBe(acted);
      expect(await (await fetch(`${server.url}/deed/1`)).json()).toEqual({ acted: acted + 1 });
    } finally {
      await server.close();
    }
  });

  it("big sends ten megabytes, json what it was told, and hold acts without ever answering", async () => {
    const { app, faults, acted } = service(systemClock);
    faults.arm({ path: "deed", mode: "hold" });
    faults.arm({ path: "deed", mode: "json", body: { acted: "seven" } });
    faults.arm({ path: "deed", mode: "big" });
    const server = await listen(app);
    try {
      const url = `${server.url}/deed/1`;
      expect((await (await fetch(url)).arrayBuffer()).byteLength).toBe(10 * 1024 * 1024 + 1);
      expect(await (await fetch(url)).json()).toEqual({ acted: "seven" });
      expect(acted()).toBe(0);
      await expect(fetch(url, { signal: AbortSignal.timeout(200) })).rejects.toMatchObject({ name: "TimeoutError" });
      expect(acted()).toBe(1);
    } finally {
      await server.close();
    }
  });

  it("hangs until the client lets go", async () => {
    const app = new Hono();
    installFaults(app, systemClock).arm({ path: "/", mode: "hang" });
    app.get("/", (c) => c.text("here"));
    const server = await listen(app);
    try {
      await expect(fetch(server.url, { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({
        name: "TimeoutError",
      });
      expect(await (await fetch(server.url)).text()).toBe("here");
    } finally {
      await server.close();
    }
  });
});
