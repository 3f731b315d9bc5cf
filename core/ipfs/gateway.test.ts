import { describe, expect, it } from "vitest";
import { NodeError } from "../errors.ts";
import type { Cid } from "./cid.ts";
import { createManualClock, createNetwork, honest, importFile, status } from "./fake-gateway.ts";
import { createGateway, type Format, gatewayBase } from "./gateway.ts";

const LIMITS = { timeoutMs: 10_000, maxBytes: 1000 };
const file = await importFile(new TextEncoder().encode("hello world\n"));

describe("gatewayBase", () => {
  it.each([
    ["https://ipfs.io", "https://ipfs.io/ipfs"],
    ["https://ipfs.io/", "https://ipfs.io/ipfs"],
    ["https://ipfs.io/ipfs", "https://ipfs.io/ipfs"],
    ["https://ipfs.io/ipfs///", "https://ipfs.io/ipfs"],
    [" https://IPFS.io/ipfs ", "https://ipfs.io/ipfs"],
    ["https://example.com/gate/way", "https://example.com/gate/way/ipfs"],
    ["https://example.com/my-ipfs", "https://example.com/my-ipfs/ipfs"],
    ["http://127.0.0.1:8080/ipfs/", "http://127.0.0.1:8080/ipfs"],
    ["https://a.mypinata.cloud?pinataGatewayToken=t#x", "https://a.mypinata.cloud/ipfs?pinataGatewayToken=t"],
  ])("reads %s as %s", (text, base) => {
    expect(gatewayBase(text).href).toBe(base);
  });

  it.each(["", "ipfs.io", "ftp://ipfs.io", "file:///ipfs"])("refuses %j", (text) => {
    expect(() => gatewayBase(text)).toThrow(expect.objectContaining({ code: "settings", retry: "never" }));
  });
});

describe("a gateway", () => {
  function gatewayAt(text: string, ...behaviour: Parameters<typeof createNetwork>) {
    const network = createNetwork(...behaviour);
    return { network, gateway: createGateway(gatewayBase(text), { fetch: network.fetch, clock: createManualClock() }) };
  }

  it("asks for a format by query and by Accept header, keeping a token in the URL out of its name", async () => {
    const { network, gateway } = gatewayAt("https://g.example?token=secret", [file], { "g.example": honest });
    for (const format of ["raw", "car", "plain"] as const) {
      expect((await gateway.ask(file.cid, format, LIMITS)).ok).toBe(true);
    }
    const cid = file.cid.toString();
    expect(network.asked.map(({ url, accept }) => [url.href, accept.split(";")[0]])).toEqual([
      [`https://g.example/ipfs/${cid}?token=secret&format=raw`, "application/vnd.ipld.raw"],
      [`https://g.example/ipfs/${cid}?token=secret&format=car`, "application/vnd.ipld.car"],
      [`https://g.example/ipfs/${cid}?token=secret`, "application/octet-stream, */*"],
    ]);
    expect(gateway.host).toBe("g.example");
  });

  it("follows redirects: some gateways send every CID to a host of its own", async () => {
    const cid = file.cid.toString();
    const { network, gateway } = gatewayAt("https://g.example", [file], {
      "g.example": ({ url }) => Response.redirect(`https://${cid}.g.example/ipfs/${cid}${url.search}`),
      [`${cid}.g.example`]: honest,
    });
    expect(await gateway.ask(file.cid, "plain", LIMITS)).toEqual({ ok: true, value: file.bytes });
    expect(network.asked.map(({ host }) => host)).toEqual(["g.example", `${cid}.g.example`]);
  });

  it("gives an answer of exactly the limit and reports a longer one", async () => {
    const { gateway } = gatewayAt("https://g.example", [file], { "g.example": honest });
    const size = file.bytes.length;
    expect(await gateway.ask(file.cid, "plain", { ...LIMITS, maxBytes: size })).toEqual({
      ok: true,
      value: file.bytes,
    });
    expect(await gateway.ask(file.cid, "plain", { ...LIMITS, maxBytes: size - 1 })).toMatchObject({
      refusal: { kind: "oversized" },
    });
  });

  it.each<[number, Format, string]>([
    [404, "raw", "absent"],
    [410, "plain", "absent"],
    [451, "car", "absent"],
    [400, "raw", "unsupported"],
    [406, "car", "unsupported"],
    [415, "raw", "unsupported"],
    [501, "car", "unsupported"],
    [400, "plain", "refused"],
    [401, "raw", "refused"],
    [403, "raw", "refused"],
    [429, "raw", "refused"],
    [500, "plain", "refused"],
    [504, "raw", "refused"],
    [204, "raw", "refused"],
  ])("takes status %i on %s for %s", async (code, format, kind) => {
    const { gateway } = gatewayAt("https://g.example", [], {
      "g.example": code === 204 ? () => new Response(null, { status: 204 }) : status(code),
    });
    expect(await gateway.ask(file.cid as Cid, format, LIMITS)).toEqual({
      ok: false,
      refusal: { kind, message: `answered ${code}` },
    });
  });

  it("reports an unknown host without the platform's message, and a body that breaks off", async () => {
    const { gateway } = gatewayAt("https://nowhere.example", [], {});
    expect(await gateway.ask(file.cid, "raw", LIMITS)).toEqual({
      ok: false,
      refusal: { kind: "unreachable", message: "could not be reached" },
    });
    const broken = gatewayAt("https://g.example", [], {
      "g.example": () =>
        new Response(
          new ReadableStream({
            start(controller) {
              controller.enqueue(new Uint8Array(3));
              controller.error(new Error("reset"));
            },
          }),
        ),
    });
    expect(await broken.gateway.ask(file.cid, "raw", LIMITS)).toMatchObject({ refusal: { kind: "unreachable" } });
  });

  it("throws the caller's own reason when the caller gives up", async () => {
    const { gateway } = gatewayAt("https://g.example", [file], { "g.example": honest });
    const reason = new NodeError("deadline", "over", { retry: "never", hint: "" });
    await expect(gateway.ask(file.cid, "raw", { ...LIMITS, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
