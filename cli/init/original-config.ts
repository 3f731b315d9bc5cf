/**
 * The original node's `config.json` in terms of our settings. What has no place here is named with the reason, what is not
 * known is named too: nothing is dropped without a word. A mainnet is refused; a placeholder is not carried over.
 */
import { dirname, resolve } from "node:path";
import * as z from "zod";
import { parseLossless } from "../../core/icl/json.ts";
import type { SettingName } from "../../core/settings/schema.ts";
import { usageError } from "../errors.ts";
import { problemWith } from "../lenient-settings.ts";

export interface OriginalConfig {
  settings: Partial<Record<SettingName, string>>;
  /** The models it served, which need a backend here. */
  models: readonly string[];
  keystorePath: string | null;
  address: string | null;
  /** What was left behind and why; whole sentences. */
  notes: readonly string[];
}

const text = z.string().trim();
const whole = z.union([z.number(), z.bigint()]).transform((value) => BigInt(Math.trunc(Number(value))));
const known = z.looseObject({
  node_address: text.optional(),
  keystore_path: text.optional(),
  tier: whole.optional(),
  supported_model_ids: z.array(text).optional(),
  custom_backends: z.array(z.unknown()).optional(),
  attestation_backend: text.optional(),
  icl_endpoint: text.optional(),
  rpc_url: text.optional(),
  ipfs_gateway: text.optional(),
  log_level: text.optional(),
  network: text.optional(),
  registered_on_chain: z.boolean().optional(),
  stake_amount_wei: z.union([z.number(), z.bigint()]).optional(),
  cofhe_mode: text.optional(),
  cofhe_endpoint: text.optional(),
  cofhe_chain_id: whole.optional(),
  skip_output_key_storage: z.boolean().optional(),
});
type Known = z.infer<typeof known>;

/** Of no use here, and nobody will miss them. */
const IGNORED = ["model_cache_dir", "attestation_cert_hash", "attestation_expiry"];
const GUIDE = "docs/operate/from-blindference-node.md";
const WEI = 10n ** 18n;

/**
 * @param json the file's text
 * @param path where it is: the keystore's path is relative to it
 */
export function readOriginalConfig(json: string, path: string): OriginalConfig {
  const config = parse(json, path);
  refuseMainnet(config);
  const notes: string[] = [];
  const settings = { ...addresses(config, notes), ...choices(config, notes) };
  if ((config.custom_backends ?? []).length > 0) {
    notes.push(
      `custom_backends are Python modules and are not carried over: serve such models through an OpenAI-compatible server (${GUIDE}).`,
    );
  }
  if (config.registered_on_chain === true)
    notes.push("It says that it is registered on chain; `doctor` shows whether the chain agrees.");
  notes.push("The certificate is not carried over: the node attests anew.");
  const strangers = Object.keys(config).filter((name) => !(name in known.shape) && !IGNORED.includes(name));
  if (strangers.length > 0) notes.push(`Not known and not carried over: ${strangers.join(", ")}.`);
  return {
    settings,
    models: config.supported_model_ids ?? [],
    keystorePath: config.keystore_path ? resolve(dirname(path), config.keystore_path) : null,
    address: config.node_address || null,
    notes,
  };
}

function parse(json: string, path: string): Known {
  let raw: unknown;
  try {
    raw = parseLossless(json);
  } catch {
    throw usageError(`${path} is not JSON.`, "Give the original's config.json as it is.");
  }
  const parsed = known.safeParse(raw);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw usageError(
    `${path} is no config.json of the original: ${issue?.path.join(".") || "it"} cannot be read.`,
    "Correct that field, or leave it out.",
  );
}

function refuseMainnet({ network, cofhe_chain_id: chainId }: Known): void {
  const named = network !== undefined && /one|nova|mainnet|^arbitrum$|^ethereum$/i.test(network);
  const numbered = chainId !== undefined && /mainnet/.test(problemWith("BLF_COFHE_CHAIN_ID", String(chainId)) ?? "");
  if (!named && !numbered) return;
  throw usageError(
    "This configuration is for a mainnet, and Blindference Edge runs on testnets only.",
    "Use a key made for testnets.",
  );
}

/** URLs, each only where it can be used; the reason otherwise. */
function addresses(config: Known, notes: string[]): OriginalConfig["settings"] {
  const wanted: [SettingName, string, string | undefined][] = [
    ["BLF_RPC_URL", "rpc_url", config.rpc_url],
    [
      "BLF_COFHE_ENDPOINT",
      "cofhe_endpoint",
      config.cofhe_endpoint === config.rpc_url ? undefined : config.cofhe_endpoint,
    ],
    ["BLF_ICL_ENDPOINT", "icl_endpoint", config.icl_endpoint],
    ["PINATA_GATEWAY_URL", "ipfs_gateway", config.ipfs_gateway],
  ];
  return carried(wanted, notes);
}

function choices(config: Known, notes: string[]): OriginalConfig["settings"] {
  const backend = config.attestation_backend?.toLowerCase();
  const hardware = backend !== undefined && backend !== "" && backend !== "mock";
  if (hardware)
    notes.push(
      `attestation_backend ${backend} is not carried over: hardware attests through a sidecar (docs/operate/sidecar.md), and this node attests as mock, tier 0.`,
    );
  else if ((config.tier ?? 0n) > 0n)
    notes.push(`tier ${config.tier} is not carried over: a mock attestation is tier 0.`);
  if (config.cofhe_mode) notes.push(`cofhe_mode ${config.cofhe_mode} is not needed: CoFHE runs inside the node.`);
  const stake = BigInt(Math.trunc(Number(config.stake_amount_wei ?? 0))) / WEI;
  return carried(
    [
      ["BLF_LOG_LEVEL", "log_level", config.log_level],
      ["BLF_COFHE_CHAIN_ID", "cofhe_chain_id", config.cofhe_chain_id?.toString()],
      ["BLF_SKIP_OUTPUT_KEY_STORAGE", "skip_output_key_storage", config.skip_output_key_storage ? "true" : undefined],
      ["BLF_STAKE_AMOUNT", "stake_amount_wei", stake > 0n ? stake.toString() : undefined],
    ],
    notes,
  );
}

function carried(
  wanted: readonly [SettingName, string, string | undefined][],
  notes: string[],
): OriginalConfig["settings"] {
  const settings: OriginalConfig["settings"] = {};
  for (const [name, field, value] of wanted) {
    if (value === undefined || value === "") continue;
    const problem = problemWith(name, value);
    if (problem === null) settings[name] = value;
    else notes.push(`${field} is not carried over: ${problem}`);
  }
  return settings;
}
