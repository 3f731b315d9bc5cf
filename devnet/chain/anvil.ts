/**
 * A local chain: anvil's own binary as a child process, on loopback. It ends with `stop`, and with this process
 * however that ends: a second small process holds the other end of a pipe and ends anvil when the pipe breaks.
 * With a state folder the chain is saved on every end and every few seconds, and carries on from there.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DEVNET } from "../../core/chain/addresses.ts";
import { DEV_ACCOUNTS, DEV_MNEMONIC } from "./accounts.ts";

export interface AnvilOptions {
  /** Default: one that is free. */
  port?: number;
  /** Default: 31337. */
  chainId?: number;
  /** Where the chain is kept between runs; created when missing. Default: nowhere. */
  stateFolder?: string;
  /** Seconds between blocks. Default: a block for every transaction. */
  blockTimeSec?: number;
}

export interface Anvil {
  rpcUrl: string;
  port: number;
  chainId: number;
  pid: number;
  /** Saves the state, ends the process and waits until it is gone. May be called twice. */
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 20_000;
/** How long anvil may take to save its state before it is killed. */
const STOP_TIMEOUT_MS = 5_000;
/** A power cut loses at most this much. */
const STATE_INTERVAL_SEC = 5;

/** Starts the chain and waits until it answers. Throws when the binary is missing or the chain does not come up. */
export async function startAnvil(options: AnvilOptions = {}): Promise<Anvil> {
  const { chainId = DEVNET } = options;
  const child = spawn(anvilBinary(), anvilArguments(options, chainId), {
    // A group of its own: Ctrl-C at the terminal reaches the devnet only, which then stops things in order.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const spawned = once(child, "spawn");
  const ready = listening(child);
  ready.catch(() => undefined);
  await spawned.catch((cause: unknown) => {
    throw new Error("anvil could not be started", { cause });
  });
  const pid = child.pid as number;
  watchOver(child, pid);
  const stop = () => end(child);
  try {
    const port = await ready;
    return { rpcUrl: `http://127.0.0.1:${port}`, port, chainId, pid, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The platform's own binary: npm's wrapper script would leave anvil behind when it is killed. */
export function anvilBinary(): string {
  const platform = process.platform === "win32" ? "win32" : process.platform;
  const arch = process.arch === "x64" ? "amd64" : process.arch;
  const name = `@foundry-rs/anvil-${platform}-${arch}`;
  const binary = `bin/anvil${process.platform === "win32" ? ".exe" : ""}`;
  const here = createRequire(import.meta.url);
  try {
    // Package managers that do not hoist put it below the package that depends on it.
    const fromAnvil = createRequire(here.resolve("@foundry-rs/anvil/package.json"));
    const path = join(fromAnvil.resolve(`${name}/package.json`), "..", binary);
    makeExecutable(path);
    return path;
  } catch (cause) {
    throw new Error(
      `the local chain needs the optional package ${name}, which is not installed: run npm install with optional ` +
        "packages, on a platform that anvil supports (Linux or macOS on x64 or arm64, Windows on x64)",
      { cause },
    );
  }
}

function anvilArguments(options: AnvilOptions, chainId: number): string[] {
  const { port = 0, stateFolder, blockTimeSec } = options;
  const args = ["--host", "127.0.0.1", "--port", `${port}`, "--chain-id", `${chainId}`];
  args.push("--accounts", `${DEV_ACCOUNTS}`, "--mnemonic", DEV_MNEMONIC);
  if (blockTimeSec !== undefined) args.push("--block-time", `${blockTimeSec}`);
  if (stateFolder !== undefined) {
    mkdirSync(stateFolder, { recursive: true });
    args.push("--state", join(stateFolder, "chain.json"), "--state-interval", `${STATE_INTERVAL_SEC}`);
  }
  return args;
}

/** The port, once anvil says that it listens. Its further output is drained and dropped. */
async function listening(child: ChildProcess): Promise<number> {
  let output = "";
  let done = false;
  const port = new Promise<number>((resolve) => {
    const read = (chunk: Buffer) => {
      if (done) return;
      output += chunk;
      const match = /Listening on \S+:(\d+)/.exec(output);
      if (match) resolve(Number(match[1]));
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
  });
  const timer = new AbortController();
  const tooLate = sleep(READY_TIMEOUT_MS, undefined, { signal: timer.signal, ref: false }).then(() => {
    throw new Error(`anvil did not come up within ${READY_TIMEOUT_MS / 1000} s`);
  });
  tooLate.catch(() => undefined);
  const exited = once(child, "exit").then(() => {
    throw new Error(`anvil ended at once: ${output.trim().split("\n").at(-1) ?? "it said nothing"}`);
  });
  exited.catch(() => undefined);
  try {
    return await Promise.race([port, exited, tooLate]);
  } finally {
    done = true;
    timer.abort();
  }
}

/**
 * Starts a process that ends anvil when this one is gone, even by SIGKILL: its standard input is a pipe from here,
 * which breaks then. Not on Windows, which has no `sh`.
 */
function watchOver(child: ChildProcess, pid: number): void {
  if (process.platform === "win32") return;
  const script = `cat >/dev/null; kill -TERM "$0"
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$0" || exit; sleep 0.3; done; kill -KILL "$0"`;
  const watchdog = spawn("/bin/sh", ["-c", script, `${pid}`], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  // It may not keep this process alive, and a watchdog that dies first is no reason to fail.
  watchdog.unref();
  watchdog.on("error", () => undefined);
  watchdog.stdin.on("error", () => undefined);
  child.once("exit", () => watchdog.kill("SIGKILL"));
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const timer = new AbortController();
  await Promise.race([gone, sleep(STOP_TIMEOUT_MS, undefined, { signal: timer.signal }).catch(() => undefined)]);
  timer.abort();
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGKILL");
    await gone;
  }
}

/** Some package managers unpack without the executable bit. */
function makeExecutable(path: string): void {
  if ((statSync(path).mode & 0o111) === 0) chmodSync(path, 0o755);
}
