import { hexToBytes } from "viem/utils";
import { beforeEach, describe, expect, it } from "vitest";
import { NODE } from "../../test/swtpm/claims.ts";
import recorded from "../../test/swtpm/recorded.json" with { type: "json" };
import { systemClock, systemRandom } from "../ports.ts";
import { type Activations, createActivations } from "./activation.ts";
import { type Bytes, toBase64 } from "./bytes.ts";
import { decodeEnvelope } from "./envelope.ts";
import { nameOf, parsePublic } from "./tpm-structures.ts";

const { evidence } = decodeEnvelope(hexToBytes(`0x${recorded.quote}`));
if (evidence.backend !== "tpm") throw new Error("the recorded envelope is not a TPM's");
const EK = parsePublic(evidence.tpm.ekPublic);
const AK_NAME = await nameOf(parsePublic(evidence.tpm.akPublic));
const REQUEST = {
  nodeAddress: NODE,
  ekPublic: toBase64(evidence.tpm.ekPublic),
  akPublic: toBase64(evidence.tpm.akPublic),
  ekCertificate: null,
};

let nowMs = 0;
let drawn: Bytes[] = [];
let activations: Activations;
beforeEach(() => {
  nowMs = 1_700_000_000_000;
  drawn = [];
  const random = (length: number) => {
    const bytes = systemRandom(length);
    drawn.push(bytes);
    return bytes;
  };
  activations = createActivations({ clock: { ...systemClock, now: () => nowMs }, random });
});

/** An offer, with the secret that only the TPM would give out: the first that was drawn for it. */
async function offered() {
  drawn = [];
  const offer = await activations.offer(REQUEST);
  if (!offer.ok) throw new Error(offer.refusal.message);
  return { ...offer.value, secret: toBase64(drawn[0] ?? new Uint8Array()) };
}

describe("the activation of an attestation key", () => {
  it("is known once the secret comes back, for this node and these keys alone", async () => {
    const { credentialId, secret } = await offered();
    expect(await activations.isActivated(NODE, EK, AK_NAME)).toBe(false);
    expect(await activations.redeem({ nodeAddress: NODE.toLowerCase(), credentialId, secret })).toMatchObject({
      ok: true,
    });
    expect(await activations.isActivated(NODE.toLowerCase(), EK, AK_NAME)).toBe(true);
    expect(await activations.isActivated(`0x${"11".repeat(20)}`, EK, AK_NAME)).toBe(false);
    expect(await activations.isActivated(NODE, EK, await nameOf(EK))).toBe(false);
    expect(await activations.isActivated(NODE, parsePublic(evidence.tpm.akPublic), AK_NAME)).toBe(false);
  });

  it("does not show the secret", async () => {
    const { secret, ...offer } = await offered();
    expect(JSON.stringify(offer)).not.toContain(secret.slice(0, 12));
  });

  it("takes a secret once", async () => {
    const { credentialId, secret } = await offered();
    await activations.redeem({ nodeAddress: NODE, credentialId, secret });
    expect(await activations.redeem({ nodeAddress: NODE, credentialId, secret })).toMatchObject({ ok: false });
  });

  it("is over after one wrong secret", async () => {
    const { credentialId, secret } = await offered();
    for (const given of [toBase64(new Uint8Array(32)), secret]) {
      expect(await activations.redeem({ nodeAddress: NODE, credentialId, secret: given })).toMatchObject({ ok: false });
    }
    expect(await activations.isActivated(NODE, EK, AK_NAME)).toBe(false);
  });

  it.each(["", "*", "AA=="])("refuses the secret '%s'", async (secret) => {
    const { credentialId } = await offered();
    expect(await activations.redeem({ nodeAddress: NODE, credentialId, secret })).toMatchObject({ ok: false });
  });

  it("is not another node's to finish, and is still there for its own", async () => {
    const { credentialId, secret } = await offered();
    const other = { nodeAddress: `0x${"11".repeat(20)}`, credentialId, secret };
    expect(await activations.redeem(other)).toMatchObject({ ok: false });
    expect(await activations.redeem({ ...other, nodeAddress: NODE })).toMatchObject({ ok: true });
  });

  it("ends after five minutes", async () => {
    const { credentialId, secret } = await offered();
    nowMs += 5 * 60_000;
    expect(await activations.redeem({ nodeAddress: NODE, credentialId, secret })).toMatchObject({ ok: false });
  });

  it("forgets the oldest of a flood of requests", async () => {
    const first = await offered();
    for (let count = 0; count < 1_000; count++) await activations.offer(REQUEST);
    expect(await activations.redeem({ nodeAddress: NODE, ...first })).toMatchObject({ ok: false });
  });

  it.each([
    ["keys in each other's place", { ekPublic: REQUEST.akPublic, akPublic: REQUEST.ekPublic }, "key"],
    ["a key that is none", { akPublic: "AAAA" }, "malformed"],
    ["no base64", { ekPublic: "*" }, "malformed"],
  ])("is not offered for %s", async (_name, change, code) => {
    expect(await activations.offer({ ...REQUEST, ...change })).toMatchObject({ ok: false, refusal: { code } });
  });
});
