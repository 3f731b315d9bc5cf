/**
 * Gets one CID's content from one gateway and proves it, whatever the gateway supports. The order: the root as a raw block,
 * which for a prompt is nearly always all of it; the tree in one CAR, not block by block, because a Worker's requests are
 * counted; single blocks where the CAR lacks them; plain bytes last. Invariant: what it returns hashes to the CID.
 */
import type { Clock } from "../ports.ts";
import { ok, type Result, refuse } from "../result.ts";
import { readCar } from "./car.ts";
import { type Bytes, blockKey, type Cid, hashesTo, RAW } from "./cid.ts";
import { type DagRefusal, readFile } from "./dag.ts";
import type { Format, Gateway, GatewayFault } from "./gateway.ts";
import { isFileOf } from "./layout.ts";

export interface RetrieveLimits {
  /** For all requests to this gateway together. */
  timeoutMs: number;
  /** Of the file. */
  maxBytes: number;
  signal?: AbortSignal | undefined;
}

/** A file of 4 MiB has 16 blocks in the usual layout; a free Worker may send 50 requests an invocation. */
const MAX_BLOCK_REQUESTS = 24;
/** Protobuf around a block of file bytes. */
const BLOCK_ENVELOPE_BYTES = 1024;
/** Beside each block a CAR holds its length and CID, some 40 bytes; this allows for chunks of 64 bytes. */
const CAR_OVERHEAD = 2;

/**
 * The verified bytes, the gateway's fault, or a DagRefusal when verified blocks show that no gateway can do better.
 * Throws only the signal's reason.
 */
export async function retrieve(
  gateway: Gateway,
  cid: Cid,
  clock: Clock,
  limits: RetrieveLimits,
): Promise<Result<Bytes, GatewayFault | DagRefusal>> {
  const visit = createVisit(gateway, clock, limits);
  const root = await visit.ask(cid, "raw");
  if (!root.ok && root.refusal.kind !== "unsupported") return root;
  if (root.ok) {
    if (await hashesTo(cid, root.value)) return cid.code === RAW ? root : readTree(visit, cid, root.value, limits);
    // Gateways that know no formats ignore the question and send the file itself.
    if (root.value.length <= limits.maxBytes && (await isFileOf(cid, root.value))) return root;
    if (cid.code === RAW) return refuse(UNPROVEN);
  }
  const other = cid.code === RAW ? await readPlain(visit, cid) : await readWithoutBlocks(visit, cid, limits);
  // Wrong bytes weigh more than what a second question came to: they are what the operator should hear of.
  return !other.ok && root.ok && "kind" in other.refusal ? refuse(UNPROVEN) : other;
}

const UNPROVEN: GatewayFault = { kind: "mismatch", message: "sent bytes that are not provably the CID's content" };

/** The requests to one gateway, under one time limit and one count. */
interface Visit {
  ask(cid: Cid, format: Format): Promise<Result<Bytes, GatewayFault>>;
}

function createVisit(gateway: Gateway, clock: Clock, limits: RetrieveLimits): Visit {
  const endsAtMs = clock.now() + limits.timeoutMs;
  let blockRequests = 0;
  return {
    async ask(cid, format) {
      const timeoutMs = endsAtMs - clock.now();
      if (timeoutMs <= 0) return refuse({ kind: "unreachable", message: "did not answer in time" });
      blockRequests += format === "raw" ? 1 : 0;
      if (blockRequests > MAX_BLOCK_REQUESTS) {
        return refuse({ kind: "unsupported", message: "would need too many requests for single blocks" });
      }
      return gateway.ask(cid, format, { timeoutMs, maxBytes: maxAnswer(cid, format, limits), signal: limits.signal });
    },
  };
}

function maxAnswer(cid: Cid, format: Format, { maxBytes }: RetrieveLimits): number {
  switch (format) {
    case "raw":
      return cid.code === RAW ? maxBytes : maxBytes + BLOCK_ENVELOPE_BYTES;
    case "car":
      return maxBytes * CAR_OVERHEAD + BLOCK_ENVELOPE_BYTES;
    case "plain":
      return maxBytes;
  }
}

/** Reads on from a verified root: links first out of one CAR, then block by block. */
function readTree(visit: Visit, cid: Cid, root: Bytes, limits: RetrieveLimits) {
  let car: Promise<ReadonlyMap<string, Uint8Array>> | undefined;
  return readFile<GatewayFault>(
    cid,
    async (part) => {
      if (part === cid) return ok(root);
      car ??= visit.ask(cid, "car").then((answer) => (answer.ok ? readCar(answer.value) : new Map()));
      const packed = (await car).get(blockKey(part));
      if (packed !== undefined && (await hashesTo(part, packed))) return ok(packed);
      const single = await visit.ask(part, "raw");
      if (!single.ok) return single;
      return (await hashesTo(part, single.value)) ? single : refuse(UNPROVEN);
    },
    limits.maxBytes,
  );
}

/** For a gateway that gave no verifiable root block: the tree from a CAR alone, else plain bytes that prove themselves. */
async function readWithoutBlocks(
  visit: Visit,
  cid: Cid,
  limits: RetrieveLimits,
): Promise<Result<Bytes, GatewayFault | DagRefusal>> {
  const car = await visit.ask(cid, "car");
  if (!car.ok) return car.refusal.kind === "unsupported" ? readPlain(visit, cid) : car;
  const blocks = readCar(car.value);
  const fits = car.value.length <= limits.maxBytes;
  if (blocks.size === 0 && fits && (await isFileOf(cid, car.value))) return car;
  return readFile<GatewayFault>(
    cid,
    async (part) => {
      const packed = blocks.get(blockKey(part));
      return packed !== undefined && (await hashesTo(part, packed)) ? ok(packed) : refuse(UNPROVEN);
    },
    limits.maxBytes,
  );
}

async function readPlain(visit: Visit, cid: Cid): Promise<Result<Bytes, GatewayFault>> {
  const plain = await visit.ask(cid, "plain");
  return !plain.ok || (await isFileOf(cid, plain.value)) ? plain : refuse(UNPROVEN);
}
