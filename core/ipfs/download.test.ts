import { describe, expect, it } from "vitest";
import { NodeError } from "../errors.ts";
import type { LogFields } from "../ports.ts";
import { systemClock } from "../ports.ts";
import { createIpfsDownloader, GATEWAY_TIMEOUT_MS, MAX_PROMPT_BLOB_BYTES, PUBLIC_GATEWAYS } from "./download.ts";
import {
  type Behaviour,
  createManualClock,
  createNetwork,
  hanging,
  honest,
  importFile,
  plainOnly,
  status,
} from "./fake-gateway.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const blob = await importFile(utf8("a sealed prompt"), { cidVersion: 0 });
const cid = blob.cid.toString();
const unusual = await importFile(utf8("abcdefghijklmnopq"), { chunkBytes: 2, width: 3 });

const OWN = "https://own.example";
const lying: Behaviour = () => new Response("something else");
/** Twice the longest answer that is taken, a CAR's. */
const flood: Behaviour = () => new Response(new Uint8Array(4 * MAX_PROMPT_BLOB_BYTES));
const everywhere = (behaviour: Behaviour) =>
  Object.fromEntries(PUBLIC_GATEWAYS.map((gateway) => [new URL(gateway).host, behaviour]));

function downloader(
  hosts: Record<string, Behaviour>,
  options: { gateways?: string[]; publicGateways?: string[] } = {},
) {
  const network = createNetwork([blob, unusual], hosts);
  const clock = createManualClock();
  const lines: [string, string, LogFields | undefined][] = [];
  const ipfs = createIpfsDownloader({
    gateways: [OWN],
    ...options,
    fetch: network.fetch,
    clock,
    log: (level, event, fields) => lines.push([level, event, fields]),
  });
  return { network, clock, lines, ipfs, hosts: () => network.asked.map((asked) => asked.host) };
}

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => {
      throw new Error("did not fail");
    },
    (error: unknown) => {
      if (error instanceof NodeError) return error;
      throw error;
    },
  );

describe("download", () => {
  it.each(["raw", "car", "plain"])(
    "leaves a gateway whose %s answer is longer than is taken for the next",
    async (format) => {
      const floods: Behaviour = (asked, full) =>
        asked.format === format ? flood(asked, full) : new Response("unsupported", { status: 400 });
      const { ipfs, hosts } = downloader({ "own.example": floods, ...everywhere(honest) });
      expect(await ipfs.download(cid)).toEqual(blob.bytes);
      expect([...new Set(hosts())]).toEqual(["own.example", "gateway.pinata.cloud"]);
    },
  );

  it("asks the configured gateway first, and no other when it proves its bytes", async () => {
    const { ipfs, hosts } = downloader({ "own.example": honest, ...everywhere(honest) });
    expect(await ipfs.download(cid)).toEqual(blob.bytes);
    expect(hosts()).toEqual(["own.example"]);
  });

  it("goes through the configured gateways, then the public ones in their order", async () => {
    const { ipfs, hosts, lines } = downloader(
      { "own.example": status(504), "two.example": lying, ...everywhere(status(404)), "dweb.link": honest },
      { gateways: [OWN, "https://two.example/ipfs/"] },
    );
    expect(await ipfs.download(cid)).toEqual(blob.bytes);
    expect([...new Set(hosts())]).toEqual([
      "own.example",
      "two.example",
      "gateway.pinata.cloud",
      "ipfs.io",
      "trustless-gateway.link",
      "dweb.link",
    ]);
    expect(lines.filter(([level]) => level === "warn").map(([, , fields]) => fields?.host)).toEqual([
      "own.example",
      "two.example",
      "gateway.pinata.cloud",
      "ipfs.io",
      "trustless-gateway.link",
    ]);
  });

  it("asks a gateway once that is both configured and public", async () => {
    const { ipfs, hosts } = downloader(everywhere(status(404)), { gateways: ["https://ipfs.io"] });
    await failureOf(ipfs.download(cid));
    expect(hosts().filter((host) => host === "ipfs.io").length).toBe(1);
  });

  it.each(["http://127.0.0.1:9", "http://localhost:9/ipfs", "http://[::1]:9"])(
    "asks no public gateway about a local network's content: %s",
    async (gateway) => {
      const { ipfs, hosts } = downloader(everywhere(honest), { gateways: [gateway] });
      expect(await failureOf(ipfs.download(cid))).toMatchObject({ code: "ipfs-unavailable" });
      expect(new Set(hosts())).toEqual(new Set([new URL(gateway).host]));
    },
  );

  it("asks the public gateways that it is given instead", async () => {
    const { ipfs, hosts } = downloader(
      { "127.0.0.1:9": status(500), "other.example": honest },
      { gateways: ["http://127.0.0.1:9"], publicGateways: ["https://other.example"] },
    );
    expect(await ipfs.download(cid)).toEqual(blob.bytes);
    expect(hosts()).toEqual(["127.0.0.1:9", "other.example"]);
  });

  it("refuses a gateway that is no URL when it is made", () => {
    expect(() => downloader({}, { gateways: ["ipfs.io"] })).toThrow(expect.objectContaining({ code: "settings" }));
  });

  it("leaves a gateway that never answers for the next", async () => {
    const network = createNetwork([blob], { "own.example": hanging, "two.example": honest });
    const ipfs = createIpfsDownloader({
      gateways: [OWN],
      publicGateways: ["https://two.example"],
      gatewayTimeoutMs: 30,
      fetch: network.fetch,
      clock: systemClock,
    });
    expect(await ipfs.download(cid)).toEqual(blob.bytes);
    expect(GATEWAY_TIMEOUT_MS).toBe(15_000);
  });
});

