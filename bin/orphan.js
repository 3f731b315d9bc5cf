// npm and npx pass no signal on to what they started when they are killed themselves: it would be left running. Started
// by them, a process watches whether its parent is still the same one. Anything else may outlive its parent, as
// `nohup … &` wants.
const CHECK_MS = 1_000;

/**
 * Calls `stop` once the shell between npm and this process is gone.
 * @param {() => void} stop
 */
export function whenOrphaned(stop) {
  if (process.env.npm_command === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    stop();
  }, CHECK_MS);
  timer.unref();
}
