/** Waiting with an end to it. */
const LOOK_MS = 150;

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Looks until it is done. Throws after `withinMs`. */
export async function poll(what: string, withinMs: number, done: () => boolean | Promise<boolean>): Promise<void> {
  const until = Date.now() + withinMs;
  while (!(await done())) {
    if (Date.now() > until) throw new Error(`${what}: not within ${withinMs / 1000} s`);
    await sleep(LOOK_MS);
  }
}

/** The work's result. Throws after `withinMs`. */
export async function within<T>(work: Promise<T>, withinMs: number, what: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${what}: not within ${withinMs / 1000} s`)), withinMs);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
