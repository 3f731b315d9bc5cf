import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../core/ports.ts";
import type { ToolCall, ToolOutcome } from "./run-tool.ts";
import { createTpm2 } from "./tpm2-tools.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "blf-fault-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const failed = (stderr: string): ToolOutcome => ({ kind: "exit", status: 1, stdout: "", stderr });

/** What the operator is told when a command ends so. */
async function told(outcome: ToolOutcome, options: { tcti?: string; sysfs?: string } = {}) {
  const tpm = createTpm2({ tcti: "tabrmd:", ...options, run: async () => outcome });
  return tpm.session((session) => session.run("tpm2_quote", [])).catch((error: unknown) => error);
}

describe("a TPM that does not work", () => {
  it("without tpm2-tools names the command and the package", async () => {
    expect(await told({ kind: "missing" })).toMatchObject({
      code: "settings",
      retry: "never",
      message: expect.stringContaining("tpm2_quote was not found in PATH"),
      hint: expect.stringContaining("apt-get install tpm2-tools"),
    });
  });

  it("without a device says where it was looked for", async () => {
    const tcti = `device:${join(folder, "none")}`;
    expect(await told(failed(""), { tcti, sysfs: folder })).toMatchObject({
      message: expect.stringMatching(/looked for the TPM at .*none: no such device, and the kernel knows no TPM/),
      hint: expect.stringContaining("Intel PTT, AMD fTPM"),
    });
  });

  it.each([
    ["1", /TPM 1\.2/],
    ["2", /the kernel knows a TPM 2\.0/],
  ])("of version %s is told apart", async (version, message) => {
    const sysfs = join(folder, `sysfs-${version}`);
    await mkdir(join(sysfs, "tpm0"), { recursive: true });
    await writeFile(join(sysfs, "tpm0", "tpm_version_major"), `${version}\n`);
    const tcti = `device:${join(folder, "none")}`;
    expect(await told(failed(""), { tcti, sysfs })).toMatchObject({ message: expect.stringMatching(message) });
  });

  // Root may do everything, whatever a file's mode says.
  it("that may not be used names the group", async () => {
    const closed = join(folder, "closed");
    await writeFile(closed, "");
    await chmod(closed, 0o000);
    const device = process.getuid?.() === 0 ? join(closed, "under-a-file") : closed;
    expect(await told(failed(""), { tcti: `device:${device}` })).toMatchObject({
      message: expect.stringMatching(/may not read and write it \((EACCES|ENOTDIR)\)/),
      hint: expect.stringContaining("usermod -aG tss"),
    });
  });

  it.each([
    ["in failure mode", "Esys Finish ErrorCode (0x00000101)", /failure mode, with 0x101/],
    ["that is locked", "ERROR: Esys_Quote(0x921) - tpm:warn(2.0)", /locked/],
    ["with a password", "Esys_CreatePrimary(0x9A2) - authorization failure", /has a password/],
    ["without slots", "(0x902) out of memory for object contexts", /no slot left/],
    ["without room", "(0x14B) NV_SPACE", /no room/],
    ["that says something else", "(0x18B) handle is not correct", /failed with status 1, with 0x18b/],
    ["that is not reached", "ERROR:tcti: Unable to connect to TCTI", /did not reach a TPM/],
    ["that says nothing", "", /failed with status 1/],
  ])("%s is told so", async (_name, stderr, message) => {
    expect(await told(failed(stderr))).toMatchObject({ message: expect.stringMatching(message) });
  });

  it("never repeats what a command printed", async () => {
    const error = await told(failed("secret words (0x921)"));
    expect(JSON.stringify(error)).not.toContain("secret");
    expect(String(error)).not.toContain("secret");
  });

  it("that does not answer in time may be asked later", async () => {
    expect(await told({ kind: "timeout" })).toMatchObject({ retry: "later", message: expect.stringContaining("30 s") });
  });

  it("whose tools may not be run says so", async () => {
    expect(await told({ kind: "denied" })).toMatchObject({ message: expect.stringContaining("may not be run") });
  });
});

describe("a command", () => {
  it("gets the TCTI, the PATH and nothing of the sidecar's own environment", async () => {
    const calls: ToolCall[] = [];
    const run = async (call: ToolCall): Promise<ToolOutcome> => {
      calls.push(call);
      return { kind: "exit", status: 0, stdout: "", stderr: "" };
    };
    await createTpm2({ run, path: "/bin" }).session((session) => session.run("tpm2_getcap", ["pcrs"], 5));
    expect(calls).toMatchObject([{ command: "tpm2_getcap", args: ["pcrs"], timeoutMs: 5 }]);
    expect(calls[0]?.env).toEqual({ PATH: "/bin", TPM2TOOLS_TCTI: "device:/dev/tpmrm0", LC_ALL: "C" });
  });

  it("waits for the session before it, even one that failed", async () => {
    const order: string[] = [];
    const run = async (): Promise<ToolOutcome> => {
      await systemClock.sleep(20);
      return { kind: "exit", status: 0, stdout: "", stderr: "" };
    };
    const tpm = createTpm2({ run });
    const session = (name: string, fails: boolean) =>
      tpm.session(async (inside) => {
        order.push(`${name} begins`);
        await inside.run("tpm2_getcap", []);
        order.push(`${name} ends`);
        if (fails) throw new Error(name);
      });
    const results = await Promise.allSettled([session("a", true), session("b", false)]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    expect(order).toEqual(["a begins", "a ends", "b begins", "b ends"]);
  });

  it("that says no is null where no is an answer, and a missing command is none", async () => {
    const attempt = (outcome: ToolOutcome) =>
      createTpm2({ run: async () => outcome, tcti: "tabrmd:" }).session((session) =>
        session.attempt("tpm2_nvread", []),
      );
    expect(await attempt(failed("(0x18b)"))).toBeNull();
    await expect(attempt({ kind: "missing" })).rejects.toMatchObject({ code: "settings" });
  });
});
