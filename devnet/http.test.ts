import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { listen, serve } from "./http.ts";

describe("serve", () => {
  it("answers on a free loopback port and hands the handler the request as it was sent", async () => {
    const server = await serve(
      async (request) => new Response(`${request.method} ${new URL(request.url).pathname} ${await request.text()}`),
    );
    try {
      expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
      const answer = await fetch(`${server.url}/a/b?c=1`, { method: "POST", body: "body" });
      expect(await answer.text()).toBe("POST /a/b body");
    } finally {
      await server.close();
    }
  });

  it("serves a Hono app, its 404 included", async () => {
    const server = await listen(new Hono().get("/here", (c) => c.text("yes")));
    try {
      expect(await (await fetch(`${server.url}/here`)).text()).toBe("yes");
      expect((await fetch(`${server.url}/there`)).status).toBe(404);
    } finally {
      await server.close();
    }
  });

  it("closes at once although a client is still waiting, and frees the port", async () => {
    let arrived: () => void = () => {};
    const waiting = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const server = await serve(() => {
      arrived();
      return new Promise<Response>(() => {});
    });
    const pending = fetch(server.url).then(
      () => "answered",
      () => "cut",
    );
    await waiting;
    await Promise.all([server.close(), server.close()]);
    expect(await pending).toBe("cut");
    const again = await serve(() => new Response("again"), server.port);
    expect(await (await fetch(again.url)).text()).toBe("again");
    await again.close();
  });

  it("rejects when the port is taken", async () => {
    const first = await serve(() => new Response("first"));
    await expect(serve(() => new Response("second"), first.port)).rejects.toMatchObject({ code: "EADDRINUSE" });
    await first.close();
  });

  it("leaves the process's own Request and Response in place", async () => {
    const before = [globalThis.Request, globalThis.Response];
    const server = await serve(() => new Response("x"));
    await server.close();
    expect([globalThis.Request, globalThis.Response]).toEqual(before);
  });
});
