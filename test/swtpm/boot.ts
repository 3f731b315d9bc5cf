/** A start of the machine: events are extended into the TPM as firmware does, and logged. */
import type { Tpm2 } from "../../sidecar/attestation/tpm2-tools.ts";
import { digestOf, type MadeEvent, makeEventLog } from "./event-log.ts";

/** EV_S_CRTM_VERSION, EV_EFI_BOOT_SERVICES_APPLICATION, EV_SEPARATOR, EV_EFI_VARIABLE_DRIVER_CONFIG, EV_IPL. */
export const BOOT_EVENTS: readonly MadeEvent[] = [
  { pcr: 0, type: 0x00000008, data: "firmware 1.0" },
  { pcr: 0, type: 0x00000008, data: "firmware 1.0, second part" },
  { pcr: 7, type: 0x80000001, data: "SecureBoot=1" },
  { pcr: 4, type: 0x80000003, data: "boot loader" },
  ...Array.from({ length: 8 }, (_, pcr) => ({ pcr, type: 0x00000004, data: Uint8Array.of(0, 0, 0, 0) })),
  { pcr: 8, type: 0x0000000d, data: "a PCR that is logged and not quoted" },
];

/** @returns the log */
export async function boot(tpm: Tpm2, events: readonly MadeEvent[] = BOOT_EVENTS): Promise<Buffer> {
  await tpm.session(async (session) => {
    for (const { pcr, data } of events) {
      await session.run("tpm2_pcrextend", [`${pcr}:sha256=${digestOf("sha256", data).toString("hex")}`]);
    }
  });
  return makeEventLog(events);
}
