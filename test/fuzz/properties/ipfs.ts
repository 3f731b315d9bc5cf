/**
 * IPFS: names, archives, trees and gateways. Whatever a gateway sends, what is handed out hashes to the CID; whatever a
 * tree claims, reading it stays within its bounds; and no gateway can talk a sound CID into a final failure.
 */
import * as dagPb from "@ipld/dag-pb";
import fc from "fast-check";
import { UnixFS } from "ipfs-unixfs";
import { CID } from "multiformats/cid";
import { sha256 } from "multiformats/hashes/sha2";
import { readCar, writeCar } from "../../../core/ipfs/car.ts";
import { blockKey, CID_TEXT_MAX, type Cid, DAG_PB, parseCid, RAW } from "../../../core/ipfs/cid.ts";
import { MAX_VISITS, readFile } from "../../../core/ipfs/dag.ts";
import { createIpfsDownloader } from "../../../core/ipfs/download.ts";
import { importFile } from "../../../core/ipfs/fake-gateway.ts";
import { isFileOf } from "../../../core/ipfs/layout.ts";
import { createPinner } from "../../../core/ipfs/pin.ts";
import { MANY_BLOCKS, ONE_BLOCK } from "../../../core/ipfs/published-files.ts";
import { Secret } from "../../../core/secret.ts";
import { mutatedBytes, mutatedJson, mutatedText } from "../mutate.ts";
import { CANARY, came, must, property } from "../property.ts";
import { behaviourWith, passingClock, serverOf } from "../server.ts";

const CIDS = [...ONE_BLOCK, ...MANY_BLOCKS].map(({ cid }) => cid);
const V1 = CIDS.filter((cid) => cid.startsWith("b")).map((cid) => CID.parse(cid));
const FILES = await Promise.all(
  [...ONE_BLOCK, ...MANY_BLOCKS.slice(0, 2)].map(({ content, options }) => importFile(content, options)),
);
const CARS = FILES.map((file) => writeCar(file.cid, file.blocks));

/** What gateways hold: whole files, single blocks, archives, and pages of HTML. */
const HELD = [...FILES.flatMap(({ bytes, blocks }) => [bytes, ...blocks.map((block) => block.bytes)]), ...CARS].filter(
  (bytes, index, all) => all.findIndex((one) => Buffer.compare(one, bytes) === 0) === index,
);
const sent = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...HELD) },
  { weight: 2, arbitrary: mutatedBytes(HELD) },
  { weight: 1, arbitrary: fc.constantFrom(`<html>${CANARY}</html>`, "") },
);

const same = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0;

const names = [
  property(
    "takes only canonical names that can stand in a URL, and repeats none that it refuses",
    8_000,
    fc.oneof(
      mutatedText(
        [...CIDS, ...V1.map((cid) => cid.toString())],
        ["b", "z", "k", "Q", "=", "/", "\u00e9", "A", "0", CANARY],
      ),
      fc.string({ maxLength: 140 }),
    ),
    (text) => {
      const parsed = parseCid(text);
      if (!parsed.ok) {
        must(!(text.length > 9 && parsed.refusal.message.includes(text)), "a refusal repeats nothing");
        return;
      }
      const canonical = parsed.value.toString();
      must(/^[a-zA-Z0-9]+$/.test(canonical) && canonical.length <= CID_TEXT_MAX, "a name can stand in a URL");
      const again = parseCid(canonical);
      must(again.ok && again.value.toString() === canonical, "a canonical name is its own");
      must([RAW, DAG_PB].includes(parsed.value.code), "only files have names");
    },
  ),
  property("reads an archive's blocks, or none", 6_000, mutatedBytes(CARS), (bytes) => {
    const room = [...readCar(bytes).values()].reduce((sum, block) => sum + block.length, 0);
    must(room <= bytes.length, "no block is longer than the archive");
  }),
  property(
    "reads the archive that it wrote",
    800,
    fc.uniqueArray(fc.uint8Array({ maxLength: 300 }), { maxLength: 6, selector: (bytes) => bytes.join() }),
    async (contents) => {
      const blocks = await Promise.all(
        contents.map(async (bytes) => ({ cid: CID.createV1(RAW, await sha256.digest(bytes)) as Cid, bytes })),
      );
      const read = readCar(writeCar(V1[0] as Cid, blocks));
      must(read.size === blocks.length, "there are as many blocks as before");
      for (const { cid, bytes } of blocks)
        must(same(read.get(blockKey(cid)) ?? new Uint8Array(1), bytes), "each is the same");
    },
  ),
  property(
    "proves no other bytes than the file's own",
    4_000,
    fc.tuple(fc.nat(), mutatedBytes(HELD)),
    async ([pick, bytes]) => {
      const file = FILES[pick % FILES.length];
      if (file !== undefined && (await isFileOf(file.cid, bytes)))
        must(same(bytes, file.bytes), "proven bytes are the file");
    },
  ),
];

const DOWNLOAD_CODES = ["ipfs-unavailable", "ipfs-mismatch", "prompt-unreadable"];