describe("download with an accept callback", () => {
  it("gives what the callback makes of the verified bytes", async () => {
    const { ipfs } = downloader({ "own.example": lying, ...everywhere(honest) });
    expect(await ipfs.download(cid, (bytes) => new TextDecoder().decode(bytes))).toBe("a sealed prompt");
  });

  it("never shows it wrong bytes, and passes its rejection on at once: proven bytes are the same everywhere", async () => {
    const { ipfs, hosts } = downloader({ "own.example": lying, ...everywhere(honest) });
    const rejection = new NodeError("prompt-unreadable", "the tag does not fit", { retry: "never", hint: "" });
    const seen: Uint8Array[] = [];
    const refused = ipfs.download(cid, async (bytes) => {
      seen.push(bytes);
      throw rejection;
    });
    await expect(refused).rejects.toBe(rejection);
    expect(seen).toEqual([blob.bytes]);
    expect([...new Set(hosts())]).toEqual(["own.example", "gateway.pinata.cloud"]);
  });
});

describe("download's cache", () => {
  it("serves both spellings of a CID for 60 s, then asks again", async () => {
    const { ipfs, clock, hosts } = downloader({ "own.example": honest });
    await ipfs.download(cid);
    (await ipfs.download(cid)).fill(0);
    expect(await ipfs.download(blob.cid.toV1().toString())).toEqual(blob.bytes);
    expect(hosts().length).toBe(1);
    clock.advance(60_000);
    expect(await ipfs.download(cid)).toEqual(blob.bytes);
    expect(hosts().length).toBe(2);
  });

  it("remembers no failure", async () => {
    let down = true;
    const { ipfs } = downloader(
      { "own.example": (asked, full) => (down ? status(500)(asked, full) : full()) },
      { publicGateways: [] },
    );
    await failureOf(ipfs.download(cid));
    down = false;
    expect(await ipfs.download(cid)).toEqual(blob.bytes);
  });
});

