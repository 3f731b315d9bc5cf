/**
 * When simulated time may go on: not while a request is being served or WebCrypto is at work, because real machines
 * would not let ten seconds pass for a millisecond's computation. What waits on purpose (a hanging service, a delay) is
 * not work. Real timers are kept from before the fake ones.
 */
const realImmediate = globalThis.setImmediate;
/** Rounds of the event loop in which nothing must be at work. */
const QUIET_ROUNDS = 3;

let atWork = 0;
let wake: (() => void)[] = [];

/** Counts `work` as something that simulated time waits for. */
export async function working<T>(work: () => T | Promise<T>): Promise<T> {
  atWork += 1;
  try {
    return await work();
  } finally {
    changeBy(-1);
  }
}

/** Within `working`: `wait` is waiting, not work. */
export async function waiting<T>(wait: () => Promise<T>): Promise<T> {
  changeBy(-1);
  try {
    return await wait();
  } finally {
    atWork += 1;
  }
}

/** Resolves once nothing is at work any more. */
export async function settled(): Promise<void> {
  for (let quiet = 0; quiet < QUIET_ROUNDS; ) {
    if (atWork > 0) await new Promise<void>((resolve) => wake.push(resolve));
    await new Promise<void>((resolve) => realImmediate(resolve));
    quiet = atWork === 0 ? quiet + 1 : 0;
  }
}

/** WebCrypto runs beside the event loop: its calls count as work. Gives back how to undo it. */
export function watchCrypto(): () => void {
  const subtle = Object.getPrototypeOf(crypto.subtle) as Record<string, unknown>;
  const undo: (() => void)[] = [];
  for (const name of ["encrypt", "decrypt", "digest", "importKey", "deriveKey", "deriveBits", "sign", "verify"]) {
    const original = subtle[name] as (...args: unknown[]) => Promise<unknown>;
    subtle[name] = function watched(this: unknown, ...args: unknown[]) {
      return working(() => original.apply(this, args));
    };
    undo.push(() => {
      subtle[name] = original;
    });
  }
  return () => {
    for (const one of undo) one();
  };
}

function changeBy(change: number): void {
  atWork += change;
  if (atWork > 0) return;
  const woken = wake;
  wake = [];
  for (const one of woken) one();
}
