/**
 * A software TPM for a test: swtpm as a child process, with state and socket in a folder of its own. Without the Debian packages
 * `swtpm` and `tpm2-tools` the tests are skipped and say why; with CI=true they run all the same, and fail.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createTpm2, type Tpm2 } from "../../sidecar/attestation/tpm2-tools.ts";
import { eventually } from "../eventually.ts";

const missing = ["swtpm", "tpm2_quote"].filter((command) => !isInPath(command));

/** For `describe.skipIf`. */
export const SKIP_SWTPM: boolean = missing.length > 0 && process.env.CI !== "true";
/** For a test's name, where a reader of the report sees it. */
export const SWTPM: string = SKIP_SWTPM
  ? `swtpm [skipped: ${missing.join(" and ")} not found; apt-get install swtpm tpm2-tools]`
  : "swtpm";

export interface Swtpm {
  /** For TPM2TOOLS_TCTI. */
  tcti: string;
  tpm: Tpm2;
  stop(): Promise<void>;
}

/** @param state where a TPM's state is and stays; default a new TPM, gone with it */
export async function startSwtpm(state?: string): Promise<Swtpm> {
  const folder = await mkdtemp(join(tmpdir(), "blf-swtpm-"));
  const socket = join(folder, "tpm");
  const server = ["--server", `type=unixio,path=${socket}`, "--ctrl", `type=unixio,path=${socket}.ctrl`];
  const kept = ["--tpmstate", `dir=${state ?? folder}`, "--flags", "not-need-init,startup-clear"];
  const child = spawn("swtpm", ["socket", "--tpm2", ...kept, ...server], { stdio: "ignore" });
  let gone: Error | undefined;
  child.once("error", (error) => {
    gone = error;
  });
  const tcti = `swtpm:path=${socket}`;
  const tpm = createTpm2({ tcti });
  const stop = () => stopChild(child, folder);
  try {
    await eventually("swtpm answers", () => {
      if (gone !== undefined) throw gone;
      return tpm.session((session) => session.run("tpm2_getcap", ["properties-fixed"])).catch(() => undefined);
    });
  } catch (error) {
    await stop();
    throw gone ?? error;
  }
  return { tcti, tpm, stop };
}

async function stopChild(child: ChildProcess, folder: string): Promise<void> {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill();
    await ended;
  }
  await rm(folder, { recursive: true, force: true });
}

function isInPath(command: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