const gateways = property(
  "hands out nothing that does not hash to the CID, and blames no sound CID for a gateway",
  8_000,
  fc.tuple(fc.nat(), fc.array(behaviourWith(sent), { minLength: 1, maxLength: 4 })),
  async ([pick, behaviours]) => {
    const file = FILES[pick % FILES.length];
    if (file === undefined) return;
    const clock = passingClock();
    const { fetch, urls } = serverOf(behaviours, clock);
    const hosts = { gateways: ["https://one.test", "https://two.test/ipfs/"], publicGateways: [] };
    const ipfs = createIpfsDownloader({ ...hosts, fetch, clock });
    const { value, error } = await came(DOWNLOAD_CODES, () => ipfs.download(file.cid.toString()));
    must(value === undefined || same(value, file.bytes), "what is handed out is the file");
    must(error === undefined || error.retry === "later", "a gateway is no reason to give up");
    // Two gateways, at most 24 single blocks, an archive and plain bytes each, and five redirects a request.
    must(urls.length <= 2 * 26 * 6, "the requests are counted");
  },
);

/** A tree that is told of rather than stored: nodes name later nodes, many times if they like, with sizes of their own. */
interface Sketch {
  kind: "raw" | "file" | "directory" | "noise";
  data: Uint8Array;
  children: number[];
  lie: number;
}
const sketch: fc.Arbitrary<Sketch> = fc.record({
  kind: fc.constantFrom("raw", "raw", "file", "file", "file", "file", "directory", "noise"),
  data: fc.uint8Array({ maxLength: 40 }),
  children: fc.array(fc.nat({ max: 3 }), { maxLength: 12 }),
  lie: fc.constantFrom(0, 0, 0, 0, 0, 0, 1, -1, 2 ** 40),
});

interface Stored {
  cid: Cid;
  bytes: Uint8Array;
  size: bigint;
}

/** Blocks from the leaves up, so that every link names a block that is there. */
async function built(sketches: readonly Sketch[]): Promise<Stored[]> {
  const stored: Stored[] = [];
  for (const { kind, data, children, lie } of sketches) {
    const links =
      stored.length === 0 ? [] : children.map((back) => stored[Math.max(0, stored.length - 1 - back)] as Stored);
    stored.push(await blockOf(kind, data, links, BigInt(lie)));
  }
  return stored;
}

async function blockOf(kind: Sketch["kind"], data: Uint8Array, links: readonly Stored[], lie: bigint): Promise<Stored> {
  if (kind === "raw" || kind === "noise") {
    const cid = CID.createV1(kind === "raw" ? RAW : DAG_PB, await sha256.digest(data));
    return { cid: cid as Cid, bytes: data, size: BigInt(data.length) };
  }
  const node = new UnixFS({ type: kind, data });
  for (const { size } of links) node.addBlockSize(size + lie < 0n ? 0n : size + lie);
  const Links = links.map(({ cid }) => ({ Name: "", Tsize: 1, Hash: cid }));
  const bytes = dagPb.encode({ Data: node.marshal(), Links });
  const cid = CID.createV1(DAG_PB, await sha256.digest(bytes)) as Cid;
  return { cid, bytes, size: links.reduce((sum, link) => sum + link.size, BigInt(data.length)) };
}

const LIMIT = 4_000;
const trees = property(
  "reads a tree within its bounds, however often its parts repeat and whatever sizes they claim",
  3_000,
  fc.array(sketch, { minLength: 1, maxLength: 14 }),
  async (sketches) => {
    const stored = await built(sketches);
    const blocks = new Map(stored.map(({ cid, bytes }) => [blockKey(cid), bytes]));
    let visits = 0;
    const root = stored.at(-1) as Stored;
    const read = await readFile<never>(
      root.cid,
      async (cid) => {
        visits += 1;
        return { ok: true, value: blocks.get(blockKey(cid)) ?? new Uint8Array() };
      },
      LIMIT,
    );
    must(visits <= MAX_VISITS, "the visits are counted");
    if (read.ok)
      must(read.value.length <= LIMIT && BigInt(read.value.length) === root.size, "a file is as long as it says");
  },
);

const OUTPUT = FILES[0]?.bytes ?? new Uint8Array();
const pins = property(
  "takes a pinning service's word for a CID only where the bytes do not contradict it",
  4_000,
  behaviourWith(mutatedJson([{ IpfsHash: CIDS[0], PinSize: 12 }, { data: { cid: CIDS[3] } }, { IpfsHash: CIDS[1] }])),
  async (behaviour) => {
    const clock = passingClock();
    const pinner = createPinner({ jwt: new Secret("SWALLOWED"), clock, ...serverOf([behaviour], clock) });
    const { value } = await came(["pin-refused", "pin-unavailable"], () => pinner.pin(OUTPUT, "name"));
    if (value === undefined) return;
    const cid = parseCid(value.cid);
    must(cid.ok && (cid.value.code !== RAW || (await isFileOf(cid.value, OUTPUT))), "a raw CID is the bytes' own");
  },
);

export const ipfs = [...names, gateways, trees, pins];
