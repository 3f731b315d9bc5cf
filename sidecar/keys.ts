/**
 * Makes the keys of a Worker and its sidecar, and reads the sidecar's own settings of them. Each side gets its own
 * private key and the other's public one; no private key is on both. Two keys of a Worker may be known at once, so that
 * one can be exchanged without an outage. Refuses a list that holds a key twice or names no key.
 */
import { NodeError } from "../core/errors.ts";
import type { RandomBytes } from "../core/ports.ts";
import { Secret } from "../core/secret.ts";
import { publicKeyOf, type SigningKey, signingKey, type VerifyingKey, verifyingKey } from "../core/sidecar/keys.ts";

export interface SidecarKeys {
  /** Settings by name; those marked in `secrets` are private keys. */
  worker: {
    BLF_SIDECAR_URL: string;
    BLF_SIDECAR_KEY_ID: string;
    BLF_SIDECAR_PRIVATE_KEY: string;
    BLF_SIDECAR_PUBLIC_KEY: string;
  };
  sidecar: {
    BLF_SIDECAR_URL: string;
    BLF_SIDECAR_WORKER_KEYS: string;
    BLF_SIDECAR_SIGNING_KEY: string;
  };
}

export interface SidecarKeySettings {
  BLF_SIDECAR_WORKER_KEYS: string | undefined;
  BLF_SIDECAR_SIGNING_KEY: Secret | undefined;
}

const KEY_ID_FORM = /^[A-Za-z0-9][\w.-]{0,63}$/;
const KEY_FORM = /^[0-9a-fA-F]{64}$/;
/** One in use and one that takes its place; more would only be keys that somebody forgot to take out. */
const KEYS_MAX = 8;

/** @param keyId the name of the Worker's key; by default one with the day in it */
export async function makeSidecarKeys(options: {
  url: string;
  keyId?: string;
  nowMs: number;
  random: RandomBytes;
}): Promise<SidecarKeys> {
  const { url, keyId = `worker-${new Date(options.nowMs).toISOString().slice(0, 10)}`, random } = options;
  if (!KEY_ID_FORM.test(keyId)) throw badKeys("the key's name holds other characters than letters, digits and . _ -");
  const [worker, sidecar] = [newSeed(random), newSeed(random)];
  const [workerPublic, sidecarPublic] = await Promise.all([publicKeyOf(worker), publicKeyOf(sidecar)]);
  return {
    worker: {
      BLF_SIDECAR_URL: url,
      BLF_SIDECAR_KEY_ID: keyId,
      BLF_SIDECAR_PRIVATE_KEY: worker.reveal(),
      BLF_SIDECAR_PUBLIC_KEY: sidecarPublic,
    },
    sidecar: {
      BLF_SIDECAR_URL: url,
      BLF_SIDECAR_WORKER_KEYS: `${keyId}=${workerPublic}`,
      BLF_SIDECAR_SIGNING_KEY: sidecar.reveal(),
    },
  };
}

/** For a terminal: what to set where. It holds two private keys. */
export function renderSidecarKeys({ worker, sidecar }: SidecarKeys): string {
  const lines = (settings: object) => Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  return [
    "# The Worker's; store BLF_SIDECAR_PRIVATE_KEY as a secret.",
    ...lines(worker),
    "",
    "# The sidecar's; BLF_SIDECAR_SIGNING_KEY stays on its machine.",
    ...lines(sidecar),
    "",
  ].join("\n");
}

/** The keys that the sidecar's settings hold. Throws NodeError `settings` where one is missing or malformed. */
export async function readSidecarKeys(
  settings: SidecarKeySettings,
): Promise<{ workerKeys: VerifyingKey[]; signingKey: SigningKey; publicKey: string }> {
  const seed = settings.BLF_SIDECAR_SIGNING_KEY;
  if (seed === undefined || !KEY_FORM.test(seed.reveal())) {
    throw badKeys("BLF_SIDECAR_SIGNING_KEY is not 64 hex digits");
  }
  const publicKey = await publicKeyOf(seed);
  return {
    workerKeys: readWorkerKeys(settings.BLF_SIDECAR_WORKER_KEYS),
    signingKey: signingKey(publicKey, seed),
    publicKey,
  };
}

/** @param list `ID=KEY`, comma-separated, each key 64 hex digits */
export function readWorkerKeys(list: string | undefined): VerifyingKey[] {
  const items = (list ?? "").split(",").flatMap((item) => (item.trim() === "" ? [] : [item.trim()]));
  const pairs = items.map((item, index) => {
    const [id = "", key = "", ...rest] = item.split("=");
    if (!KEY_ID_FORM.test(id) || !KEY_FORM.test(key) || rest.length > 0) {
      throw badKeys(`item ${index + 1} of BLF_SIDECAR_WORKER_KEYS is not NAME=KEY with a key of 64 hex digits`);
    }
    return { id, key: key.toLowerCase() };
  });
  if (pairs.length === 0) throw badKeys("BLF_SIDECAR_WORKER_KEYS is not set: the sidecar would answer nobody");
  if (pairs.length > KEYS_MAX) throw badKeys(`BLF_SIDECAR_WORKER_KEYS holds more than ${KEYS_MAX} keys`);
  const distinct = (values: readonly string[]) => new Set(values).size === values.length;
  if (!distinct(pairs.map(({ id }) => id)) || !distinct(pairs.map(({ key }) => key))) {
    throw badKeys("BLF_SIDECAR_WORKER_KEYS holds a name or a key twice");
  }
  return pairs.map(({ id, key }) => verifyingKey(id, key));
}

function newSeed(random: RandomBytes): Secret {
  return new Secret(Buffer.from(random(32)).toString("hex"));
}

function badKeys(message: string): NodeError {
  return new NodeError("settings", message, {
    retry: "never",
    hint: "Make the keys of both sides with `blindference-edge sidecar keys`.",
  });
}
