/**
 * One attestation report by Linux's configfs-tsm (kernel ABI configfs-tsm-report, 6.7 or newer): an entry of our own is made, asked
 * and removed. The entry's generation counts writes: the kernel reports no failed write of `inblob` (it happens when the
 * file is closed), and another writer would get our report made over its data. So it is checked before and after.
 */
import { type FileHandle, mkdir, open, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { type Bytes, concat } from "../../core/attestation/bytes.ts";
import type { Clock, RandomBytes } from "../../core/ports.ts";
import { backoffMs, retry } from "../../core/retry.ts";
import { attestationFault, systemCode } from "./fault.ts";
import { notConfidential } from "./tsm-fault.ts";

export const DEFAULT_TSM_BASE = "/sys/kernel/config/tsm/report";
/** What the kernel calls the technology. */
export type TsmProvider = "sev_guest" | "tdx_guest";
/** The kernel's own limit was 32 KiB for years and is higher now; an envelope has room for two of these. */
const MAX_BLOB_BYTES = 131_072;
const ATTEMPTS = 5;
/** Firmware is asked by the kernel one guest at a time and may make it wait. */
const TIMEOUT_MS = 60_000;

export interface TsmFiles {
  mkdir(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  read(path: string): Promise<Bytes>;
  write(path: string, bytes: Uint8Array): Promise<void>;
}

export interface TsmParts {
  files: TsmFiles;
  /** Default the kernel's. */
  base: string;
  clock: Clock;
  random: RandomBytes;
}

export interface TsmReport {
  report: Bytes;
  /** `auxblob`: certificates; null where there are none. */
  certificates: Bytes | null;
}

/** The entry was written by somebody else or the kernel was busy: the same again may succeed. */
class Raced extends Error {}

/** Throws NodeError where there is no such provider, or it gives no report. */
export async function tsmReport(parts: TsmParts, provider: TsmProvider, data: Bytes): Promise<TsmReport> {
  const { clock } = parts;
  try {
    return await retry(() => withTimeout(attempt(parts, provider, data), clock), {
      attempts: ATTEMPTS,
      delayMs: (count) => backoffMs(count, { baseMs: 100, maxMs: 2_000 }),
      shouldRetry: (error) => error instanceof Raced,
      sleep: clock.sleep,
    });
  } catch (error) {
    if (!(error instanceof Raced)) throw error;
    throw attestationFault(
      `${parts.base}: no report in ${ATTEMPTS} attempts (${error.message})`,
      "Another program asks for reports all the time, or the host holds its answers back. Look at dmesg for sev-guest or tdx-guest.",
      "later",
      error,
    );
  }
}

async function attempt({ files, base, random }: TsmParts, provider: TsmProvider, data: Bytes): Promise<TsmReport> {
  const name = Array.from(random(8), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const entry = join(base, `blf-${name}`);
  await files.mkdir(entry).catch((error: unknown) => {
    throw notConfidential(base, provider, error);
  });
  try {
    return await askEntry(files, entry, provider, data);
  } finally {
    // Left behind, an entry is a few hundred bytes of the kernel's until the next start.
    await files.rmdir(entry).catch(() => undefined);
  }
}

async function askEntry(files: TsmFiles, entry: string, provider: TsmProvider, data: Bytes): Promise<TsmReport> {
  const found = text(await files.read(join(entry, "provider"))).trim();
  if (found !== provider) {
    throw attestationFault(
      `this machine's provider of reports is ${printable(found)}, not ${provider}`,
      `Set BLF_ATTESTATION_BACKEND to ${found === "sev_guest" ? "sev" : found === "tdx_guest" ? "tdx" : "mock"}.`,
    );
  }
  const before = await generation(files, entry);
  await files.write(join(entry, "inblob"), data).catch(raceOrThrow(entry));
  const written = await generation(files, entry);
  if (written !== before + 1n) {
    throw new Raced(written === before ? "the kernel did not take the data" : "something else wrote to the entry");
  }
  const report = await files.read(join(entry, "outblob")).catch(raceOrThrow(entry));
  const certificates = await files.read(join(entry, "auxblob")).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return new Uint8Array();
    return raceOrThrow(entry)(error);
  });
  if ((await generation(files, entry)) !== written) throw new Raced("something else wrote to the entry");
  if (report.length === 0) throw new Raced("the report is empty");
  return { report, certificates: certificates.length === 0 ? null : certificates };
}

async function generation(files: TsmFiles, entry: string): Promise<bigint> {
  const said = text(await files.read(join(entry, "generation"))).trim();
  if (!/^\d{1,20}$/.test(said)) throw new Raced("the entry's generation is no number");
  return BigInt(said);
}

/** Busy, interrupted, throttled or changed under our hands is worth another try; anything else is the provider's word. */
function raceOrThrow(entry: string): (error: unknown) => never {
  return (error) => {
    const code = systemCode(error);
    if (code !== undefined && ["EAGAIN", "EWOULDBLOCK", "EBUSY", "EINTR", "ETIMEDOUT"].includes(code)) {
      throw new Raced(`the kernel said ${code}`);
    }
    throw attestationFault(
      `${entry}: the kernel gave no report (${code ?? "unknown"})`,
      "Look at dmesg for sev-guest or tdx-guest; for TDX the host must run its quote generation service.",
      "later",
      error,
    );
  };
}

/** A call that hangs in the kernel cannot be taken back; it is only no longer waited for. */
async function withTimeout<T>(work: Promise<T>, clock: Clock): Promise<T> {
  const stop = new AbortController();
  const limit = clock.sleep(TIMEOUT_MS, stop.signal).then(
    () => {
      throw new Raced(`no answer within ${TIMEOUT_MS / 1000} s`);
    },
    () => new Promise<never>(() => undefined),
  );
  try {
    return await Promise.race([work, limit]);
  } finally {
    stop.abort();
  }
}

function text(bytes: Bytes): string {
  return new TextDecoder().decode(bytes.subarray(0, 64));
}

function printable(name: string): string {
  return /^[\w-]{1,40}$/.test(name) ? name : "unknown";
}

/** The real files. What they tell of their size is not the content's, so they are read until they end. */
export const systemTsmFiles: TsmFiles = {
  mkdir: async (path) => {
    await mkdir(path);
  },
  rmdir: (path) => rmdir(path),
  read: (path) => withFile(path, "r", readAll),
  write: (path, bytes) =>
    withFile(path, "w", async (file) => {
      // One call: the kernel takes what was written when the file is closed.
      await file.write(bytes);
    }),
};

async function withFile<T>(path: string, flags: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, flags);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

async function readAll(file: FileHandle): Promise<Bytes> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { bytesRead, buffer } = await file.read(new Uint8Array(65_536), 0, 65_536, null);
    if (bytesRead === 0) return concat(...parts);
    length += bytesRead;
    if (length > MAX_BLOB_BYTES) throw new Raced("a report is longer than any known");
    parts.push(buffer.slice(0, bytesRead));
  }
}
