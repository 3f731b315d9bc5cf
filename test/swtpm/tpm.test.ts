import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesToHex, hexToBytes } from "viem/utils";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createActivations, decodeOffer } from "../../core/attestation/activation.ts";
import { toBase64 } from "../../core/attestation/bytes.ts";
import { MAX_EVENT_LOG_BYTES } from "../../core/attestation/envelope.ts";
import { makeCredential } from "../../core/attestation/tpm-credential.ts";
import { replayEventLog } from "../../core/attestation/tpm-event-log.ts";
import { nameOf, unsizedPublic } from "../../core/attestation/tpm-structures.ts";
import { measuredRuntime, QUOTED_PCRS, RUNTIME_PCR, verifyTpmQuote } from "../../core/attestation/tpm-verify.ts";
import { type Facts, verifyEnvelope } from "../../core/attestation/verify.ts";
import { type LogFields, systemClock, systemRandom } from "../../core/ports.ts";
import { type RunTool, runTool } from "../../sidecar/attestation/run-tool.ts";
import type { TpmOptions } from "../../sidecar/attestation/tpm.ts";
import { createTpmAttester, type TpmAttester } from "../../sidecar/attestation/tpm.ts";
import { boot } from "./boot.ts";
import { BINDING, EXPECTED, HOST, NODE, NONCE } from "./claims.ts";
import { SKIP_SWTPM, SWTPM, type Swtpm, startSwtpm } from "./rig.ts";

let folder = "";
const running: Swtpm[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "blf-tpm-test-"));
});
afterAll(async () => {
  await Promise.all(running.splice(0).map((swtpm) => swtpm.stop()));
  await rm(folder, { recursive: true, force: true });
});

async function start(): Promise<Swtpm> {
  const swtpm = await startSwtpm();
  running.push(swtpm);
  return swtpm;
}

function attesterOf(swtpm: Swtpm, options: Partial<TpmOptions> = {}): TpmAttester {
  return createTpmAttester(HOST, { tcti: swtpm.tcti, eventLogPath: join(folder, "none"), log: () => {}, ...options });
}

async function verified(quote: string): Promise<Extract<Facts, { backend: "tpm" }>> {
  const result = await verifyEnvelope(hexToBytes(`0x${quote}`), EXPECTED, async () => true);
  if (!result.ok) throw new Error(result.refusal.message);
  if (result.value.facts.backend !== "tpm") throw new Error("not a TPM's");
  return result.value.facts;
}

async function readPcr(swtpm: Swtpm, pcr: number): Promise<Uint8Array> {
  return swtpm.tpm.session(async (session) => {
    await session.run("tpm2_pcrread", [`sha256:${pcr}`, "-o", "pcr"]);
    return session.read("pcr");
  });
}

/** Seconds alone on a machine, far more beside other tests. */
const PATIENCE = { timeout: 120_000 };

