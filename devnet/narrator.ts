/** Tells what happens, a line a step, each with the seconds since the beginning. */
export interface Narrator {
  say(text: string): void;
  /** Says nothing from now on: what comes now is the end, whoever still has something to tell. */
  close(): void;
}

export function createNarrator(write: (line: string) => void, now: () => number = () => performance.now()): Narrator {
  const startMs = now();
  let closed = false;
  return {
    say(text) {
      if (!closed) write(`${((now() - startMs) / 1000).toFixed(1).padStart(6)} s  ${text}`);
    },
    close() {
      closed = true;
    },
  };
}
