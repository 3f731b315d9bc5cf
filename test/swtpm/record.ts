/**
 * Records what a software TPM really says, for the tests that run without one: `node test/swtpm/record.ts`. Every run makes
 * another TPM, so all of recorded.json changes.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createTpmAttester } from "../../sidecar/attestation/tpm.ts";
import { boot } from "./boot.ts";
import { BINDING, HOST, NONCE } from "./claims.ts";
import { startSwtpm } from "./rig.ts";

const swtpm = await startSwtpm();
const folder = await mkdtemp(join(tmpdir(), "blf-record-"));
try {
  const eventLogPath = join(folder, "event-log");
  await writeFile(eventLogPath, await boot(swtpm.tpm));
  const attester = createTpmAttester(HOST, { tcti: swtpm.tcti, eventLogPath, log: () => {} });
  await attester.measureRuntime();
  const { quote } = await attester.quote(NONCE, BINDING);
  const version = await swtpm.tpm.session((session) => session.run("tpm2_quote", ["--version"]));
  const recorded = { source: `swtpm with ${version.trim()}`, quote };
  await writeFile(fileURLToPath(new URL("recorded.json", import.meta.url)), `${JSON.stringify(recorded, null, 2)}\n`);
} finally {
  await swtpm.stop();
  await rm(folder, { recursive: true, force: true });
}
