/**
 * The one call that changes the Worker: code, variables, secrets, objects and crons become one version, so that no version
 * ever runs without its secrets. They go through a named pipe; nothing that is written to the folder holds one.
 */
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { Secret } from "../../core/secret.ts";
import { CliError } from "../errors.ts";
import { parseJson } from "../parse-json.ts";
import type { wranglerConfig } from "./config.ts";
import { feedPipe, makePipe } from "./pipe.ts";
import { refusal } from "./refusals.ts";
import type { Wrangler } from "./wrangler.ts";

export interface UploadInput {
  folder: string;
  /** The built Worker. */
  script: string;
  config: ReturnType<typeof wranglerConfig>;
  secrets: Readonly<Record<string, Secret>>;
  /** Running objects take the new code at once, instead of when they are idle or after five minutes. */
  immediate: boolean;
}

export interface Uploaded {
  versionId: string;
  /** Its workers.dev address. */
  url: string;
}

const outcome = z.object({ type: z.literal("deploy"), version_id: z.string(), targets: z.array(z.string()) });

/** Throws CliError. */
export async function upload(wrangler: Wrangler, input: UploadInput): Promise<Uploaded> {
  const { folder, script, config, secrets, immediate } = input;
  const pipe = join(folder, "secrets.json");
  await copyFile(script, join(folder, config.main));
  await writeFile(join(folder, "wrangler.json"), JSON.stringify(config, null, 2));
  await makePipe(pipe);
  const ended = new AbortController();
  const mode = immediate ? ["--durable-objects-code-update-mode", "immediate"] : [];
  const [said, fed] = await Promise.all([
    wrangler("deploy", "--config", "wrangler.json", "--secrets-file", pipe, ...mode).finally(() => ended.abort()),
    feedPipe(pipe, textOf(secrets), ended.signal),
  ]);
  if (!said.ok) throw refusal("Uploading the Worker", said, config.account_id);
  if (!fed) {
    throw new CliError("wrangler ended without taking the secrets.", { fix: "Run this again: it goes on from here." });
  }
  // Ended from outside wrangler ends with 0, and without a result.
  const told = await readFile(join(folder, "output.ndjson"), "utf8").catch(() => "");
  const results = told.split("\n").map((line) => outcome.safeParse(parseJson(line)).data);
  const result = results.findLast((one) => one !== undefined);
  const host = result?.targets.find((target) => target.includes("workers.dev"));
  if (result === undefined || host === undefined) {
    throw new CliError("wrangler ended without saying where the Worker is.", {
      fix: "Run this again: it goes on from here.",
    });
  }
  return { versionId: result.version_id, url: host.startsWith("https://") ? host : `https://${host}` };
}

function textOf(secrets: Readonly<Record<string, Secret>>): Secret {
  const plain = Object.entries(secrets).map(([name, secret]) => [name, secret.reveal()]);
  return new Secret(JSON.stringify(Object.fromEntries(plain)));
}
