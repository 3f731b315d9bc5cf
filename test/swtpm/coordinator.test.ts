import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Hex, hexToBytes } from "viem";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeOffer } from "../../core/attestation/activation.ts";
import { toBase64 } from "../../core/attestation/bytes.ts";
import { type Fetch, systemClock, systemRandom } from "../../core/ports.ts";
import { devAccount, nodeIndex } from "../../devnet/chain/accounts.ts";
import { createRig } from "../../devnet/coordinator/test-rig.ts";
import { activateKey } from "../../sidecar/attestation/activate-key.ts";
import { createTpmAttester, type TpmAttester } from "../../sidecar/attestation/tpm.ts";
import { HOST, MODELS } from "./claims.ts";
import { SKIP_SWTPM, SWTPM, type Swtpm, startSwtpm } from "./rig.ts";

let folder = "";
const running: Swtpm[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "blf-tpm-coordinator-"));
});
afterAll(async () => {
  await Promise.all(running.splice(0).map((swtpm) => swtpm.stop()));
  await rm(folder, { recursive: true, force: true });
});

/** A coordinator of the chain that the quotes name, a node, and a TPM in the node's machine. */
async function attesting() {
  const swtpm = await startSwtpm();
  running.push(swtpm);
  const rig = createRig({ chainId: HOST.chainId, random: systemRandom });
  const node = rig.node(0);
  const attester = createTpmAttester(HOST, { tcti: swtpm.tcti, eventLogPath: join(folder, "none"), log: () => {} });
  const verify = async (change: object = {}) => {
    const { challengeId, nonce } = (await node.challenge()).json as { challengeId: string; nonce: Hex };
    const binding = { node: node.address, challengeId, models: MODELS };
    const { quote, runtimeHash } = await attester.quote(Uint8Array.from(hexToBytes(nonce)), binding);
    return node.call("/internal/attestation/verify", {
      nodeAddress: node.address,
      backendType: "tpm",
      quote,
      runtimeHash,
      challengeId,
      supportedModelIds: [...MODELS],
      ...change,
    });
  };
  return { rig, node, attester, verify };
}

async function keysOf(attester: TpmAttester) {
  const { ek, ak } = await attester.keys();
  return { ekPublic: toBase64(ek.encoded), akPublic: toBase64(ak.encoded), ekCertificate: null };
}

describe.skipIf(SKIP_SWTPM)(`the devnet's coordinator and a TPM 2.0, in ${SWTPM}`, { timeout: 120_000 }, () => {
  it("gives a bound quote tier 0 until its key was activated, then tier 1", async () => {
    const { node, attester, verify } = await attesting();
    expect(await verify()).toMatchObject({ status: 200, json: { tier: 0 } });
    const about = { nodeAddress: node.address };
    const offer = await node.call("/internal/attestation/credential", { ...about, ...(await keysOf(attester)) });
    expect(offer.status).toBe(200);
    const { credentialId } = offer.json;
    const secret = toBase64(await attester.activate(decodeOffer(offer.json as never)));
    const done = await node.call("/internal/attestation/activate", { ...about, credentialId, secret });
    expect(done).toMatchObject({ status: 200, json: {} });
    expect(await verify()).toMatchObject({ status: 200, json: { tier: 1 } });
  });

  it("is told by the sidecar before a quote, and asked of no coordinator that does not know it", async () => {
    const { rig, node, attester, verify } = await attesting();
    const app = { has: true };
    const fetch: Fetch = async (input, init) => {
      const request = new Request(input, init);
      if (!app.has && request.url.includes("/credential")) return new Response(null, { status: 404 });
      return rig.coordinator.app.fetch(request);
    };
    // The rig's own jumps ahead when it sleeps, and every time-out with it.
    const clock = { ...systemClock, now: rig.clock.now };
    const options = { endpoint: "http://coordinator.test", signer: devAccount(nodeIndex(0)), fetch, clock };
    expect(options.signer.address).toBe(node.address);
    const events: string[] = [];
    const log = (_level: string, event: string) => void events.push(event);
    app.has = false;
    expect(await activateKey(attester, options, log)).toBe("unsupported");
    expect(await verify()).toMatchObject({ json: { tier: 0 } });
    app.has = true;
    expect(await activateKey(attester, options, log)).toBe("activated");
    expect(await verify()).toMatchObject({ json: { tier: 1 } });
    const away = { ...options, fetch: () => Promise.reject(new TypeError("fetch failed")) };
    expect(await activateKey(attester, away, log)).toBe("failed");
    expect(events).toEqual(["attestation.key-activated", "attestation.key-not-activated"]);
  });

  it.each([
    ["other models than it was made for", { supportedModelIds: ["mock:demo"] }, /models/],
    ["another runtime hash", { runtimeHash: "11".repeat(32) }, /runtime hash/],
    ["another backend's name", { backendType: "sev" }, /backend/],
  ])("refuses a quote shown with %s", async (_name, change, detail) => {
    const { verify, rig } = await attesting();
    const answer = await verify(change);
    expect(answer.status).toBe(400);
    expect(answer.json.detail).toMatch(detail);
    expect(rig.coordinator.stats().nodes).toEqual([]);
  });

  it("takes no secret but the one that the TPM gave out, and each once", async () => {
    const { rig, node, attester, verify } = await attesting();
    const about = { nodeAddress: node.address };
    const keys = await keysOf(attester);
    const first = (await node.call("/internal/attestation/credential", { ...about, ...keys })).json;
    const wrong = { ...about, credentialId: first.credentialId, secret: toBase64(new Uint8Array(32)) };
    expect((await node.call("/internal/attestation/activate", wrong)).status).toBe(400);
    const right = { ...wrong, secret: toBase64(await attester.activate(decodeOffer(first as never))) };
    expect((await node.call("/internal/attestation/activate", right)).status).toBe(400);
    const other = rig.node(1);
    const foreign = await other.call("/internal/attestation/credential", { ...about, ...keys });
    expect(foreign.status).toBeGreaterThanOrEqual(400);
    expect(await verify()).toMatchObject({ json: { tier: 0 } });
  });
});
