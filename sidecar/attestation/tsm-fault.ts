/** Why there is no entry to be made under configfs-tsm: what was looked for, and how to enable it. */
import type { NodeError } from "../../core/errors.ts";
import { attestationFault, systemCode } from "./fault.ts";
import type { TsmProvider } from "./tsm-report.ts";

const NAME: Record<TsmProvider, string> = { sev_guest: "AMD SEV-SNP", tdx_guest: "Intel TDX" };
const MODULE: Record<TsmProvider, string> = { sev_guest: "sev-guest", tdx_guest: "tdx-guest" };

export function notConfidential(base: string, provider: TsmProvider, error: unknown): NodeError {
  const code = systemCode(error) ?? "unknown";
  const technology = NAME[provider];
  if (code === "ENOENT") {
    return attestationFault(
      `looked for ${technology} reports under ${base}: no such folder`,
      `It takes a guest of ${technology} with Linux 6.7 or newer: modprobe ${MODULE[provider]}, and mount -t configfs none /sys/kernel/config where it is not. In a container mount that folder. Else set BLF_ATTESTATION_BACKEND to tpm or mock.`,
      "never",
      error,
    );
  }
  if (code === "ENXIO") {
    return attestationFault(
      `${base} is there, but no provider of reports is registered`,
      `Load the guest's driver (modprobe ${MODULE[provider]}) and look at dmesg. On a machine that is no guest of ${technology} there is none.`,
      "never",
      error,
    );
  }
  if (["EACCES", "EPERM", "EROFS"].includes(code)) {
    return attestationFault(
      `this user may not make an entry under ${base} (${code})`,
      "Let the sidecar's user own the folder (chown at the start, by a systemd unit's ExecStartPre=+), or run it as root; in a container mount it writable.",
      "never",
      error,
    );
  }
  return attestationFault(
    `no entry could be made under ${base} (${code})`,
    `Look at dmesg for ${MODULE[provider]}.`,
    "later",
    error,
  );
}
