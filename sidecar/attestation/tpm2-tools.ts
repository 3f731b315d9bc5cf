/**
 * tpm2-tools, one command at a time, each with a time limit and in a folder that exists for it alone. The TCTI is always named:
 * left to itself, tpm2-tools falls back to whatever listens on a local port, which anybody may be.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bytes } from "../../core/attestation/bytes.ts";
import { type RunTool, runTool } from "./run-tool.ts";
import { tpmFault } from "./tpm-fault.ts";

/** The kernel's resource manager: many processes share the TPM without each other's sessions in their way. */
export const DEFAULT_TCTI = "device:/dev/tpmrm0";
const DEFAULT_TIMEOUT_MS = 30_000;
/** Discrete TPMs take up to a minute for an RSA key. */
export const KEY_TIMEOUT_MS = 180_000;

export interface Tpm2Options {
  /** As TPM2TOOLS_TCTI; default the kernel's resource manager. */
  tcti?: string;
  /** Of one command; creating keys has its own. */
  timeoutMs?: number;
  /** Where the kernel tells about TPMs; default `/sys/class/tpm`. */
  sysfs?: string;
  /** Where commands are looked for; default this process's PATH. */
  path?: string;
  run?: RunTool;
}

/** Inside `session`: commands, and the files between them by name. */
export interface Tpm2Session {
  /** Standard output. Throws NodeError with what to do when the command fails. */
  run(command: string, args: readonly string[], timeoutMs?: number): Promise<string>;
  /** Like `run`, but null for a command that ran and said no. */
  attempt(command: string, args: readonly string[]): Promise<string | null>;
  read(name: string): Promise<Bytes>;
  write(name: string, bytes: Uint8Array): Promise<void>;
}

export interface Tpm2 {
  /** Has the TPM for itself, as far as this process goes; its files are gone afterwards. */
  session<T>(work: (session: Tpm2Session) => Promise<T>): Promise<T>;
}

export function createTpm2(options: Tpm2Options = {}): Tpm2 {
  const { tcti = DEFAULT_TCTI, timeoutMs = DEFAULT_TIMEOUT_MS, sysfs = "/sys/class/tpm", run = runTool } = options;
  const env = { PATH: options.path ?? process.env.PATH ?? "", TPM2TOOLS_TCTI: tcti, LC_ALL: "C" };
  let last: Promise<unknown> = Promise.resolve();

  async function call(cwd: string, command: string, args: readonly string[], limitMs: number) {
    const outcome = await run({ command, args, cwd, env, timeoutMs: limitMs });
    if (outcome.kind === "exit" && outcome.status === 0) return { ok: true, stdout: outcome.stdout } as const;
    return {
      ok: false,
      outcome,
      fault: () => tpmFault({ command, outcome, tcti, sysfs, timeoutMs: limitMs }),
    } as const;
  }

  async function inFolder<T>(work: (session: Tpm2Session) => Promise<T>): Promise<T> {
    const folder = await mkdtemp(join(tmpdir(), "blf-tpm-"));
    try {
      return await work({
        async run(command, args, limitMs = timeoutMs) {
          const done = await call(folder, command, args, limitMs);
          if (!done.ok) throw await done.fault();
          return done.stdout;
        },
        async attempt(command, args) {
          const done = await call(folder, command, args, timeoutMs);
          if (done.ok) return done.stdout;
          if (done.outcome.kind !== "exit") throw await done.fault();
          return null;
        },
        read: async (name) => Uint8Array.from(await readFile(join(folder, name))),
        write: (name, bytes) => writeFile(join(folder, name), bytes, { mode: 0o600 }),
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  return {
    session(work) {
      const turn = last.then(() => inFolder(work));
      last = turn.catch(() => undefined);
      return turn;
    },
  };
}

/** Frees the few slots of a TPM without resource manager; with one it frees nothing of anybody else's. */
export async function flushTransient(session: Tpm2Session): Promise<void> {
  await session.attempt("tpm2_flushcontext", ["-t"]);
}