describe.skipIf(SKIP_SWTPM)(`a TPM 2.0, in ${SWTPM}`, PATIENCE, () => {
  it("quotes what a coordinator's verifier accepts, with the keys it keeps", async () => {
    const swtpm = await start();
    const first = await verified((await attesterOf(swtpm).quote(NONCE, BINDING)).quote);
    const again = await verified((await attesterOf(swtpm).quote(NONCE, BINDING)).quote);
    expect(again.tpm.akName).toEqual(first.tpm.akName);
    expect(first.tpm).toMatchObject({ runtime: "untouched", eventLog: null });
    expect(first.claims.sidecarKey).toEqual(HOST.sidecarKey);
  });

  it("leaves no key, session or file behind, however often it is asked", async () => {
    const swtpm = await start();
    const attester = attesterOf(swtpm);
    for (let count = 0; count < 5; count++) await attester.quote(NONCE, BINDING);
    const left = await swtpm.tpm.session(async (session) => [
      await session.run("tpm2_getcap", ["handles-transient"]),
      await session.run("tpm2_getcap", ["handles-loaded-session"]),
    ]);
    expect(left.join("")).toBe("");
  });

  it("serves quotes that are asked for at once, one after the other", async () => {
    const attester = attesterOf(await start());
    const quotes = await Promise.all([1, 2, 3].map(() => attester.quote(NONCE, BINDING)));
    const names = await Promise.all(quotes.map(async ({ quote }) => bytesToHex((await verified(quote)).tpm.akName)));
    expect(new Set(names).size).toBe(1);
  });

  it.each(["tpm2_createek", "tpm2_evictcontrol"])(
    "is shared with a process that is faster before %s",
    async (command) => {
      const swtpm = await start();
      const faster = attesterOf(swtpm);
      let name: Uint8Array | undefined;
      const run: RunTool = async (call) => {
        if (call.command === command && name === undefined) name = (await faster.keys()).akName;
        return runTool(call);
      };
      const { akName } = await attesterOf(swtpm, { run }).keys();
      expect(akName).toEqual(name);
    },
  );

  it("shows what was started, by an event log that replays to its PCRs", async () => {
    const swtpm = await start();
    const eventLogPath = join(folder, "event-log");
    const log = await boot(swtpm.tpm);
    await writeFile(eventLogPath, log);
    for (const [pcr, value] of (await replayEventLog(Uint8Array.from(log))).pcrs) {
      expect(await readPcr(swtpm, pcr)).toEqual(value);
    }
    const { tpm } = await verified((await attesterOf(swtpm, { eventLogPath }).quote(NONCE, BINDING)).quote);
    expect(tpm.eventLog?.pcrs.size).toBe(9);
  });

  it("leaves out an event log that does not lead to its PCRs, and says so", async () => {
    const swtpm = await start();
    const eventLogPath = join(folder, "another-log");
    await writeFile(eventLogPath, await boot(swtpm.tpm));
    await swtpm.tpm.session((session) => session.run("tpm2_pcrextend", [`2:sha256=${"11".repeat(32)}`]));
    const said: [string, LogFields | undefined][] = [];
    const attester = attesterOf(swtpm, { eventLogPath, log: (_level, event, fields) => said.push([event, fields]) });
    expect((await verified((await attester.quote(NONCE, BINDING)).quote)).tpm.eventLog).toBeNull();
    expect(said).toEqual([["attestation.event-log-unusable", { reason: expect.stringMatching(/PCR 2$/) }]]);
  });

  it.each([
    ["is empty", 0],
    ["is longer than an envelope takes", MAX_EVENT_LOG_BYTES + 1],
  ])("leaves out an event log that %s, and says so", async (_name, length) => {
    const eventLogPath = join(folder, `log-${length}`);
    await writeFile(eventLogPath, new Uint8Array(length));
    const said: string[] = [];
    const attester = attesterOf(await start(), { eventLogPath, log: (_level, event) => said.push(event) });
    expect((await verified((await attester.quote(NONCE, BINDING)).quote)).tpm.eventLog).toBeNull();
    expect(said).toEqual(["attestation.no-event-log"]);
  });

  it("measures the runtime once from start to start", async () => {
    const swtpm = await start();
    const attester = attesterOf(swtpm);
    expect(await attester.measureRuntime()).toBe(true);
    expect(await attester.measureRuntime()).toBe(true);
    expect(await readPcr(swtpm, RUNTIME_PCR)).toEqual(await measuredRuntime(HOST.runtimeHash));
    expect((await verified((await attester.quote(NONCE, BINDING)).quote)).tpm.runtime).toBe("measured");
  });

  it("says that another runtime was measured before this one", async () => {
    const swtpm = await start();
    const before = createTpmAttester(
      { ...HOST, runtimeHash: "00".repeat(32) },
      { tcti: swtpm.tcti, eventLogPath: join(folder, "none"), log: () => {} },
    );
    expect(await before.measureRuntime()).toBe(true);
    const attester = attesterOf(swtpm);
    expect(await attester.measureRuntime()).toBe(false);
    expect((await verified((await attester.quote(NONCE, BINDING)).quote)).tpm.runtime).toBe("other");
  });

  it("shows its endorsement certificate without what the index holds beyond it", async () => {
    const swtpm = await start();
    const certificate = Uint8Array.of(0x30, 0x82, 0x01, 0x00, ...new Uint8Array(256).fill(5));
    await swtpm.tpm.session(async (session) => {
      await session.write("padded", Uint8Array.of(...certificate, ...new Uint8Array(100).fill(0xff)));
      const attributes = "ownerwrite|ownerread|authread|ppread";
      await session.run("tpm2_nvdefine", ["0x01c00002", "-C", "o", "-s", "360", "-a", attributes]);
      await session.run("tpm2_nvwrite", ["0x01c00002", "-C", "o", "-i", "padded"]);
    });
    expect((await verified((await attesterOf(swtpm).quote(NONCE, BINDING)).quote)).evidence.ekCertificate).toEqual(
      certificate,
    );
  });

  it("keeps another program's key at a handle that is asked for, and says so", async () => {
    const swtpm = await start();
    await swtpm.tpm.session(async (session) => {
      await session.run("tpm2_createprimary", ["-C", "o", "-c", "other.ctx"]);
      await session.run("tpm2_evictcontrol", ["-C", "o", "-c", "other.ctx", "0x81018100"]);
      await session.run("tpm2_flushcontext", ["-t"]);
    });
    await expect(attesterOf(swtpm).keys()).rejects.toMatchObject({
      code: "settings",
      message: expect.stringContaining("0x81018100 holds no attestation key"),
    });
    const { akHandle } = await attesterOf(swtpm, { akHandle: 0x81018200 }).keys();
    expect(akHandle).toBe("0x81018200");
  });

  it("finds its keys anew after it was cleared", async () => {
    const swtpm = await start();
    const attester = attesterOf(swtpm);
    const before = await attester.keys();
    await swtpm.tpm.session((session) => session.run("tpm2_clear", ["-c", "p"]));
    await expect(attester.quote(NONCE, BINDING)).rejects.toMatchObject({ code: "settings", retry: "later" });
    const { tpm } = await verified((await attester.quote(NONCE, BINDING)).quote);
    expect(tpm.akName).not.toEqual(before.akName);
  });

  it("with a password on its owner hierarchy says what is in the way", async () => {
    const swtpm = await start();
    await swtpm.tpm.session((session) => session.run("tpm2_changeauth", ["-c", "o", "secret"]));
    await expect(attesterOf(swtpm).keys()).rejects.toThrow("has a password");
  });

  it("that stopped is not reached, and may be later", async () => {
    const swtpm = await start();
    await swtpm.stop();
    await expect(attesterOf(swtpm).keys()).rejects.toMatchObject({
      message: expect.stringContaining("did not reach a TPM"),
      retry: "later",
    });
  });

  it("is believed with an RSA attestation key as well", async () => {
    const swtpm = await start();
    const { ek } = await attesterOf(swtpm).keys();
    const data = Uint8Array.from({ length: 32 }, (_, at) => at);
    const evidence = await swtpm.tpm.session(async (session) => {
      const key = ["-G", "rsa", "-g", "sha256", "-s", "rsassa"];
      await session.run("tpm2_createak", ["-C", "0x81010001", "-c", "ak.ctx", "-u", "ak.pub", ...key]);
      await session.run("tpm2_flushcontext", ["-t"]);
      const asked = ["-l", `sha256:${QUOTED_PCRS.join(",")}`, "-q", bytesToHex(data).slice(2)];
      await session.run("tpm2_quote", ["-c", "ak.ctx", ...asked, "-m", "attest", "-s", "signature"]);
      return {
        attest: await session.read("attest"),
        signature: await session.read("signature"),
        akPublic: unsizedPublic(await session.read("ak.pub")),
        ekPublic: ek.encoded,
        ekCertificate: null,
        pcrs: new Map(QUOTED_PCRS.map((pcr) => [pcr, new Uint8Array(32)])),
        eventLog: null,
      };
    });
    const expected = { qualifyingData: data, pcrs: QUOTED_PCRS, runtimeHash: HOST.runtimeHash };
    expect(await verifyTpmQuote(evidence, expected)).toMatchObject({ ok: true, value: { akPublic: { kind: "rsa" } } });
    const signature = evidence.signature.map((byte, at) => (at === 100 ? byte ^ 1 : byte));
    expect(await verifyTpmQuote({ ...evidence, signature }, expected)).toMatchObject({
      refusal: { code: "signature" },
    });
  });

  it("without the SHA-256 bank says what is to be activated", async () => {
    const folderOfTpm = await mkdtemp(join(tmpdir(), "blf-bank-"));
    try {
      const before = await startSwtpm(folderOfTpm);
      await before.tpm.session((session) => session.run("tpm2_pcrallocate", ["sha1:all+sha256:none"]));
      await before.stop();
      const swtpm = await startSwtpm(folderOfTpm);
      running.push(swtpm);
      await expect(attesterOf(swtpm).quote(NONCE, BINDING)).rejects.toThrow("SHA-256 bank of PCRs is not active");
      await expect(attesterOf(swtpm).measureRuntime()).rejects.toThrow("SHA-256 bank of PCRs is not active");
    } finally {
      await rm(folderOfTpm, { recursive: true, force: true });
    }
  });

  it("refuses a nonce of another length before it is asked", async () => {
    const attester = attesterOf(await start());
    await expect(attester.quote(new Uint8Array(20), BINDING)).rejects.toMatchObject({ code: "icl-malformed" });
  });
});

