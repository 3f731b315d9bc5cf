/**
 * Simulated time: Date and timers stand still until nothing is at work, then jump to the next timer. A wait for an hour
 * costs as much as what happens in it.
 */
import { vi } from "vitest";
import { type Clock, systemClock } from "../../../core/ports.ts";
import { settled, waiting } from "./idle.ts";

export function startTime(): void {
  vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
}

export function stopTime(): void {
  vi.clearAllTimers();
  vi.useRealTimers();
}

/** Lets time pass until `look` gives something. Throws when that takes longer than `limitMs` of simulated time. */
export async function until<T>(what: string, look: () => T | undefined, limitMs = 1_200_000): Promise<T> {
  const endMs = Date.now() + limitMs;
  // Time must not run past the end only because nothing is due before.
  const end = setTimeout(() => undefined, limitMs + 1);
  try {
    for (;;) {
      await settled();
      const found = look();
      if (found !== undefined) return found;
      if (Date.now() > endMs) throw new Error(`${what}: not within ${limitMs / 1000} s of simulated time`);
      vi.advanceTimersToNextTimer();
    }
  } finally {
    clearTimeout(end);
  }
}

/** Lets this much time pass. */
export async function pass(ms: number): Promise<void> {
  const endMs = Date.now() + ms;
  await until("time to pass", () => (Date.now() >= endMs ? true : undefined), ms + 1);
}

/** The services' clock: `offsetMs()` apart from the nodes', and what sleeps on it is waiting, not work. */
export function serviceClock(offsetMs: () => number): Clock {
  return {
    now: () => Date.now() + offsetMs(),
    sleep: (ms, signal) => waiting(() => systemClock.sleep(ms, signal)),
  };
}
