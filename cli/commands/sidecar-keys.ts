/**
 * `sidecar keys`: makes the keys of both sides and prints the settings for each. With keys in force it makes the Worker a
 * new one beside them, so that both are good while they are exchanged; the sidecar's own stays unless a new one is asked
 * for. Nothing is written but to the folder that is named, for its owner alone.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { privateKeyToAddress } from "viem/accounts";
import { Secret } from "../../core/secret.ts";
import { readKey32 } from "../../core/settings/key.ts";
import { readWorkerKeys } from "../../core/settings/sidecar-shape.ts";
import { readUrl } from "../../core/settings/url.ts";
import { publicKeyOf } from "../../core/sidecar/keys.ts";
import { type CommonOptions, type Context, contextFor, defineCommand, withOptions } from "../command.ts";
import { usageError } from "../errors.ts";
import { addressOf, readKeystore } from "../wallet/keystore.ts";
import { createPrivate } from "../wallet/private-file.ts";

interface Options extends CommonOptions {
  id?: string;
  sidecarUrl?: string;
  newSidecarKey?: true;
  out?: string;
}

interface BothSides {
  sidecar: Record<string, string>;
  worker: Record<string, string>;
}

const FILES = { sidecar: "sidecar.env", worker: "worker.env" } as const;

export function sidecarKeysCommand(): Command {
  const command = defineCommand(
    "keys",
    "Make the keys between Worker and sidecar, and print the settings for both sides",
    [
      "sidecar keys --sidecar-url https://sidecar.example.org",
      "sidecar keys --out ./keys # writes keys/sidecar.env and keys/worker.env",
      "sidecar keys --new-sidecar-key --json",
    ],
  )
    .option("--sidecar-url <url>", "where the Worker reaches the sidecar (default: BLF_SIDECAR_URL)")
    .option("--id <name>", "name of the Worker's key (default: worker- and six random digits)")
    .option("--new-sidecar-key", "also make the sidecar a new key; the Worker then takes both")
    .option("--out <folder>", "write two settings files there, for their owner alone, and print no secret");
  return withOptions(command, "json", "envFile").action(run);
}

async function run(options: Options): Promise<void> {
  const context = contextFor(options);
  const { io } = context;
  const sides = await makeKeys(context, options);
  if (options.out !== undefined) return write(context, resolve(options.out), sides, options.json === true);
  if (options.json === true) return io.json(sides);
  io.print("# The sidecar's settings");
  io.print(lines(sides.sidecar));
  io.print();
  io.print("# The Worker's settings: store BLF_SIDECAR_PRIVATE_KEY as a secret");
  io.print(lines(sides.worker));
  io.note("Each side keeps its own: nobody else may see them. The sidecar takes the keys at its next start.");
  if (sides.worker.BLF_NODE_ADDRESS === undefined) {
    io.note("Set BLF_NODE_ADDRESS on the Worker to the address of the node whose key the sidecar holds.");
  }
  if (sides.worker.BLF_SIDECAR_URL === undefined)
    io.note("Set BLF_SIDECAR_URL on the Worker to the sidecar's address.");
}

async function makeKeys({ env }: Context, options: Options): Promise<BothSides> {
  const id = options.id ?? `worker-${randomBytes(3).toString("hex")}`;
  if (!/^[\w.:-]{1,64}$/.test(id)) throw usageError("--id takes letters, digits and . : _ - only, at most 64.");
  const known = env.get("BLF_SIDECAR_WORKER_KEYS");
  const before = known === undefined ? [] : workerKeysIn(known);
  if (before.some((key) => key.id === id)) throw usageError(`There is a key ${id} already.`, "Choose another --id.");
  const url = options.sidecarUrl === undefined ? env.get("BLF_SIDECAR_URL") : originIn(options.sidecarUrl);
  const workerSeed = newSeed();
  const workerKeys = [...before, { id, publicKey: await publicKeyOf(workerSeed) }];
  const kept = await env.secret("BLF_SIDECAR_SIGNING_KEY");
  const old = kept === null ? null : seedIn(kept);
  const fresh = old === null || options.newSidecarKey === true ? newSeed() : null;
  const publicKeys = await Promise.all([old, fresh].flatMap((seed) => (seed === null ? [] : [publicKeyOf(seed)])));
  const address = await nodeAddress(env);
  return {
    sidecar: {
      ...(fresh === null ? {} : { BLF_SIDECAR_SIGNING_KEY: fresh.reveal() }),
      BLF_SIDECAR_WORKER_KEYS: workerKeys.map((key) => `${key.id}=${key.publicKey}`).join(","),
      ...(url === undefined ? {} : { BLF_SIDECAR_ORIGINS: url }),
    },
    worker: {
      BLF_EXECUTOR: "sidecar",
      ...(address === null ? {} : { BLF_NODE_ADDRESS: address }),
      ...(url === undefined ? {} : { BLF_SIDECAR_URL: url }),
      BLF_SIDECAR_KEY_ID: id,
      BLF_SIDECAR_PRIVATE_KEY: workerSeed.reveal(),
      BLF_SIDECAR_PUBLIC_KEY: publicKeys.join(","),
    },
  };
}

async function write({ io }: Context, folder: string, sides: BothSides, asJson: boolean): Promise<void> {
  const paths = { sidecar: join(folder, FILES.sidecar), worker: join(folder, FILES.worker) };
  await createPrivate(paths.sidecar, `${lines(sides.sidecar)}\n`);
  await createPrivate(paths.worker, `${lines(sides.worker)}\n`);
  if (asJson) return io.json(paths);
  io.print(`Wrote ${paths.sidecar} and ${paths.worker}, for you alone.`);
}

function lines(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}`)
    .join("\n");
}

/** Of the key that this machine has, without opening anything. */
async function nodeAddress(env: Context["env"]): Promise<string | null> {
  const given = env.get("BLF_PRIVATE_KEY");
  if (given !== undefined) {
    const hex = given.replace(/^0x/, "");
    return /^[0-9a-fA-F]{64}$/.test(hex) ? privateKeyToAddress(`0x${hex}`) : null;
  }
  return existsSync(env.keystorePath) ? addressOf(await readKeystore(env.keystorePath), env.keystorePath) : null;
}

function newSeed(): Secret {
  return new Secret(randomBytes(32).toString("hex"));
}

function seedIn(text: Secret): Secret {
  const seed = readKey32(text.reveal());
  if (!seed.ok) throw usageError("BLF_SIDECAR_SIGNING_KEY cannot be read.", "Remove it to make a new one.");
  return seed.value;
}

function workerKeysIn(text: string) {
  const keys = readWorkerKeys(text);
  if (!keys.ok) throw usageError(`BLF_SIDECAR_WORKER_KEYS ${keys.refusal[0]?.message ?? "cannot be read"}.`);
  return keys.value;
}

function originIn(text: string): string {
  const url = readUrl(text);
  const { origin, pathname } = url.ok ? new URL(url.value) : { origin: "", pathname: "" };
  if (pathname !== "/")
    throw usageError("--sidecar-url takes a URL without a path, such as https://sidecar.example.org.");
  return origin;
}