describe.skipIf(SKIP_SWTPM)(`credential activation, in ${SWTPM}`, PATIENCE, () => {
  const secret = Uint8Array.from({ length: 32 }, (_, at) => 255 - at);

  it("gives the secret to the TPM with the key it was made for", async () => {
    const attester = attesterOf(await start());
    const { tpm } = await verified((await attester.quote(NONCE, BINDING)).quote);
    const credential = await makeCredential(tpm.ekPublic, tpm.akName, secret, systemRandom);
    expect(await attester.activate(credential)).toEqual(secret);
  });

  it("is what a coordinator learns of a real TPM", async () => {
    const attester = attesterOf(await start());
    const { ek, ak, akName } = await attester.keys();
    const activations = createActivations({ clock: systemClock, random: systemRandom });
    const keys = { ekPublic: toBase64(ek.encoded), akPublic: toBase64(ak.encoded), ekCertificate: null };
    const offer = await activations.offer({ nodeAddress: NODE, ...keys });
    if (!offer.ok) throw new Error(offer.refusal.message);
    const answer = toBase64(await attester.activate(decodeOffer(offer.value)));
    const { credentialId } = offer.value;
    expect(await activations.redeem({ nodeAddress: NODE, credentialId, secret: answer })).toMatchObject({ ok: true });
    expect(await activations.isActivated(NODE, ek, akName)).toBe(true);
  });

  it("gives nothing for another attestation key of the same TPM", async () => {
    const swtpm = await start();
    const [one, other] = [attesterOf(swtpm), attesterOf(swtpm, { akHandle: 0x81018200 })];
    const { ek, akName } = await one.keys();
    expect((await other.keys()).akName).not.toEqual(akName);
    const credential = await makeCredential(ek, akName, secret, systemRandom);
    await expect(other.activate(credential)).rejects.toMatchObject({ code: "settings" });
    expect(await one.activate(credential)).toEqual(secret);
  });

  it("gives nothing for a key made up in software, or one of another TPM", async () => {
    const [mine, others] = [attesterOf(await start()), attesterOf(await start())];
    const { ek } = await mine.keys();
    const foreign = await makeCredential(ek, (await others.keys()).akName, secret, systemRandom);
    await expect(mine.activate(foreign)).rejects.toMatchObject({ code: "settings" });
    const madeUp = await makeCredential(ek, await nameOf(ek), secret, systemRandom);
    await expect(mine.activate(madeUp)).rejects.toMatchObject({ code: "settings" });
  });

  it("gives nothing to another TPM", async () => {
    const [mine, others] = [attesterOf(await start()), attesterOf(await start())];
    const { ek, akName } = await mine.keys();
    const credential = await makeCredential(ek, akName, secret, systemRandom);
    await expect(others.activate(credential)).rejects.toMatchObject({ code: "settings" });
  });

  it("gives nothing for a credential with a bit changed", async () => {
    const attester = attesterOf(await start());
    const { ek, akName } = await attester.keys();
    const credential = await makeCredential(ek, akName, secret, systemRandom);
    for (const at of [0, 2, 33, 34, credential.idObject.length - 1]) {
      const idObject = credential.idObject.map((byte, index) => (index === at ? byte ^ 1 : byte));
      await expect(attester.activate({ ...credential, idObject })).rejects.toMatchObject({ code: "settings" });
    }
    expect(await attester.activate(credential)).toEqual(secret);
  });
});
