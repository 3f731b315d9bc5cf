/**
 * A circuit breaker for each thing a job depends on. Three failures in a row open it: no job that needs it is claimed.
 * After a pause one probe asks whether it is back, and then one job at a time is let through until one succeeds. Pure:
 * states in, states out; the Node object keeps them and performs the probes.
 */
import type { ErrorCode } from "../errors.ts";
import type { Role } from "../icl/schema.ts";
import { type BackendName, backendNameOf } from "../inference/backend.ts";
import { backoffMs } from "../retry.ts";

export type Dependency = "icl" | "ipfs" | "cofhe" | "pin" | "rpc" | "sidecar" | `model:${BackendName}`;

/** `half-open`: the probe was answered; a job has yet to succeed. */
export type BreakerState = "closed" | "open" | "half-open";

export interface Breaker {
  state: BreakerState;
  /** Failures in a row. */
  failures: number;
  /** How often in a row it opened: each time the pause doubles. */
  openings: number;
  /** When it last changed its state, ms. */
  sinceMs: number;
  /** While open: when to probe. */
  probeAtMs: number;
  lastError: { code: string; message: string; hint: string; atMs: number } | null;
}

export type Breakers = { readonly [name in Dependency]?: Breaker };

export const OPEN_AT = 3;
/** The pause before a probe: 30 s, doubling to 5 min. */
const PAUSE = { baseMs: 30_000, maxMs: 300_000 };

const CLOSED: Breaker = { state: "closed", failures: 0, openings: 0, sinceMs: 0, probeAtMs: 0, lastError: null };

/** Which dependency an error speaks of; null where it is about the job itself. */
export function dependencyOf(code: ErrorCode, modelId: string): Dependency | null {
  switch (code) {
    case "icl-unreachable":
    case "icl-malformed":
    case "icl-rate-limited":
      return "icl";
    case "ipfs-unavailable":
      return "ipfs";
    case "cofhe-unavailable":
      return "cofhe";
    case "pin-unavailable":
    case "pin-refused":
      return "pin";
    case "rpc-unavailable":
      return "rpc";
    case "sidecar-unreachable":
    case "sidecar-refused":
    case "sidecar-busy":
    case "sidecar-malformed":
      return "sidecar";
    case "model":
    case "model-key":
    case "model-rate-limited":
    case "model-unavailable":
      return `model:${backendNameOf(modelId)}`;
    default:
      return null;
  }
}

/** What the settings say of every job of the node. */
export interface JobNeeds {
  /** A leader's output key goes on chain. */
  storesKey: boolean;
  usesSidecar: boolean;
}

/** What a job needs beside the coordinator, which is never asked for offers while it is away. */
export function needsOf(role: Role, modelId: string, { storesKey, usesSidecar }: JobNeeds): Dependency[] {
  const both: Dependency[] = [
    ...(usesSidecar ? (["sidecar"] as const) : []),
    "ipfs",
    "cofhe",
    `model:${backendNameOf(modelId)}`,
  ];
  if (role === "verifier") return both;
  return [...both, "pin", ...(storesKey ? (["rpc"] as const) : [])];
}

export function failed(
  breaker: Breaker = CLOSED,
  error: { code: string; message: string; hint: string; retryAfterMs?: number },
  nowMs: number,
): Breaker {
  const { code, message, hint, retryAfterMs = 0 } = error;
  const next = { ...breaker, failures: breaker.failures + 1, lastError: { code, message, hint, atMs: nowMs } };
  // What says that it is full is believed at once.
  const enough = next.failures >= OPEN_AT || code === "sidecar-busy";
  const opens = breaker.state === "half-open" || (breaker.state === "closed" && enough);
  return opens ? open(next, nowMs, retryAfterMs) : next;
}

/** A job, or a call that needed it, went well. */
export function succeeded(breaker: Breaker = CLOSED, nowMs: number): Breaker {
  if (breaker.state === "closed" && breaker.failures === 0) return breaker;
  return { ...CLOSED, sinceMs: nowMs, lastError: breaker.lastError };
}

export function probeDue(breaker: Breaker, nowMs: number): boolean {
  return breaker.state === "open" && nowMs >= breaker.probeAtMs;
}

/** The probe's answer; null where there is no way to ask, and the next job is the probe. */
export function probed(breaker: Breaker, error: { code: string; message: string; hint: string } | null, nowMs: number) {
  if (breaker.state !== "open") return breaker;
  if (error !== null) return open({ ...breaker, lastError: { ...error, atMs: nowMs } }, nowMs, 0);
  return { ...breaker, state: "half-open" as const, sinceMs: nowMs };
}

/** The first of these that keeps a job from being claimed. `busy`: another job that needs it is held already. */
export function blockedBy(
  breakers: Breakers,
  needs: readonly Dependency[],
  busy: (dependency: Dependency) => boolean,
): Dependency | null {
  const blocks = (name: Dependency) => {
    const state = breakers[name]?.state ?? "closed";
    return state === "open" || (state === "half-open" && busy(name));
  };
  return needs.find(blocks) ?? null;
}

function open(breaker: Breaker, nowMs: number, atLeastMs: number): Breaker {
  const openings = breaker.openings + 1;
  const probeAtMs = nowMs + Math.max(backoffMs(openings, PAUSE), atLeastMs);
  return { ...breaker, state: "open", openings, sinceMs: nowMs, probeAtMs };
}
