/** Tells what happens, a line a step, each with the seconds since the beginning. */
export interface Narrator {
  say(text: string): void;
}

export function createNarrator(write: (line: string) => void, now: () => number = () => performance.now()): Narrator {
  const startMs = now();
  return { say: (text) => write(`${((now() - startMs) / 1000).toFixed(1).padStart(6)} s  ${text}`) };
}
