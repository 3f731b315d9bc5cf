import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { afterEach, expect, it } from "vitest";
import { type FrontDoor, openFrontDoor } from "./front-door.ts";

const open: { close(): unknown }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

/** In workerd's place. */
async function workerdLike(answer: (incoming: IncomingMessage, reply: ServerResponse) => void): Promise<URL> {
  const server: Server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  open.push({ close: () => server.closeAllConnections() ?? server.close() });
  return new URL(`http://127.0.0.1:${address.port}`);
}

async function door(workerd?: URL): Promise<FrontDoor> {
  const opened = await openFrontDoor("127.0.0.1", 0);
  open.push(opened);
  if (workerd !== undefined) opened.leadTo(workerd);
  return opened;
}

const echo = (incoming: IncomingMessage, reply: ServerResponse) => {
  const { method, url, headers } = incoming;
  const chunks: Buffer[] = [];
  incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
  incoming.on("end", () => {
    reply.writeHead(201, "Made", { "x-answer": "yes", connection: "close" });
    reply.end(JSON.stringify({ method, url, headers, body: Buffer.concat(chunks).toString() }));
  });
};

/** A request as it stands, which `fetch` would not send. */
function raw(url: string, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const sent = request({ host: hostname, port, path, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    sent.on("error", reject);
    sent.end();
  });
}

it("names the client by its socket, whatever it calls itself", async () => {
  const { url } = await door(await workerdLike(echo));
  for (const headers of [{}, { "cf-connecting-ip": "192.0.2.7" }, { "CF-Connecting-IP": "192.0.2.7, 192.0.2.8" }]) {
    const seen = (await (await fetch(url, { headers })).json()) as { headers: Record<string, string> };
    expect(seen.headers["cf-connecting-ip"]).toBe("127.0.0.1");
  }
});

it("lets no header through that steers Miniflare", async () => {
  const { url } = await door(await workerdLike(echo));
  const headers = { "MF-Original-URL": "http://elsewhere/", "mf-cf-blob": "{}", "x-mine": "stays" };
  const seen = (await (await fetch(url, { headers })).json()) as { headers: Record<string, string> };
  expect(Object.keys(seen.headers).filter((name) => name.startsWith("mf-"))).toEqual([]);
  expect(seen.headers["x-mine"]).toBe("stays");
});

it.each([
  ["of a known length", "x".repeat(300_000)],
  ["of an unknown one", new Blob(["x".repeat(300_000)]).stream()],
])("passes a body %s and the whole answer on", async (_what, body) => {
  const { url } = await door(await workerdLike(echo));
  const answer = await fetch(`${url}/a/b?c=%20d`, { method: "PUT", body, duplex: "half" } as RequestInit);
  expect([answer.status, answer.statusText, answer.headers.get("x-answer")]).toEqual([201, "Made", "yes"]);
  expect(await answer.json()).toMatchObject({ method: "PUT", url: "/a/b?c=%20d", body: "x".repeat(300_000) });
});

it("passes on an answer that does not wait for the body's end", async () => {
  const early = (_incoming: IncomingMessage, reply: ServerResponse) => {
    reply.writeHead(413, { connection: "close" }).end("too long");
  };
  const { url } = await door(await workerdLike(early));
  const answer = await fetch(url, { method: "POST", body: "x".repeat(70_000) });
  expect([answer.status, await answer.text()]).toEqual([413, "too long"]);
});

it("answers 503 until it knows where to lead, and 502 where nothing answers", async () => {
  const opened = await door();
  expect((await fetch(opened.url)).status).toBe(503);
  const gone = await openFrontDoor("127.0.0.1", 0);
  await gone.close();
  opened.leadTo(new URL(gone.url));
  expect((await fetch(opened.url, { method: "POST", body: "x" })).status).toBe(502);
});

it.each(["http://127.0.0.1/api", "*", "api"])("is no proxy: the target %s is refused", async (target) => {
  const { url } = await door(await workerdLike(echo));
  expect(await raw(url, target)).toBe(400);
});

it("drops its connection when the node breaks off in the middle of an answer", async () => {
  const broken = (_incoming: IncomingMessage, reply: ServerResponse) => {
    reply.writeHead(200, { "content-length": "100" });
    reply.write("half", () => reply.destroy());
  };
  const { url } = await door(await workerdLike(broken));
  await expect(fetch(url).then((answer) => answer.text())).rejects.toThrow();
});

it("says that its port is taken", async () => {
  const { url } = await door();
  await expect(openFrontDoor("127.0.0.1", Number(new URL(url).port))).rejects.toThrow("EADDRINUSE");
});
