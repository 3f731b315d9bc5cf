import { CID } from "multiformats/cid";
import { sha256 } from "multiformats/hashes/sha2";
import { describe, expect, it } from "vitest";
import { systemClock } from "../ports.ts";
import { writeCar } from "./car.ts";
import { RAW } from "./cid.ts";
import {
  type Asked,
  type Behaviour,
  createManualClock,
  createNetwork,
  hanging,
  honest,
  type ImportedFile,
  importFile,
  plainOnly,
  status,
  without,
} from "./fake-gateway.ts";
import { createGateway, gatewayBase } from "./gateway.ts";
import { MANY_BLOCKS, ONE_BLOCK } from "./published-files.ts";
import { retrieve } from "./retrieve.ts";

const MAX_BYTES = 4 * 1024 * 1024;
const utf8 = (text: string) => new TextEncoder().encode(text);

const raw = await importFile(utf8("a sealed prompt"));
const single = await importFile(utf8("a sealed prompt"), { cidVersion: 0 });
/** Three chunks in the default layout, so that even plain bytes can prove themselves. */
const usual = await importFile(new Uint8Array(600_000).fill(7), { cidVersion: 0 });
/** Nine leaves under three nodes: a layout nobody uses. */
const unusual = await importFile(utf8("abcdefghijklmnopq"), { cidVersion: 0, chunkBytes: 2, width: 3 });
const manyLeaves = await importFile(
  Uint8Array.from({ length: 60 }, (_, index) => index),
  { chunkBytes: 1, width: 60 },
);

async function from(file: ImportedFile, behaviour: Behaviour, limits = { timeoutMs: 10_000, maxBytes: MAX_BYTES }) {
  const network = createNetwork([file], { "g.example": behaviour });
  const clock = createManualClock();
  const gateway = createGateway(gatewayBase("https://g.example"), { fetch: network.fetch, clock });
  const answer = await retrieve(gateway, file.cid, clock, limits);
  return { answer, formats: network.asked.map((asked) => asked.format) };
}

const htmlPage: Behaviour = () =>
  new Response("<html>Please wait…</html>", { headers: { "content-type": "text/html" } });

/** What the full gateway sends, changed. */
const altered =
  (change: (bytes: Uint8Array, asked: Asked) => Uint8Array<ArrayBuffer>): Behaviour =>
  async (asked, full) =>
    new Response(change(new Uint8Array(await (await full()).arrayBuffer()), asked));

const flipped = altered((bytes) => Uint8Array.from(bytes, (byte, index) => (index === 0 ? byte ^ 1 : byte)));
const cutShort = altered((bytes) => bytes.slice(0, -1));

describe("retrieve from a full gateway", () => {
  it.each([...ONE_BLOCK, ...MANY_BLOCKS])("gets $name, published by others", async (published) => {
    const file = await importFile(published.content, published.options);
    const { answer, formats } = await from(file, honest);
    expect(answer).toEqual({ ok: true, value: file.bytes });
    expect(formats).toEqual(published.blocks === 1 ? ["raw"] : ["raw", "car"]);
  });
});

