/** Rules about accounts, storage keys, executor, attestation and access tokens. */
import type { Rule } from "./findings.ts";
import type { SettingName } from "./schema.ts";
import { SETTINGS } from "./schema.ts";

export const account: Rule = (context, findings) => {
  const { values, faulty } = context;
  const { fault, note } = findings;
  if (values.BLF_EXECUTOR === "sidecar") return sidecarAccount(context, findings);
  if (values.BLF_NODE_ADDRESS !== undefined) {
    note("BLF_NODE_ADDRESS", "BLF_NODE_ADDRESS is not used in edge mode: the address follows from BLF_PRIVATE_KEY.");
  }
  if (values.BLF_MNEMONIC === undefined && !faulty("BLF_MNEMONIC")) {
    if (values.BLF_PRIVATE_KEY === undefined && !faulty("BLF_PRIVATE_KEY")) {
      fault(
        "BLF_PRIVATE_KEY",
        "missing",
        "BLF_PRIVATE_KEY is not set: the node has no account.",
        fixOf("BLF_PRIVATE_KEY"),
      );
    }
  } else if (values.BLF_PRIVATE_KEY === undefined && !faulty("BLF_PRIVATE_KEY")) {
    const message = "BLF_MNEMONIC is set without BLF_PRIVATE_KEY; fleets from a seed phrase come with a later version.";
    fault("BLF_MNEMONIC", "unsupported", message, "Set BLF_PRIVATE_KEY to the keys of the accounts, comma-separated.");
  } else {
    note("BLF_MNEMONIC", "This version takes its accounts from BLF_PRIVATE_KEY and ignores BLF_MNEMONIC.");
  }
};

/** The key is the sidecar's: whoever else holds it can read every prompt of the node. */
const sidecarAccount: Rule = ({ values, given, faulty }, { fault, warning }) => {
  if (values.BLF_NODE_ADDRESS === undefined && !faulty("BLF_NODE_ADDRESS")) {
    const message = "BLF_NODE_ADDRESS is not set: the sidecar holds the key, and the Worker must know whose it is.";
    fault("BLF_NODE_ADDRESS", "missing", message, fixOf("BLF_NODE_ADDRESS"));
  }
  for (const name of ["BLF_PRIVATE_KEY", "BLF_MNEMONIC"] as const) {
    if (!given(name)) continue;
    const message = `${name} is set on the Worker, so Cloudflare could read the node's prompts: the sidecar protects nothing.`;
    warning(name, "conflict", message, `Remove ${name} from the Worker; the sidecar alone needs the key.`);
  }
};

export const storageKey: Rule = ({ values, faulty }, { warning, note }) => {
  const key = values.BLF_STORAGE_KEY;
  if (key === undefined) {
    if (faulty("BLF_STORAGE_KEY") || values.BLF_EXECUTOR === "sidecar") return;
    return note(
      "BLF_STORAGE_KEY",
      "BLF_STORAGE_KEY is not set: a key derived from BLF_PRIVATE_KEY wraps secrets at rest.",
    );
  }
  if (/^(..)\1{31}$/.test(key.reveal())) {
    const message = "BLF_STORAGE_KEY repeats one byte, so anybody can guess it.";
    warning("BLF_STORAGE_KEY", "weak", message, "Replace it by the output of `openssl rand -hex 32`.");
  }
  if (values.BLF_STORAGE_KEY_PREVIOUS?.some((previous) => previous.reveal() === key.reveal())) {
    const message = "BLF_STORAGE_KEY_PREVIOUS also holds the current key.";
    warning("BLF_STORAGE_KEY_PREVIOUS", "duplicate", message, "List former keys only.");
  }
};

const SIDECAR_NEEDS = [
  "BLF_SIDECAR_URL",
  "BLF_SIDECAR_KEY_ID",
  "BLF_SIDECAR_PRIVATE_KEY",
  "BLF_SIDECAR_PUBLIC_KEY",
] as const satisfies readonly SettingName[];
const ACCESS = ["BLF_SIDECAR_ACCESS_CLIENT_ID", "BLF_SIDECAR_ACCESS_CLIENT_SECRET"] as const;

export const executor: Rule = ({ values, given, faulty }, { fault, warning, note }) => {
  if (values.BLF_EXECUTOR !== "sidecar") {
    for (const name of [...SIDECAR_NEEDS, ...ACCESS]) {
      if (given(name) && !faulty(name)) note(name, `${name} is not used in edge mode.`);
    }
    return;
  }
  for (const name of SIDECAR_NEEDS) {
    if (values[name] !== undefined || faulty(name)) continue;
    fault(name, "missing", `BLF_EXECUTOR is sidecar, and ${name} is not set.`, fixOf(name));
  }
  const url = values.BLF_SIDECAR_URL;
  if (url !== undefined && new URL(url).pathname !== "/") {
    fault("BLF_SIDECAR_URL", "malformed", "BLF_SIDECAR_URL holds a path.", fixOf("BLF_SIDECAR_URL"));
  }
  const [id, secret] = ACCESS;
  if ((values[id] === undefined) !== (values[secret] === undefined) && !faulty(id) && !faulty(secret)) {
    const lacking = values[id] === undefined ? id : secret;
    warning(lacking, "missing", `${lacking} is not set, so the Access service token is not sent.`, fixOf(lacking));
  }
};

export const attestation: Rule = ({ values }, { fault, warning }) => {
  const backend = values.BLF_ATTESTATION_BACKEND;
  if (backend !== "mock" && values.BLF_EXECUTOR === "edge") {
    const message = `BLF_ATTESTATION_BACKEND is ${backend}, whose hardware only a sidecar can reach.`;
    fault("BLF_ATTESTATION_BACKEND", "conflict", message, fixOf("BLF_ATTESTATION_BACKEND"));
  } else if (backend === "mock" && values.BLF_TIER > 0) {
    const message = `BLF_TIER is ${values.BLF_TIER}, but a mock attestation is tier 0; the node's tier will be the coordinator's if that is lower.`;
    warning("BLF_TIER", "conflict", message, "Set BLF_TIER to 0, or remove it.");
  }
};

export const accessTokens: Rule = ({ values, faulty }, { fault, note }) => {
  const admin = values.BLF_ADMIN_TOKEN;
  const spend = values.BLF_SPEND_TOKEN;
  if (admin !== undefined && spend !== undefined && admin.reveal() === spend.reveal()) {
    const message = "BLF_SPEND_TOKEN equals BLF_ADMIN_TOKEN, so whoever may look may also spend.";
    fault("BLF_SPEND_TOKEN", "conflict", message, fixOf("BLF_SPEND_TOKEN"));
  }
  if (admin === undefined && !faulty("BLF_ADMIN_TOKEN")) {
    note("BLF_ADMIN_TOKEN", "BLF_ADMIN_TOKEN is not set: the API is closed.");
  }
  if (spend === undefined && !faulty("BLF_SPEND_TOKEN")) {
    note("BLF_SPEND_TOKEN", "BLF_SPEND_TOKEN is not set: no transaction can be sent through the API.");
  }
};

function fixOf(name: SettingName): string {
  return SETTINGS.find((setting) => setting.name === name)?.fix ?? `Set ${name}.`;
}
