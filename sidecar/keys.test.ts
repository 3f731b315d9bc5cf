import { describe, expect, it } from "vitest";
import { systemRandom } from "../core/ports.ts";
import { Secret } from "../core/secret.ts";
import { signingKey } from "../core/sidecar/keys.ts";
import { makeSidecarKeys, readSidecarKeys, readWorkerKeys, renderSidecarKeys } from "./keys.ts";

const url = "https://sidecar.example.com";
const nowMs = Date.UTC(2026, 0, 6);
const [a, b] = ["a".repeat(64), "b".repeat(64)];

describe("the keys of both sides", () => {
  it("fit each other, and no private key is on both", async () => {
    const { worker, sidecar } = await makeSidecarKeys({ url, nowMs, random: systemRandom });
    const read = await readSidecarKeys({
      BLF_SIDECAR_WORKER_KEYS: sidecar.BLF_SIDECAR_WORKER_KEYS,
      BLF_SIDECAR_SIGNING_KEY: new Secret(sidecar.BLF_SIDECAR_SIGNING_KEY),
    });
    expect(worker.BLF_SIDECAR_KEY_ID).toBe("worker-2026-01-06");
    expect(read.publicKey).toBe(worker.BLF_SIDECAR_PUBLIC_KEY);
    expect(read.signingKey.id).toBe(worker.BLF_SIDECAR_PUBLIC_KEY);

    const data = Uint8Array.of(1, 2, 3);
    const signature = await signingKey("w", new Secret(worker.BLF_SIDECAR_PRIVATE_KEY)).sign(data);
    expect(await read.workerKeys[0]?.verify(data, signature)).toBe(true);
    expect(Object.values(sidecar).join()).not.toContain(worker.BLF_SIDECAR_PRIVATE_KEY);
    expect(Object.values(worker).join()).not.toContain(sidecar.BLF_SIDECAR_SIGNING_KEY);
  });

  it("are new each time", async () => {
    const [one, other] = await Promise.all([1, 2].map(() => makeSidecarKeys({ url, nowMs, random: systemRandom })));
    expect(one?.worker.BLF_SIDECAR_PRIVATE_KEY).not.toBe(other?.worker.BLF_SIDECAR_PRIVATE_KEY);
    expect(one?.sidecar.BLF_SIDECAR_SIGNING_KEY).not.toBe(other?.sidecar.BLF_SIDECAR_SIGNING_KEY);
  });

  it("are shown as lines for each side's settings", async () => {
    const keys = await makeSidecarKeys({ url, keyId: "gpu", nowMs, random: systemRandom });
    const text = renderSidecarKeys(keys);
    for (const settings of [keys.worker, keys.sidecar]) {
      for (const [name, value] of Object.entries(settings)) expect(text).toContain(`\n${name}=${value}\n`);
    }
    expect(text.match(new RegExp(keys.worker.BLF_SIDECAR_PRIVATE_KEY, "g"))).toHaveLength(1);
  });

  it("have a name that fits into a list", async () => {
    for (const keyId of ["a=b", "a,b", "", "-a", "a b", "x".repeat(65)]) {
      await expect(makeSidecarKeys({ url, keyId, nowMs, random: systemRandom })).rejects.toThrow(/name/);
    }
  });
});

describe("the sidecar's settings", () => {
  it("hold two keys at once, in any case and with blanks between them", () => {
    const keys = readWorkerKeys(` one=${a} , two=${b.toUpperCase()},`);
    expect(keys.map(({ id }) => id)).toEqual(["one", "two"]);
  });

  it.each([
    ["nothing", undefined, /not set/],
    ["only commas", " , ", /not set/],
    ["a key without a name", a, /item 1 .* is not NAME=KEY/],
    ["a short key", `one=${a.slice(1)}`, /item 1 /],
    ["a second item that is none", `one=${a},two`, /item 2 /],
    ["a name twice", `one=${a},one=${b}`, /twice/],
    ["a key twice", `one=${a},two=${a.toUpperCase()}`, /twice/],
    ["too many", Array.from({ length: 9 }, (_, i) => `k${i}=${String(i).repeat(64)}`).join(), /more than 8/],
  ])("are refused with %s", (_, list, message) => {
    expect(() => readWorkerKeys(list)).toThrow(message);
  });

  it("are refused without a key of the sidecar's own, and no key is repeated", async () => {
    for (const seed of [undefined, new Secret("ab"), new Secret(`${a}0`)]) {
      const settings = { BLF_SIDECAR_WORKER_KEYS: `one=${a}`, BLF_SIDECAR_SIGNING_KEY: seed };
      await expect(readSidecarKeys(settings)).rejects.toMatchObject({
        code: "settings",
        message: "BLF_SIDECAR_SIGNING_KEY is not 64 hex digits",
      });
    }
    expect(() => readWorkerKeys(`one=${a}x`)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(a) }),
    );
  });
});