describe("retrieve from gateways that support less", () => {
  it.each<[string, ImportedFile, Behaviour, string[]]>([
    ["no raw blocks, raw content", raw, without(["raw"]), ["raw", "plain"]],
    ["no raw blocks, one block", single, without(["raw"]), ["raw", "car"]],
    ["no raw blocks, a tree", unusual, without(["raw"], 406), ["raw", "car"]],
    ["no CARs, a tree", usual, without(["car"], 501), ["raw", "car", "raw", "raw", "raw"]],
    ["neither, raw content", raw, without(["raw", "car"], 415), ["raw", "plain"]],
    ["neither, one block", single, without(["raw", "car"]), ["raw", "car", "plain"]],
    ["neither, the default layout", usual, without(["raw", "car"]), ["raw", "car", "plain"]],
    ["formats unheard of, raw content", raw, plainOnly(raw), ["raw"]],
    ["formats unheard of, one block", single, plainOnly(single), ["raw"]],
    ["formats unheard of, the default layout", usual, plainOnly(usual), ["raw"]],
    [
      "raw refused and CAR unheard of",
      usual,
      (asked, full) => (asked.format === "raw" ? status(400)(asked, full) : plainOnly(usual)(asked, full)),
      ["raw", "car"],
    ],
  ])("%s: still proves the bytes", async (_, file, behaviour, expected) => {
    const { answer, formats } = await from(file, behaviour);
    expect(answer).toEqual({ ok: true, value: file.bytes });
    expect(formats).toEqual(expected);
  });

  it("fills in single blocks that a CAR lacks", async () => {
    const { answer, formats } = await from(unusual, (asked, full) =>
      asked.format === "car" ? new Response(writeCar(unusual.cid, unusual.blocks.slice(2))) : full(),
    );
    expect(answer).toEqual({ ok: true, value: unusual.bytes });
    expect(formats).toEqual(["raw", "car", "raw", "raw"]);
  });

  it("takes a CAR whose root was upgraded to version 1", async () => {
    const [upgraded] = [single].map((file) =>
      writeCar(
        file.cid.toV1(),
        file.blocks.map((b) => ({ ...b, cid: b.cid.toV1() })),
      ),
    );
    const { answer } = await from(single, (asked, full) =>
      asked.format === "car" ? new Response(upgraded) : without(["raw"])(asked, full),
    );
    expect(answer).toEqual({ ok: true, value: single.bytes });
  });

  it("gives up on single blocks before a Worker's requests are used up", async () => {
    const { answer, formats } = await from(manyLeaves, without(["car"]));
    expect(answer).toMatchObject({ ok: false, refusal: { kind: "unsupported" } });
    expect(formats.filter((format) => format === "raw").length).toBeLessThan(30);
  });

  it("does not believe plain bytes in a layout it cannot rebuild", async () => {
    for (const behaviour of [plainOnly(unusual), without(["raw", "car"])]) {
      const { answer } = await from(unusual, behaviour);
      expect(answer).toMatchObject({ ok: false, refusal: { kind: "mismatch" } });
    }
  });
});

describe("retrieve from a gateway that lies", () => {
  const files = { raw, single, usual, unusual };
  const lies = { "one bit flipped": flipped, "cut short": cutShort, "a page of HTML with status 200": htmlPage };
  const cases = Object.entries(files).flatMap(([kind, file]) =>
    Object.entries(lies).map(([lie, behaviour]) => [kind, lie, file, behaviour] as const),
  );
  it.each(cases)("finds out: %s, %s", async (_kind, _lie, file, behaviour) => {
    const { answer } = await from(file, behaviour);
    expect(answer).toMatchObject({ ok: false, refusal: { kind: "mismatch" } });
  });

  /** The tree with its root as it is and one bit changed in every other block. */
  const wrongCar = writeCar(
    unusual.cid,
    unusual.blocks.map((block) => ({
      cid: block.cid,
      bytes: block.cid.equals(unusual.cid) ? block.bytes : block.bytes.map((byte) => byte ^ 1),
    })),
  );
  const wrongParts: Behaviour = (asked, full) => {
    if (asked.format === "car") return new Response(wrongCar);
    return asked.cid === unusual.cid.toString() ? full() : flipped(asked, full);
  };
  it.each<[string, Behaviour]>([
    ["in a CAR and alone", wrongParts],
    [
      "in a CAR, from a gateway without raw blocks",
      (asked, full) => (asked.format === "raw" ? status(400)(asked, full) : wrongParts(asked, full)),
    ],
    [
      "alone, from a gateway without CARs",
      (asked, full) => (asked.format === "car" ? status(400)(asked, full) : wrongParts(asked, full)),
    ],
  ])("finds out wrong blocks under a right root: %s", async (_, behaviour) => {
    const { answer } = await from(unusual, behaviour);
    expect(answer).toMatchObject({ ok: false, refusal: { kind: "mismatch" } });
  });

  it("finds out the right blocks in the wrong places", async () => {
    const [first, second] = usual.blocks.filter((block) => !block.cid.equals(usual.cid));
    if (first === undefined || second === undefined) throw new Error("too few blocks");
    const swap = (cid: string) => (cid === first.cid.toString() ? second : first);
    const { answer } = await from(usual, (asked, full) =>
      asked.format === "car"
        ? status(400)(asked, full)
        : asked.cid === usual.cid.toString()
          ? full()
          : new Response(swap(asked.cid).bytes.slice(0, -1)),
    );
    expect(answer).toMatchObject({ ok: false, refusal: { kind: "mismatch" } });
  });

  it("tells of wrong bytes even if the second question finds the content absent", async () => {
    const { answer } = await from(single, (asked, full) =>
      asked.format === "raw" ? htmlPage(asked, full) : status(404)(asked, full),
    );
    expect(answer).toMatchObject({ ok: false, refusal: { kind: "mismatch" } });
  });

  it("stops reading an answer without end", async () => {
    let pulled = 0;
    const endless: Behaviour = () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            pulled += 1;
            controller.enqueue(new Uint8Array(65_536));
          },
        }),
      );
    for (const file of [raw, single]) {
      const { answer } = await from(file, endless, { timeoutMs: 10_000, maxBytes: 1_000_000 });
      expect(answer).toMatchObject({ ok: false, refusal: { kind: "oversized" } });
    }
    expect(pulled).toBeLessThan(60);
  });
});

