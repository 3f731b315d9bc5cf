/** Sealed blobs, wrapped secrets and key halves: what is changed is refused, and what is not comes back as it was. */
import fc from "fast-check";
import { openBlob, sealBlob } from "../../../core/crypto/blob.ts";
import { normalizeOutput } from "../../../core/crypto/commitment.ts";
import { joinKey, splitKey } from "../../../core/crypto/key-halves.ts";
import { systemRandom } from "../../../core/ports.ts";
import { Secret } from "../../../core/secret.ts";
import { createVault } from "../../../core/vault.ts";
import { mutatedBytes, mutatedText } from "../mutate.ts";
import { CANARY, came, must, property } from "../property.ts";

const KEY = new Uint8Array(32).fill(7);
const TEXTS = ["", "a", "An answer.\n", `\ufeff${CANARY}`, "\u{1f980}".repeat(40)];
const BLOBS = await Promise.all(TEXTS.map((text) => sealBlob(text, KEY, (length) => new Uint8Array(length).fill(1))));

const VAULT = createVault({
  keys: ["0b".repeat(32), "0c".repeat(32)].map((key) => new Secret(key)),
  random: systemRandom,
});
const OLD = createVault({ keys: [new Secret("0c".repeat(32))], random: systemRandom });
const PLAIN = new TextEncoder().encode(CANARY);
const ENVELOPES = [await VAULT.seal("output-key", "row", PLAIN), await OLD.seal("output-key", "row", PLAIN)];

const uint256 = fc.bigInt({ min: -1n, max: 2n ** 130n });

export const crypto = [
  property("opens no blob that was changed, and quotes none", 6_000, mutatedBytes(BLOBS), async (blob) => {
    const index = BLOBS.findIndex((sealed) => Buffer.compare(sealed, blob) === 0);
    const { value } = await came(["prompt-unreadable"], () => openBlob(blob, KEY));
    must(value === TEXTS[index], "only an untouched blob opens, to its own text");
  }),
  property("opens what it sealed, to the last character", 1_500, fc.string({ unit: "binary" }), async (text) => {
    const whole = text.toWellFormed();
    must((await openBlob(await sealBlob(whole, KEY), KEY)) === whole, "a text survives its blob");
  }),
  property(
    "unwraps no envelope that was changed, for another row or of another purpose",
    5_000,
    fc.tuple(
      mutatedText(ENVELOPES, [".", "v2.", "A", "_", "=", "\u0000", "0".repeat(8)]),
      fc.constantFrom("row", "row", "other"),
      fc.constantFrom("output-key", "output-key", "permit"),
    ),
    async ([envelope, row, purpose]) => {
      const { value } = await came(["storage-key"], () => VAULT.open(purpose, row, envelope));
      const sound = ENVELOPES.includes(envelope) && row === "row" && purpose === "output-key";
      must((value !== undefined) === sound, "an envelope opens only as it was sealed");
      await came(["storage-key"], () => VAULT.needsRewrap(envelope));
    },
  ),
  property("unwraps what it wrapped", 1_000, fc.tuple(fc.uint8Array(), fc.string()), async ([secret, row]) => {
    const opened = await VAULT.open("permit", row, await VAULT.seal("permit", row, secret));
    must(Buffer.compare(opened, secret) === 0, "a secret survives its envelope");
  }),
  property(
    "joins key halves that fit and refuses the others",
    2_000,
    fc.tuple(uint256, uint256),
    async ([high, low]) => {
      const { value } = await came(["key-unavailable"], () => joinKey(high, low));
      const fit = [high, low].every((half) => half >= 0n && half < 2n ** 128n);
      must((value !== undefined) === fit, "a half is a uint128");
      if (value !== undefined) must(splitKey(value).high === high && splitKey(value).low === low, "halves come back");
    },
  ),
  property("normalises an answer once and for all", 2_000, fc.string({ unit: "binary" }), (text) => {
    const once = normalizeOutput(text);
    must(normalizeOutput(once) === once, "normalising twice changes nothing");
    must(!/^ | $| {2}/.test(once), "no space is left over");
  }),
];
