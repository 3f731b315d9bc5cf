/** Rules about accounts, storage keys, executor, attestation and access tokens. */
import type { Rule } from "./findings.ts";
import type { SettingName } from "./schema.ts";
import { SETTINGS } from "./schema.ts";

export const account: Rule = ({ values, faulty }, { fault, note }) => {
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

export const storageKey: Rule = ({ values, faulty }, { warning, note }) => {
  const key = values.BLF_STORAGE_KEY;
  if (key === undefined) {
    if (faulty("BLF_STORAGE_KEY")) return;
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

const SIDECAR: readonly SettingName[] = [
  "BLF_SIDECAR_URL",
  "BLF_SIDECAR_KEY_ID",
  "BLF_SIDECAR_PRIVATE_KEY",
  "BLF_SIDECAR_PUBLIC_KEY",
];

export const executor: Rule = ({ values, given, faulty }, { fault, note }) => {
  if (values.BLF_EXECUTOR === "sidecar") {
    const message = "BLF_EXECUTOR is sidecar, which comes with a later version.";
    return fault("BLF_EXECUTOR", "unsupported", message, "Set BLF_EXECUTOR to edge, or remove it.");
  }
  for (const name of SIDECAR) {
    if (given(name) && !faulty(name)) note(name, `${name} is not used in edge mode.`);
  }
};

export const attestation: Rule = ({ values }, { fault, warning }) => {
  const backend = values.BLF_ATTESTATION_BACKEND;
  if (backend !== "mock") {
    const message = `BLF_ATTESTATION_BACKEND is ${backend}, whose hardware only a sidecar can reach.`;
    fault("BLF_ATTESTATION_BACKEND", "conflict", message, fixOf("BLF_ATTESTATION_BACKEND"));
  } else if (values.BLF_TIER > 0) {
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