describe("retrieve refuses for good", () => {
  it("content that its own blocks show to be too large", async () => {
    const { answer } = await from(usual, honest, { timeoutMs: 10_000, maxBytes: 599_999 });
    expect(answer).toMatchObject({ ok: false, refusal: { reason: "too-large" } });
  });

  it.each([
    ["raw content", raw, honest],
    ["one block", single, honest],
    ["one block, from a gateway that sends the file whatever it is asked", single, plainOnly(single)],
  ])("one byte more than is taken: %s", async (_, file, behaviour) => {
    const size = file.bytes.length;
    expect((await from(file, behaviour, { timeoutMs: 10_000, maxBytes: size })).answer.ok).toBe(true);
    expect((await from(file, behaviour, { timeoutMs: 10_000, maxBytes: size - 1 })).answer.ok).toBe(false);
  });

  it("content that is no file", async () => {
    // The empty directory, the best known CID of all; its block is the four bytes 0a 02 08 01.
    const block = Uint8Array.of(0x0a, 0x02, 0x08, 0x01);
    const cid = CID.parse("QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn");
    const { answer } = await from({ cid, bytes: block, blocks: [{ cid, bytes: block }] }, honest);
    expect(answer).toMatchObject({ ok: false, refusal: { reason: "not-a-file" } });
  });
});

describe("retrieve within its time", () => {
  it("shares one time limit among all questions to a gateway", async () => {
    const clock = createManualClock();
    const network = createNetwork([usual], {
      "g.example": (asked, full) => {
        clock.advance(6_000);
        return without(["car"])(asked, full);
      },
    });
    const gateway = createGateway(gatewayBase("https://g.example"), { fetch: network.fetch, clock });
    const answer = await retrieve(gateway, usual.cid, clock, { timeoutMs: 10_000, maxBytes: MAX_BYTES });
    expect(answer).toMatchObject({ ok: false, refusal: { kind: "unreachable" } });
    expect(network.asked.length).toBe(2);
  });

  it("leaves a gateway that never answers", async () => {
    const network = createNetwork([raw], { "g.example": hanging });
    const gateway = createGateway(gatewayBase("https://g.example"), { fetch: network.fetch, clock: systemClock });
    const answer = await retrieve(gateway, raw.cid, systemClock, { timeoutMs: 30, maxBytes: MAX_BYTES });
    expect(answer).toMatchObject({ ok: false, refusal: { kind: "unreachable", message: "did not answer in time" } });
  });

  it("hashes an answer in full: a raw CID of other bytes of the same length is not taken", async () => {
    const other = CID.createV1(RAW, await sha256.digest(utf8("a sealed prompu")));
    const network = createNetwork([raw], { "g.example": () => new Response(raw.bytes) });
    const clock = createManualClock();
    const gateway = createGateway(gatewayBase("https://g.example"), { fetch: network.fetch, clock });
    expect(await retrieve(gateway, other, clock, { timeoutMs: 10_000, maxBytes: MAX_BYTES })).toMatchObject({
      ok: false,
    });
  });
});
