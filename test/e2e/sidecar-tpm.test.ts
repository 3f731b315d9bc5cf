/** A node whose sidecar attests by a TPM: from the quote in the box to the tier on the node's certificate. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { devAccount, devPrivateKey, nodeIndex } from "../../devnet/chain/accounts.ts";
import { SKIP_SWTPM, SWTPM, type Swtpm, startSwtpm } from "../swtpm/rig.ts";
import { type Rig, startRig } from "./rig.ts";
import { type SidecarProcess, startSidecarProcess, workerSettings } from "./sidecar-process.ts";

const MODEL = "mock:demo";

describe.skipIf(SKIP_SWTPM)(`a node whose sidecar attests by a TPM 2.0, in ${SWTPM}`, () => {
  let dir: string;
  let swtpm: Swtpm;
  let sidecar: SidecarProcess;
  let rig: Rig;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "blindference-edge-tpm-"));
    swtpm = await startSwtpm();
    rig = await startRig({
      models: [MODEL],
      nodes: 1,
      async env(network) {
        sidecar = await startSidecarProcess({
          ...network.env,
          BLF_PRIVATE_KEY: devPrivateKey(nodeIndex(0)),
          BLF_STORAGE_KEY: `${"7d".repeat(31)}01`,
          BLF_SIDECAR_STATE: join(dir, "state"),
          BLF_MODELS: MODEL,
          BLF_TIER: "1",
          BLF_ATTESTATION_BACKEND: "tpm",
          BLF_TPM_TCTI: swtpm.tcti,
        });
        return {
          BLF_PRIVATE_KEY: "",
          BLF_STORAGE_KEY: "",
          BLF_TIER: "1",
          BLF_ATTESTATION_BACKEND: "tpm",
          ...(await workerSettings(sidecar.url, devAccount(nodeIndex(0)).address)),
        };
      },
    });
  }, 120_000);

  afterAll(async () => {
    await rig?.stop();
    await sidecar?.kill();
    await swtpm?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it("gets a certificate of tier 1 for a key that the coordinator saw activated, and says how it attests", async () => {
    const status = await rig.nodes[0]?.api("/api/status");
    const attested = { tier: 1, attestationBackend: "tpm", executor: "sidecar", state: "running" };
    expect(status).toMatchObject({ nodes: [attested] });
    const events = sidecar.log.map(({ event }) => event);
    expect(events).toContain("runtime.measured");
    expect(events.indexOf("attestation.key-activated")).toBeLessThan(events.indexOf("attestation.quoted"));
  });
});
