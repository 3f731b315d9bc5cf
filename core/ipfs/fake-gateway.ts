/**
 * For tests only: IPFS gateways that behave, or misbehave in a chosen way, behind one fake fetch, and a clock that moves
 * when it is told to. Blocks and CIDs come from ipfs-unixfs-importer, code that is not ours. No process may import it.
 */
import { importBytes } from "ipfs-unixfs-importer";
import { fixedSize } from "ipfs-unixfs-importer/chunker";
import { balanced } from "ipfs-unixfs-importer/layout";
import type { Clock, Fetch } from "../ports.ts";
import { writeCar } from "./car.ts";
import { type Bytes, blockKey, type Cid, parseCid } from "./cid.ts";
import { readFile } from "./dag.ts";
import type { Format } from "./gateway.ts";

export interface ImportedFile {
  cid: Cid;
  bytes: Bytes;
  blocks: { cid: Cid; bytes: Bytes }[];
}

export interface ImportOptions {
  cidVersion?: 0 | 1;
  rawLeaves?: boolean;
  chunkBytes?: number;
  width?: number;
}

export async function importFile(bytes: Uint8Array, options: ImportOptions = {}): Promise<ImportedFile> {
  const blocks: ImportedFile["blocks"] = [];
  const { cid } = await importBytes(
    bytes,
    {
      async put(key, value) {
        blocks.push({ cid: key, bytes: new Uint8Array(value as Uint8Array) });
        return key;
      },
    },
    {
      cidVersion: options.cidVersion ?? 1,
      rawLeaves: options.rawLeaves ?? (options.cidVersion ?? 1) === 1,
      chunker: fixedSize({ chunkSize: options.chunkBytes ?? 262_144 }),
      layout: balanced({ maxChildrenPerNode: options.width ?? 174 }),
    },
  );
  return { cid, bytes: new Uint8Array(bytes), blocks };
}

export interface Asked {
  host: string;
  format: Format;
  cid: string;
  url: URL;
  accept: string;
  redirect: string;
}

/** What a gateway does when asked. `honest` is what a full one would answer. */
export type Behaviour = (asked: Asked, honest: () => Promise<Response>) => Response | Promise<Response>;

export interface FakeNetwork {
  fetch: Fetch;
  asked: Asked[];
}

/** Gateways by host. All of them hold the same files. */
export function createNetwork(files: readonly ImportedFile[], hosts: Record<string, Behaviour>): FakeNetwork {
  const asked: Asked[] = [];
  const fetch: Fetch = async (input, init) => {
    const sent = new Request(input, init);
    const url = new URL(sent.url);
    const request: Asked = {
      host: url.host,
      format: (url.searchParams.get("format") ?? "plain") as Format,
      cid: url.pathname.replace(/^.*\/ipfs\//, ""),
      url,
      accept: sent.headers.get("accept") ?? "",
      redirect: sent.redirect,
    };
    asked.push(request);
    const behaviour = hosts[url.host];
    if (behaviour === undefined) throw new TypeError("no such host");
    const cut = new Promise<never>((_, reject) => {
      sent.signal.addEventListener("abort", () => reject(sent.signal.reason as Error), { once: true });
    });
    return Promise.race([Promise.resolve(behaviour(request, () => answer(files, request))), cut]);
  };
  return { fetch, asked };
}

async function answer(files: readonly ImportedFile[], { cid: text, format }: Asked): Promise<Response> {
  const cid = parseCid(text);
  const blocks = new Map(files.flatMap((file) => file.blocks).map((block) => [blockKey(block.cid), block]));
  const found = cid.ok ? blocks.get(blockKey(cid.value)) : undefined;
  if (!cid.ok || found === undefined) return new Response("not found", { status: 404 });
  if (format === "raw") return new Response(found.bytes);
  if (format === "car") {
    const file = files.find((candidate) => blockKey(candidate.cid) === blockKey(cid.value));
    return new Response(writeCar(cid.value, file?.blocks ?? [found]));
  }
  const whole = await readFile(
    cid.value,
    async (part) => ({ ok: true, value: held(blocks.get(blockKey(part))) }),
    2 ** 26,
  );
  if (!whole.ok) return new Response("not a file", { status: 500 });
  return new Response(whole.value);
}

function held(block: { bytes: Bytes } | undefined): Bytes {
  if (block === undefined) throw new Error("the test's files lack a block");
  return block.bytes;
}

export const honest: Behaviour = (_, full) => full();

/** Answers every format with this status. */
export const status =
  (code: number): Behaviour =>
  () =>
    new Response("no", { status: code });

/** A gateway of the simple kind: it serves files and declines the formats given with this status. */
export const without =
  (formats: readonly Format[], code = 400): Behaviour =>
  (asked, full) =>
    formats.includes(asked.format) ? new Response("unsupported", { status: code }) : full();

/** A gateway that has never heard of formats: whatever it is asked, it sends the file. */
export const plainOnly =
  (file: ImportedFile): Behaviour =>
  () =>
    new Response(file.bytes);

export const hanging: Behaviour = () => new Promise<never>(() => {});

export interface ManualClock extends Clock {
  advance(ms: number): void;
}

/** Nothing here sleeps on it; it only tells the time it is told. */
export function createManualClock(startMs = 1_700_000_000_000): ManualClock {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    sleep: () => Promise.reject(new Error("nothing in core/ipfs sleeps")),
    advance(ms) {
      nowMs += ms;
    },
  };
}