describe("download fails", () => {
  it("with ipfs-unavailable, later, when no gateway answers, naming each by its host only", async () => {
    const { ipfs } = downloader(
      { "own.example": status(502), "two.example": status(404) },
      { gateways: ["https://own.example?token=hush"], publicGateways: ["https://two.example", "https://gone.example"] },
    );
    const failure = await failureOf(ipfs.download(cid));
    expect(failure).toMatchObject({ code: "ipfs-unavailable", retry: "later", admitted: "no" });
    expect(failure.message).toBe(
      `no gateway gave the content of ${cid}: own.example answered 502; two.example answered 404; gone.example could not be reached`,
    );
    expect(JSON.stringify(failure)).not.toContain("hush");
  });

  it("with ipfs-mismatch, later, when a gateway lied and no other was better", async () => {
    const { ipfs } = downloader({ "own.example": lying, ...everywhere(status(504)) });
    expect(await failureOf(ipfs.download(cid))).toMatchObject({ code: "ipfs-mismatch", retry: "later" });
  });

  it("with ipfs-mismatch when the only answers cannot be proven", async () => {
    const { ipfs } = downloader({ "own.example": plainOnly(unusual), ...everywhere(plainOnly(unusual)) });
    const failure = await failureOf(ipfs.download(unusual.cid.toString()));
    expect(failure).toMatchObject({ code: "ipfs-mismatch", retry: "later" });
    expect(failure.hint).toContain("PINATA_GATEWAY_URL");
  });

  it("with ipfs-mismatch, never, and without asking anyone, on a text that is no CID", async () => {
    const { ipfs, hosts } = downloader({ "own.example": honest });
    expect(await failureOf(ipfs.download("../../admin"))).toMatchObject({ code: "ipfs-mismatch", retry: "never" });
    expect(hosts()).toEqual([]);
  });

  it("with prompt-unreadable, never, at the first gateway whose blocks prove the content too large", async () => {
    const large = await importFile(new Uint8Array(MAX_PROMPT_BLOB_BYTES + 1), { cidVersion: 0 });
    const network = createNetwork([large], { "own.example": honest, ...everywhere(honest) });
    const ipfs = createIpfsDownloader({ gateways: [OWN], fetch: network.fetch, clock: createManualClock() });
    expect(await failureOf(ipfs.download(large.cid.toString()))).toMatchObject({
      code: "prompt-unreadable",
      retry: "never",
    });
    expect(network.asked.map((asked) => asked.host)).toEqual(["own.example"]);
  });

  it("with ipfs-mismatch, later, when gateways send more than is taken, which proves nothing about the file", async () => {
    const own = downloader({ "own.example": flood }, { publicGateways: [] });
    const failure = await failureOf(own.ipfs.download(cid));
    expect(failure).toMatchObject({ code: "ipfs-mismatch", retry: "later" });
    expect(failure.hint).toContain(`more than ${MAX_PROMPT_BLOB_BYTES} bytes`);
    const mixed = downloader({ "own.example": status(504), ...everywhere(flood) });
    expect(await failureOf(mixed.ipfs.download(cid))).toMatchObject({ code: "ipfs-mismatch", retry: "later" });
  });

  it("with the caller's own reason when the caller gives up, and asks no further gateway", async () => {
    const abort = new AbortController();
    const { ipfs, hosts } = downloader({
      "own.example": () => {
        abort.abort(new Error("deadline"));
        return new Promise<never>(() => {});
      },
      ...everywhere(honest),
    });
    await expect(ipfs.download(cid, undefined, abort.signal)).rejects.toThrow("deadline");
    expect(hosts()).toEqual(["own.example"]);
  });

  it("takes a file of exactly the largest size", async () => {
    const largest = await importFile(new Uint8Array(MAX_PROMPT_BLOB_BYTES), { cidVersion: 0 });
    const network = createNetwork([largest], { "own.example": honest });
    const ipfs = createIpfsDownloader({ gateways: [OWN], fetch: network.fetch, clock: createManualClock() });
    expect((await ipfs.download(largest.cid.toString())).length).toBe(MAX_PROMPT_BLOB_BYTES);
  });
});
