/** Ctrl-C and its relatives as a promise, so that a command tears down what it started whatever it was doing. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface StopSignal {
  /** Resolves at the first signal. */
  requested: Promise<"stop">;
  isRequested(): boolean;
  dispose(): void;
}

export function stopRequested(): StopSignal {
  let asked = false;
  const { promise: requested, resolve } = Promise.withResolvers<"stop">();
  // Later signals are swallowed on purpose: the first one already tears everything down.
  const onSignal = () => {
    asked = true;
    resolve("stop");
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    requested,
    isRequested: () => asked,
    dispose() {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}
