import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { describe, expect, it } from "vitest";
import { NODE } from "./fake-service.ts";
import { checkListen, isLoopbackHost, type Listening, type ListenOptions, listenSidecar } from "./listen.ts";
import { createRig, ORIGIN } from "./test-rig.ts";

const app = { fetch: (request: Request) => new Response(new URL(request.url).pathname) };
const tls = { cert: "c", key: "k" };

describe("where the sidecar may listen", () => {
  it.each<[string, Partial<ListenOptions>]>([
    ["by default", {}],
    ["on loopback", { host: "127.0.0.1" }],
    ["on another address of loopback", { host: "127.8.9.10" }],
    ["on IPv6's loopback", { host: "::1" }],
    ["on localhost", { host: "localhost" }],
    ["on every address with TLS", { host: "0.0.0.0", tls }],
    ["on a public address with the operator's word", { host: "203.0.113.7", allowPlainHttp: true }],
  ])("%s", (_, options) => {
    expect(() => checkListen({ port: 1, workerKeys: 1, ...options })).not.toThrow();
  });

  it.each<[string, Partial<ListenOptions>, RegExp]>([
    ["with no key", { workerKeys: 0 }, /no Worker's key/],
    ["with no key, whatever else is set", { workerKeys: 0, tls, allowPlainHttp: true }, /no Worker's key/],
    ["on every address", { host: "0.0.0.0" }, /there is no TLS/],
    ["on every address of IPv6", { host: "::" }, /there is no TLS/],
    ["on a private address", { host: "10.0.0.5" }, /there is no TLS/],
    ["on a name that may be anybody's", { host: "gpu.example.com" }, /there is no TLS/],
    ["on a name that only looks like loopback", { host: "localhost.example.com" }, /there is no TLS/],
    ["on a mapped address", { host: "::ffff:10.0.0.5" }, /there is no TLS/],
    ["on no name at all", { host: "" }, /there is no TLS/],
  ])("not %s", (_, options, message) => {
    expect(() => checkListen({ port: 1, workerKeys: 1, ...options })).toThrow(message);
  });

  it("loopback is loopback only", () => {
    expect(["127.0.0.1", "::1", "localhost"].every(isLoopbackHost)).toBe(true);
    expect(["128.0.0.1", "::2", "Localhost.", "127.0.0.1.nip.io"].some(isLoopbackHost)).toBe(false);
  });
});

describe("a sidecar that listens", () => {
  it("answers, and frees its port when it is closed, whoever is still connected", async () => {
    const server = await listenSidecar(app, { port: 0, workerKeys: 1 });
    expect(await (await fetch(`${server.url}/v1/healthz`)).text()).toBe("/v1/healthz");
    const { port } = new URL(server.url);
    const idle = connect(Number(port), "127.0.0.1");
    idle.on("error", () => undefined);
    const ended = new Promise((resolve) => idle.once("close", resolve));
    await new Promise((resolve) => idle.once("connect", resolve));
    await server.close(10);
    await ended;
    const next = await listenSidecar(app, { port: Number(port), workerKeys: 1 });
    await next.close();
  });

  it("is asked by a Worker's client over a real connection", async () => {
    const free = await listenSidecar(app, { port: 0, workerKeys: 1 });
    await free.close();
    const rig = await createRig({ origins: [ORIGIN, free.url] });
    const port = Number(new URL(free.url).port);
    const server = await listenSidecar(rig.app, { port, workerKeys: 1 });
    const sidecar = await rig.client({ url: server.url, fetch });
    expect(await sidecar.capabilities()).toEqual(await rig.service.capabilities());
    const id = { node: NODE, jobId: "é/漢 %2F?", role: "leader" } as const;
    expect(await sidecar.pollExecution(id)).toEqual({ state: "unknown" });
    expect(
      await sidecar.sign({ kind: "icl", node: NODE, body: "x".repeat(1 << 20), timestampsSec: [1] }),
    ).toMatchObject({
      signatures: [{ headers: { "X-Signature": "0x1048576" } }],
    });
    await server.close();
  });

  it("is not there where it must not listen", async () => {
    await expect(listenSidecar(app, { port: 0, host: "0.0.0.0", workerKeys: 1 })).rejects.toMatchObject({
      code: "settings",
      hint: expect.stringMatching(/BLF_SIDECAR_TLS_CERT/),
    });
  });

  it("speaks TLS with a certificate", async () => {
    const server = await withCertificate((pair) => listenSidecar(app, { port: 0, tls: pair, workerKeys: 1 }));
    expect(server.url).toMatch(/^https:/);
    expect(await protocolOf(server)).toBe("TLSv1.3");
    await server.close();
  });
});

async function withCertificate(work: (pair: { cert: string; key: string }) => Promise<Listening>): Promise<Listening> {
  const folder = mkdtempSync(join(tmpdir(), "blf-tls-"));
  try {
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const subject = ["-subj", "/CN=sidecar", "-days", "1", "-nodes"];
    const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    execFileSync("openssl", ["req", "-x509", ...ec, "-keyout", key, "-out", cert, ...subject], { stdio: "pipe" });
    return await work({ cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function protocolOf(server: Listening): Promise<string | null> {
  const port = Number(new URL(server.url).port);
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
      resolve(socket.getProtocol());
      socket.destroy();
    });
    socket.on("error", reject);
  });
}
