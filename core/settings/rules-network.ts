/** Rules about URLs, the RPC endpoint, the contracts and what a leader needs. */
import type { Rule, RuleContext } from "./findings.ts";
import type { SettingName } from "./schema.ts";
import { isLoopback } from "./url.ts";

export const rpc: Rule = ({ values, faulty }, { fault }) => {
  if (values.BLF_RPC_URL !== undefined || faulty("BLF_RPC_URL")) return;
  const fix = "Create a free key at https://dashboard.alchemy.com/ and set BLF_RPC_URL to the URL it gives you.";
  fault("BLF_RPC_URL", "missing", "BLF_RPC_URL is not set, and there is no default endpoint.", fix);
};

export const transport: Rule = (context, { fault, note }) => {
  for (const [name, urls] of urlsOf(context)) {
    if (!context.given(name)) continue;
    for (const url of urls) {
      if (url.startsWith("https:") || isLoopback(url)) continue;
      const host = new URL(url).hostname;
      if (context.values.BLF_ALLOW_HTTP) note(name, `${name} sends to ${host} in plain text (BLF_ALLOW_HTTP).`);
      else {
        const message = `${name} uses plain http to ${host}.`;
        fault(name, "not-https", message, "Use https, or set BLF_ALLOW_HTTP to true on a test network.");
      }
    }
  }
};

export const cofheMode: Rule = ({ values }, { note }) => {
  const mode = values.BLF_COFHE_MODE;
  if (mode === undefined) return;
  note("BLF_COFHE_MODE", `BLF_COFHE_MODE is ${mode} and ignored: CoFHE runs inside the Worker and needs no ${mode}.`);
};

/** A leader pins its answer and makes the output key readable (protocol §3, §6). */
export const leader: Rule = ({ values, faulty }, { fault }) => {
  if (!values.BLF_ROLES.includes("leader")) return;
  if (values.PINATA_JWT === undefined && !faulty("PINATA_JWT")) {
    const message = "PINATA_JWT is not set, and a leader cannot pin its answers without it.";
    const fix =
      "Set PINATA_JWT to a token from https://app.pinata.cloud/developers/api-keys, or set BLF_ROLES to verifier.";
    fault("PINATA_JWT", "missing", message, fix);
  }
  const unknownChain = faulty("BLF_COFHE_CHAIN_ID") || faulty("BLF_PROMPT_KEY_STORE_ADDRESS");
  if (values.BLF_PROMPT_KEY_STORE_ADDRESS === undefined && !values.BLF_SKIP_OUTPUT_KEY_STORAGE && !unknownChain) {
    const message = `BLF_PROMPT_KEY_STORE_ADDRESS is not set and chain ${values.BLF_COFHE_CHAIN_ID} has no default: a leader cannot make its output keys readable.`;
    const fix = "Set it to the address that the devnet prints, or set BLF_ROLES to verifier.";
    fault("BLF_PROMPT_KEY_STORE_ADDRESS", "missing", message, fix);
  }
};

function urlsOf({ values }: RuleContext): [SettingName, readonly string[]][] {
  return [
    ["BLF_ICL_ENDPOINT", [values.BLF_ICL_ENDPOINT]],
    ["BLF_PAYMENT_SERVICE_URL", [values.BLF_PAYMENT_SERVICE_URL]],
    ["BLF_RPC_URL", values.BLF_RPC_URL ?? []],
    ["BLF_COFHE_ENDPOINT", values.BLF_COFHE_ENDPOINT ?? []],
    ["BLF_COFHE_URL", [values.BLF_COFHE_URL]],
    ["BLF_COFHE_VERIFIER_URL", [values.BLF_COFHE_VERIFIER_URL]],
    ["BLF_COFHE_TN_URL", [values.BLF_COFHE_TN_URL]],
    ["BLF_SIDECAR_URL", values.BLF_SIDECAR_URL === undefined ? [] : [values.BLF_SIDECAR_URL]],
    ["GROQ_BASE_URL", [values.GROQ_BASE_URL]],
    ["GEMINI_BASE_URL", [values.GEMINI_BASE_URL]],
    ["OPENAI_BASE_URL", values.OPENAI_BASE_URL === undefined ? [] : [values.OPENAI_BASE_URL]],
    ["PINATA_API_URL", [values.PINATA_API_URL]],
    ["PINATA_GATEWAY_URL", [values.PINATA_GATEWAY_URL]],
  ];
}
