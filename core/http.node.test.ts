import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { parseRetryAfter, requestBytes, requestText, TransportError } from "./http.ts";
import { systemClock } from "./ports.ts";

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const clock = { ...systemClock, now: () => NOW_MS };
const limits = { timeoutMs: 2000, maxBytes: 1000 };

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serve(listener: (...exchange: Parameters<RequestListener>) => unknown): Promise<string> {
  const server = createServer((request, response) => void listener(request, response));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The fault that an exchange ended with. */
async function faultOf(exchange: Promise<unknown>): Promise<TransportError> {
  const error = await exchange.then(
    () => new Error("the exchange succeeded"),
    (thrown: unknown) => thrown,
  );
  if (error instanceof TransportError) return error;
  throw error;
}

describe("an HTTP exchange", () => {
  it("sends the request as it is and reads the whole answer, whatever its status", async () => {
    const url = await serve(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      response.writeHead(418, { "x-key": request.headers["x-key"] ?? "none" });
      response.end(`${request.method} ${Buffer.concat(chunks).toString()}`);
    });
    const request = new Request(url, { method: "POST", headers: { "x-key": "k" }, body: '{"é":1}' });
    const reply = await requestText(fetch, clock, request, limits);
    expect([reply.status, reply.text, reply.headers.get("x-key")]).toEqual([418, 'POST {"é":1}', "k"]);
  });

  it("gives bytes unchanged and an empty body as no bytes", async () => {
    const url = await serve((request, response) => {
      if (request.url === "/none") response.writeHead(204).end();
      else response.end(Buffer.from([0, 255, 254, 10]));
    });
    const bytes = async (path: string) => (await requestBytes(fetch, clock, new Request(url + path), limits)).bytes;
    expect([...(await bytes("/some"))]).toEqual([0, 255, 254, 10]);
    expect([...(await bytes("/none"))]).toEqual([]);
  });

  it("does not follow a redirect, which could carry a signature to another host, unless it is told to", async () => {
    let reached = 0;
    const other = await serve((_request, response) => {
      reached += 1;
      response.end("other");
    });
    const url = await serve((_request, response) => response.writeHead(307, { location: other }).end());
    const reply = await requestText(fetch, clock, new Request(url), limits);
    expect([reply.status, reply.headers.get("location"), reached]).toEqual([307, other, 0]);
    const followed = await requestText(fetch, clock, new Request(url), { ...limits, redirect: "follow" });
    expect([followed.text, reached]).toEqual(["other", 1]);
  });

  it("tells a refused connection with the system's code", async () => {
    const url = await serve(() => {});
    await new Promise((resolve) => servers.pop()?.close(resolve));
    const error = await faultOf(requestText(fetch, clock, new Request(url), limits));
    expect(error.fault).toBe("connection");
    expect(error.message).toContain("(ECONNREFUSED)");
  });

  it("ends in time when no answer comes, and when its body stops", async () => {
    const url = await serve((request, response) => {
      if (request.url === "/body") response.write("part");
    });
    for (const path of ["/", "/body"]) {
      const error = await faultOf(requestText(fetch, clock, new Request(url + path), { ...limits, timeoutMs: 60 }));
      expect([path, error.fault]).toEqual([path, "timeout"]);
    }
  });

  it("ends in time although the platform ignores the signal", async () => {
    const deaf = () => new Promise<Response>(() => {});
    const request = new Request("https://icl.example/");
    expect((await faultOf(requestText(deaf, clock, request, { ...limits, timeoutMs: 20 }))).fault).toBe("timeout");
  });

  it("tells a body that broke off", async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("part", () => response.destroy());
    });
    expect((await faultOf(requestText(fetch, clock, new Request(url), limits))).fault).toBe("cut");
  });

  it("stops reading a body beyond its limit, which may be endless", async () => {
    let closed = () => {};
    const stopped = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const url = await serve((_request, response) => {
      const timer = setInterval(() => response.write("x".repeat(400)), 1);
      response.on("close", () => {
        clearInterval(timer);
        closed();
      });
    });
    expect((await faultOf(requestText(fetch, clock, new Request(url), limits))).fault).toBe("oversized");
    await stopped;
  });

  it("takes a body of exactly the limit", async () => {
    const url = await serve((_request, response) => response.end("x".repeat(limits.maxBytes)));
    expect((await requestBytes(fetch, clock, new Request(url), limits)).bytes.length).toBe(limits.maxBytes);
  });

  it.each(["oversized", "cut"])("still reports a refusal whose body is %s", async (fault) => {
    const url = await serve((_request, response) => {
      response.writeHead(503, { "content-length": "5000", "retry-after": "7" });
      if (fault === "oversized") response.end("x".repeat(5000));
      else response.write("part", () => response.destroy());
    });
    const reply = await requestText(fetch, clock, new Request(url), limits);
    expect([reply.status, reply.retryAfterMs]).toEqual([503, 7000]);
  });

  it("refuses an answer that is not UTF-8, but not a refusal in another encoding", async () => {
    const url = await serve((request, response) => {
      response.writeHead(request.url === "/ok" ? 200 : 500).end(Buffer.from([0xff, 0xfe]));
    });
    expect((await faultOf(requestText(fetch, clock, new Request(`${url}/ok`), limits))).fault).toBe("encoding");
    expect((await requestText(fetch, clock, new Request(url), limits)).status).toBe(500);
  });

  it("throws the caller's own reason when the caller aborts, before it and in the middle", async () => {
    const url = await serve((_request, response) => {
      response.write("part");
    });
    const abort = new AbortController();
    const exchange = requestText(fetch, clock, new Request(url), { ...limits, signal: abort.signal });
    setTimeout(() => abort.abort(new Error("the job's deadline")), 20);
    await expect(exchange).rejects.toThrow("the job's deadline");
    await expect(requestText(fetch, clock, new Request(url), { ...limits, signal: abort.signal })).rejects.toThrow(
      "the job's deadline",
    );
  });

  it("names method, host and path in its errors, and neither query nor header nor body", async () => {
    const refusing = () => Promise.reject(new TypeError("failed: key-in-error"));
    const request = new Request("https://user-host.example/v1/x?token=key-in-query", {
      method: "POST",
      headers: { authorization: "Bearer key-in-header" },
      body: "key-in-body",
    });
    const error = await faultOf(requestText(refusing, clock, request, limits));
    expect(error.message).toBe("POST user-host.example/v1/x: the connection failed");
    expect(error.cause).toBeUndefined();
  });
});

describe("Retry-After", () => {
  it.each([
    ["0", 0],
    ["7", 7000],
    ["1.5", 1500],
    [" 2 ", 2000],
    ["86400", 3_600_000],
    ["Fri, 02 Jan 2026 03:04:35 GMT", 30_000],
    ["Fri, 02 Jan 2026 03:00:00 GMT", 0],
    ["-1", null],
    ["soon", null],
    ["", null],
    [null, null],
    ["2026-01-02", null],
    ["nonsense GMT", null],
  ])("%j is %j ms", (value, expected) => {
    expect(parseRetryAfter(value, NOW_MS)).toBe(expected);
  });
});
