/**
 * The attesters of confidential virtual machines, AMD SEV-SNP and Intel TDX, by configfs-tsm. A report is read and compared with
 * what was asked for before it leaves. Whether AMD's or Intel's key signed it is for whoever has their certificates to say.
 */
import type { Attester, HardwareBackend } from "../../core/attestation/attester.ts";
import { reportData } from "../../core/attestation/binding.ts";
import { type Bytes, equal, MalformedEvidence } from "../../core/attestation/bytes.ts";
import { encodeEnvelope } from "../../core/attestation/envelope.ts";
import { parseSnpReport } from "../../core/attestation/sev-report.ts";
import { parseTdxQuote } from "../../core/attestation/tdx-quote.ts";
import { systemClock, systemRandom } from "../../core/ports.ts";
import { attestationFault } from "./fault.ts";
import { claimsFor, type HostClaims } from "./host-claims.ts";
import { DEFAULT_TSM_BASE, systemTsmFiles, type TsmParts, type TsmProvider, tsmReport } from "./tsm-report.ts";

export type TsmBackend = Extract<HardwareBackend, "sev" | "tdx">;

const PROVIDER: Record<TsmBackend, TsmProvider> = { sev: "sev_guest", tdx: "tdx_guest" };

export function createTsmAttester(backend: TsmBackend, host: HostClaims, given: Partial<TsmParts> = {}): Attester {
  const parts = { files: systemTsmFiles, base: DEFAULT_TSM_BASE, clock: systemClock, random: systemRandom, ...given };
  return {
    backendType: backend,
    async quote(nonce, binding) {
      const claims = claimsFor(host, binding);
      const data = await reportData(claims, nonce);
      const report = await tsmReport(parts, PROVIDER[backend], data);
      check(backend, report.report, data);
      return { quote: encodeEnvelope({ claims, evidence: { backend, report } }), runtimeHash: host.runtimeHash };
    },
  };
}

function check(backend: TsmBackend, report: Bytes, data: Bytes): void {
  const { made, debug } = readReport(backend, report);
  if (!equal(made, data)) {
    throw attestationFault(
      "the report was made over other data than asked for",
      "Another program may share the entry, or the kernel's driver is broken: look at dmesg.",
      "later",
    );
  }
  if (debug) {
    throw attestationFault(
      "this guest was started with debugging allowed: its host can read its memory",
      "Start the guest without the debug policy. Until then it is no confidential machine; BLF_ATTESTATION_BACKEND=mock is honest.",
    );
  }
}

function readReport(backend: TsmBackend, report: Bytes): { made: Bytes; debug: boolean } {
  try {
    if (backend === "sev") {
      const { reportData: made, debugAllowed } = parseSnpReport(report);
      return { made, debug: debugAllowed };
    }
    const { body } = parseTdxQuote(report);
    return { made: body.reportData, debug: body.debug };
  } catch (error) {
    if (!(error instanceof MalformedEvidence)) throw error;
    throw attestationFault(
      `the kernel's report cannot be read: ${error.message}`,
      "It may be of a newer form than this version knows: update, or report it with the kernel's version.",
      "never",
      error,
    );
  }
}
