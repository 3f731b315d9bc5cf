/**
 * The nodes a coordinator knows: attested, and heard of. Knowledge is in memory only and can be lost (`forget`), as the
 * network's coordinator loses it with every restart. A silent node stays known but is no longer selected.
 */
import type { Address } from "viem";
import type { Job } from "./job.ts";
import type { WireValue } from "./wire.ts";

export interface NodeEntry {
  address: Address;
  tier: 0 | 1 | 2;
  models: readonly string[];
  /** `0x` and 32 hex digits. */
  certHash: string;
  expiresAtMs: number;
  attestedAtMs: number;
  /** Its attestation counts as the first sign of life. */
  lastSeenMs: number;
  heartbeats: number;
}

/** Attested, and the certificate has not run out. */
export function isKnown(entry: NodeEntry | undefined, nowMs: number): entry is NodeEntry {
  return entry !== undefined && nowMs < entry.expiresAtMs;
}

/** Known, and heard of within `livenessSec`: only such a node is selected. */
export function isLive(entry: NodeEntry | undefined, nowMs: number, livenessSec: number): entry is NodeEntry {
  return isKnown(entry, nowMs) && nowMs - entry.lastSeenMs < livenessSec * 1_000;
}

/** `GET /v1/nodes/{address}` (protocol §1). */
export function nodeRecord(entry: NodeEntry, jobs: Iterable<Job>, active: boolean): { [name: string]: WireValue } {
  const parts = [...jobs].flatMap((job) => {
    const member = job.members.find(({ node }) => node === entry.address);
    return member?.commitment ? [job] : [];
  });
  const accepted = parts.filter(({ outcome }) => outcome === "accepted").length;
  const rejected = parts.filter(({ outcome }) => outcome === "rejected").length;
  return {
    operator_address: entry.address,
    model_tiers: Object.fromEntries(entry.models.map((model) => [model, entry.tier])),
    active,
    metrics: {
      tasks_completed: parts.length,
      tasks_accepted: accepted,
      tasks_rejected: rejected,
      reputation_score: accepted + rejected === 0 ? 100 : Math.round((100 * accepted) / (accepted + rejected)),
      last_heartbeat: Math.floor(entry.lastSeenMs / 1_000),
      heartbeats: entry.heartbeats,
    },
  };
}
