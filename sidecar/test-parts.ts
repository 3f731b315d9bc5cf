/** Parts that tests of the sidecar's inside share: time that only a test moves, a log that is kept, one node's request. */
import { EXECUTOR_VERSION, type ExecuteRequest } from "../core/executor/executor.ts";
import type { Clock, Log, LogFields } from "../core/ports.ts";
import { Secret } from "../core/secret.ts";
import type { PrivateKey } from "../core/settings/key.ts";

export const NODE_KEY = new Secret<PrivateKey>(`0x${"11".repeat(32)}`);
/** Of that key. */
export const NODE = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";
export const OTHER_NODE = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";
export const NOW_MS: number = Date.UTC(2026, 0, 6, 12, 0, 0);

export interface TestClock extends Clock {
  /** Lets so much time pass, and every sleep end that is over by then. */
  pass(ms: number): Promise<void>;
}

export function createTestClock(startMs: number = NOW_MS): TestClock {
  let nowMs = startMs;
  const sleeping = new Set<{ untilMs: number; wake: () => void }>();
  return {
    now: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) return reject(signal.reason);
        const sleeper = { untilMs: nowMs + ms, wake: resolve };
        sleeping.add(sleeper);
        signal?.addEventListener("abort", () => {
          sleeping.delete(sleeper);
          reject(signal.reason);
        });
      }),
    async pass(ms) {
      nowMs += ms;
      for (const sleeper of sleeping) {
        if (sleeper.untilMs > nowMs) continue;
        sleeping.delete(sleeper);
        sleeper.wake();
      }
      await settled();
    },
  };
}

/** Until everything has happened that waits for nothing outside: also what WebCrypto does on threads of its own. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
}

export function createTestLog(): { log: Log; logged: { event: string; fields: LogFields }[]; events(): string[] } {
  const logged: { event: string; fields: LogFields }[] = [];
  return {
    log: (_level, event, fields = {}) => void logged.push({ event, fields }),
    logged,
    events: () => logged.map(({ event }) => event),
  };
}

export function requestOf(jobId: string, changes: Partial<ExecuteRequest> = {}): ExecuteRequest {
  return {
    version: EXECUTOR_VERSION,
    node: NODE,
    jobId,
    role: "verifier",
    modelId: "mock:a",
    promptCid: "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
    keyHandles: { high: 7n, low: 8n },
    ...changes,
  };
}
