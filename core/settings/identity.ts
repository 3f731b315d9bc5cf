/** Who the node is and how it keeps its secrets: accounts, storage keys, executor and attestation. */
import {
  readAddresses,
  readIndices,
  readKey32,
  readKeys32,
  readMnemonic,
  readPrivateKeys,
  readPublicKeys32,
} from "./key.ts";
import { defaulted, optional, textTo } from "./setting.ts";
import { readChoice, readInteger, readPassword, readText } from "./text.ts";
import { readUrl } from "./url.ts";

const NEW_KEY = "Make one with `openssl rand -hex 32`";

export const identityShape = {
  BLF_PRIVATE_KEY: optional(textTo(readPrivateKeys), {
    description:
      "The node's private key: 64 hex digits, with or without `0x`. Several, comma-separated, make several nodes. Use a key made for testnets only.",
    fix: "Set BLF_PRIVATE_KEY to the private key of a testnet account, 64 hex digits.",
    secret: true,
  }),
  BLF_MNEMONIC: optional(textTo(readMnemonic), {
    description: "Seed phrase of a fleet. Read and checked, but fleets come with a later version.",
    fix: "Write the phrase's words separated by single spaces, or remove BLF_MNEMONIC.",
    secret: true,
  }),
  BLF_NODE_INDICES: defaulted(textTo(readIndices), "0", {
    description: "Which accounts of the seed phrase are nodes, as `0-99,120`.",
    fix: "Write indices and ascending ranges, comma-separated, such as 0-99,120.",
  }),
  BLF_STORAGE_KEY: optional(textTo(readKey32), {
    description:
      "Wraps secrets at rest: 32 bytes as 64 hex digits or base64. Without it a key derived from BLF_PRIVATE_KEY does. Whoever loses it loses the wrapped output keys of unfinished jobs.",
    fix: `${NEW_KEY} and store it as a secret named BLF_STORAGE_KEY.`,
    secret: true,
  }),
  BLF_STORAGE_KEY_PREVIOUS: optional(textTo(readKeys32), {
    description: "Storage keys used before the current one, comma-separated: they still open what they wrapped.",
    fix: "Write former storage keys, each 64 hex digits or base64, or remove it.",
    secret: true,
  }),
  BLF_EXECUTOR: defaulted(textTo(readChoice({ edge: "edge", sidecar: "sidecar" } as const)), "edge", {
    description:
      "Where prompts are opened: `edge`, inside the Worker; `sidecar`, on a machine of the operator's, which then holds the node's key.",
    fix: "Set BLF_EXECUTOR to edge or sidecar.",
  }),
  BLF_NODE_ADDRESS: optional(textTo(readAddresses), {
    description:
      "Sidecar mode: the address of the node whose key the sidecar holds; several, comma-separated. In edge mode it follows from BLF_PRIVATE_KEY.",
    fix: "Write the address that `blindference-edge sidecar keys` shows, 0x and 40 hex digits.",
  }),
  BLF_SIDECAR_URL: optional(textTo(readUrl), {
    description: "Sidecar mode: where the sidecar is reached, `https://HOST` or `https://HOST:PORT` without a path.",
    fix: "Write the sidecar's https URL without a path, or remove it.",
  }),
  BLF_SIDECAR_KEY_ID: optional(textTo(readText(64)), {
    description: "Sidecar mode: name of the key that signs requests to the sidecar.",
    fix: "Write the name that `blindference-edge sidecar keys` gave, at most 64 characters, or remove it.",
  }),
  BLF_SIDECAR_PRIVATE_KEY: optional(textTo(readKey32), {
    description: "Sidecar mode: Ed25519 seed that signs requests to the sidecar, 32 bytes.",
    fix: "Make one with `blindference-edge sidecar keys`, or remove it.",
    secret: true,
  }),
  BLF_SIDECAR_PUBLIC_KEY: optional(textTo(readPublicKeys32), {
    description:
      "Sidecar mode: the sidecar's own Ed25519 public key, 32 bytes; two, comma-separated, while it is being exchanged.",
    fix: "Copy the public key that `blindference-edge sidecar keys` shows, or remove it.",
  }),
  BLF_SIDECAR_ACCESS_CLIENT_ID: optional(textTo(readText(200)), {
    description: "Where the sidecar's tunnel stands behind Cloudflare Access: the service token's client id.",
    fix: "Copy it from the Access service token, or remove it.",
  }),
  BLF_SIDECAR_ACCESS_CLIENT_SECRET: optional(textTo(readPassword), {
    description: "The service token's client secret.",
    fix: "Copy it from the Access service token, or remove it.",
    secret: true,
  }),
  BLF_TIER: defaulted(textTo(readInteger(0, 2)), "0", {
    description: "Privacy tier to ask for, 0 to 2. The coordinator's own tier wins where it is lower.",
    fix: "Set BLF_TIER to 0, 1 or 2; edge mode is tier 0.",
  }),
  BLF_ATTESTATION_BACKEND: defaulted(
    textTo(readChoice({ mock: "mock", tpm: "tpm", sev: "sev", tdx: "tdx" } as const)),
    "mock",
    {
      description:
        "How the node attests: `mock`, `tpm`, `sev` or `tdx`. Edge mode has no hardware and can only use `mock`; in sidecar mode both sides name the same.",
      fix: "Set BLF_ATTESTATION_BACKEND to mock, or run a sidecar on the hardware (BLF_EXECUTOR).",
    },
  ),
  MOCK_ATTESTATION_KEY: optional(textTo(readPassword), {
    description: "Replaces the network's well-known HMAC key of the mock attestation.",
    fix: "Write the key as plain text, or remove it for the network's default.",
    secret: true,
  }),
};
