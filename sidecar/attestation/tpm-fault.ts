/**
 * Why a tpm2-tools command failed, found by looking at the machine and at what the command said: no tools, no device, no
 * permission, a TPM 1.2, a password on a hierarchy, a TPM that gave up. Never repeats what a command printed but its codes.
 */
import { access, constants, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { NodeError } from "../../core/errors.ts";
import { attestationFault, systemCode } from "./fault.ts";
import type { ToolOutcome } from "./run-tool.ts";

export interface FailedCall {
  command: string;
  outcome: ToolOutcome;
  tcti: string;
  sysfs: string;
  timeoutMs: number;
}

const INSTEAD = "or set BLF_ATTESTATION_BACKEND to mock, which is tier 0";
/** Response codes (TPM Library, part 2, 6.6), with what each calls for. */
const RESPONSES: readonly [codes: readonly string[], what: string, hint: string][] = [
  [
    ["0x101"],
    "the TPM is in failure mode",
    "Restart the machine. If it stays so, clear the TPM in the firmware's set-up.",
  ],
  [
    ["0x921"],
    "the TPM is locked after wrong passwords",
    "Wait for its lockout to end, or reset it: tpm2_dictionarylockout --clear-lockout.",
  ],
  [
    ["0x9a2", "0x98e", "0x9a3"],
    "a hierarchy of the TPM has a password",
    "The owner and endorsement hierarchies must have none: the sidecar keeps no TPM passwords.",
  ],
  [
    ["0x902", "0x903", "0x904"],
    "the TPM has no slot left for a key or a session",
    "Use the kernel's resource manager (device:/dev/tpmrm0), or flush what others left: tpm2_flushcontext -t.",
  ],
  [
    ["0x14c", "0x14b"],
    "the TPM has no room to keep a key, or the handle is taken",
    "Look with tpm2_getcap handles-persistent, and remove a key that nothing uses with tpm2_evictcontrol -c HANDLE.",
  ],
];

export async function tpmFault(call: FailedCall): Promise<NodeError> {
  const { command, outcome, timeoutMs } = call;
  switch (outcome.kind) {
    case "missing":
      return attestationFault(
        `the command ${command} was not found in PATH`,
        `Install tpm2-tools, version 5 or newer (apt-get install tpm2-tools), ${INSTEAD}.`,
      );
    case "denied":
      return attestationFault(
        `the command ${command} may not be run`,
        "Check its permissions and the service's sandbox.",
      );
    case "timeout":
      return attestationFault(
        `${command} did not end within ${timeoutMs / 1000} s and was killed`,
        "Something else may hold the TPM, or it hangs: try tpm2_getcap properties-fixed by hand; a restart of the machine helps.",
        "later",
      );
    case "exit":
      return (await deviceFault(call)) ?? responseFault(command, outcome);
  }
}

/** Looks at the device that the TCTI names; undefined when it is there and may be used. */
async function deviceFault({ tcti, sysfs }: FailedCall): Promise<NodeError | undefined> {
  const device = /^device:(.+)$/.exec(tcti)?.[1];
  if (device === undefined) return undefined;
  const denied = await access(device, constants.R_OK | constants.W_OK).then(
    () => undefined,
    (error: unknown) => systemCode(error) ?? "unknown",
  );
  if (denied === undefined) return undefined;
  if (denied !== "ENOENT") {
    return attestationFault(
      `${device} is there, but this user may not read and write it (${denied})`,
      "Add the sidecar's user to the group tss (usermod -aG tss USER) and restart it; in a container pass the device on (--device).",
    );
  }
  const major = await readFile(join(sysfs, "tpm0", "tpm_version_major"), "utf8").catch(() => undefined);
  if (major?.trim() === "1") {
    return attestationFault(
      "this machine's TPM is a TPM 1.2, and TPM 2.0 is needed",
      `Some machines switch between the two in the firmware's set-up. Else use another machine, ${INSTEAD}.`,
    );
  }
  const seen = major === undefined ? `the kernel knows no TPM under ${sysfs}` : "the kernel knows a TPM 2.0";
  return attestationFault(
    `looked for the TPM at ${device}: no such device, and ${seen}`,
    `Enable the TPM in the firmware's set-up (Intel PTT, AMD fTPM), add a virtual one to the VM, or pass the device on to the container; ${INSTEAD}.`,
  );
}

function responseFault(command: string, outcome: ToolOutcome & { kind: "exit" }): NodeError {
  const codes = [...outcome.stderr.matchAll(/\(?(0x[0-9a-fA-F]{3,8})\)?/g)].map(([, code = ""]) => shorten(code));
  const known = RESPONSES.find(([wanted]) => codes.some((code) => wanted.includes(code)));
  const said = codes.length === 0 ? "" : `, with ${[...new Set(codes)].slice(0, 4).join(", ")}`;
  if (known !== undefined) return attestationFault(`${command}: ${known[1]}${said}`, known[2]);
  if (/TCTI|tcti/.test(outcome.stderr)) {
    return attestationFault(
      `${command} did not reach a TPM by the TCTI that is set`,
      "Check TPM2TOOLS_TCTI (device:/dev/tpmrm0, tabrmd:, swtpm:path=…) and that what it names runs.",
      "later",
    );
  }
  return attestationFault(
    `${command} failed with status ${outcome.status}${said}`,
    "Run tpm2_rc_decode with the code, and the command by hand as the sidecar's user.",
    "later",
  );
}

/** `0x00000101` and `0x101` are one. */
function shorten(code: string): string {
  return `0x${code
    .slice(2)
    .toLowerCase()
    .replace(/^0+(?=.)/, "")}`;
}
