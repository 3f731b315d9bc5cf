/**
 * One question to each service that a node uses, as cheap as it can be: an RPC's chain id, one token of a model, a pinning
 * token's validity, a gateway's empty block. Each is a finding; none throws, none repeats a key or a service's words.
 */
import * as z from "zod";
import { chainCall } from "../../core/chain/errors.ts";
import { createChainClient } from "../../core/chain/rpc.ts";
import { requestText } from "../../core/http.ts";
import { createGeminiBackend, geminiBody } from "../../core/inference/gemini.ts";
import { createGroqBackend, groqBody } from "../../core/inference/groq.ts";
import { callModel, type ModelService, readModelReply } from "../../core/inference/model-call.ts";
import { completionBody, listModels } from "../../core/inference/openai-completions.ts";
import { createIpfsDownloader } from "../../core/ipfs/download.ts";
import { systemClock } from "../../core/ports.ts";
import type { Secret } from "../../core/secret.ts";
import { type Finding, failed, failure, fine, warning } from "./finding.ts";

const PORTS = { fetch: (...args: Parameters<typeof fetch>) => fetch(...args), clock: systemClock };
const TIMEOUT_MS = 10_000;
const PROMPT = "Say OK.";
/** A chain that makes blocks all the time, as Arbitrum Sepolia does. */
const BLOCK_OLD_SEC = 300;

/** @param lively false for a chain that makes blocks on demand only */
export async function checkRpc(url: string, chainId: number, lively: boolean): Promise<Finding> {
  const { host } = new URL(url);
  const startedMs = performance.now();
  try {
    const client = createChainClient({ rpcUrls: [url], chainId, timeoutMs: TIMEOUT_MS, deadlineMs: TIMEOUT_MS });
    const block = await chainCall(`asking ${host}`, () => client.getBlock());
    const ageSec = Math.round(Date.now() / 1000 - Number(block.timestamp));
    if (lively && ageSec > BLOCK_OLD_SEC) {
      return warning("rpc", `${host} is ${ageSec} s behind the chain`, "Use another RPC URL, or put it second.");
    }
    const tookMs = Math.round(performance.now() - startedMs);
    return fine("rpc", `${host} serves chain ${chainId} (block ${block.number}, ${tookMs} ms)`);
  } catch (error) {
    return failed("rpc", error);
  }
}

export interface CloudAccess {
  apiKey: Secret;
  baseUrl: string;
}

/** @param models full ids; each is asked for one token, where there is none the key alone is tried */
export async function checkGroq({ apiKey, baseUrl }: CloudAccess, models: readonly string[]): Promise<Finding> {
  const service = { name: "Groq", keySetting: "GROQ_API_KEY", urlSetting: "GROQ_BASE_URL" };
  return checkModels("groq", models, async (id) => {
    if (id === null) return createGroqBackend({ ...PORTS, apiKey, baseUrl }).checkKey?.();
    await askForOneToken(service, `${baseUrl}/chat/completions`, bearer(apiKey), {
      ...groqBody(id.slice("groq:".length), PROMPT),
      max_completion_tokens: 1,
    });
  });
}

export async function checkGemini({ apiKey, baseUrl }: CloudAccess, models: readonly string[]): Promise<Finding> {
  const service = { name: "Gemini", keySetting: "GOOGLE_API_KEY", urlSetting: "GEMINI_BASE_URL" };
  // Google says 400 to a key that it does not know; the question about the key understands that.
  return checkModels("gemini", models, async (id) => {
    if (id === null) return createGeminiBackend({ ...PORTS, apiKey, baseUrl }).checkKey?.();
    const { contents, generationConfig } = geminiBody(PROMPT);
    const url = `${baseUrl}/models/${encodeURIComponent(id.slice("gemini:".length))}:generateContent`;
    await askForOneToken(
      service,
      url,
      { "x-goog-api-key": apiKey.reveal() },
      {
        contents,
        generationConfig: { ...generationConfig, maxOutputTokens: 1 },
      },
    );
  });
}

export interface ServerAccess {
  baseUrl: string;
  apiKey?: Secret;
}

/** The ids that an OpenAI-compatible server has. Throws NodeError `model*`. */
export function modelsOfServer(access: ServerAccess): Promise<string[]> {
  return listModels({ ...PORTS, ...access });
}

/** @param models ids to serve; none for whatever the server has */
export async function checkServer(access: ServerAccess, models: readonly string[]): Promise<Finding> {
  const service = { name: "the model server", keySetting: "OPENAI_API_KEY", urlSetting: "OPENAI_BASE_URL" };
  try {
    const has = await modelsOfServer(access);
    const missing = models.filter((id) => !has.includes(id));
    if (missing.length > 0) {
      const fix = `Load it there, or remove it from BLF_MODELS. The server has: ${has.join(", ") || "none"}.`;
      return failure("backend", `openai: the server does not have ${missing.join(", ")}`, fix);
    }
    const base = access.baseUrl.replace(/\/+$/, "");
    const url = `${/\/v\d+$/.test(base) ? base : `${base}/v1`}/completions`;
    const headers = access.apiKey === undefined ? {} : bearer(access.apiKey);
    const wanted = models.length > 0 ? models : has;
    if (wanted.length === 0) {
      return failure("backend", "openai: the server has no model", "Start it with a model, such as `vllm serve …`.");
    }
    return await checkModels("openai", wanted, async (id) => {
      if (id !== null) await askForOneToken(service, url, headers, completionBody(id, PROMPT, 1));
    });
  } catch (error) {
    return failed("backend", error);
  }
}

/** Whether the token is taken, without pinning anything. */
export async function checkPinning(apiUrl: string, jwt: Secret): Promise<Finding> {
  const { host } = new URL(apiUrl);
  try {
    const request = new Request(`${apiUrl}/data/testAuthentication`, { headers: bearer(jwt) });
    const { status } = await requestText(PORTS.fetch, PORTS.clock, request, {
      timeoutMs: TIMEOUT_MS,
      maxBytes: 65_536,
    });
    if (status === 200) return fine("ipfs up", `${host} takes the token`);
    if (status === 401 || status === 403) {
      const fix = "Make a new key with the scope pinFileToIPFS at https://app.pinata.cloud/developers/api-keys.";
      return failure("ipfs up", `${host} refuses PINATA_JWT (${status}): revoked, expired or of another account`, fix);
    }
    return warning("ipfs up", `${host} answered ${status} to the question about the token`, "Check PINATA_API_URL.");
  } catch (error) {
    return failed("ipfs up", error, "Check PINATA_API_URL, and this machine's network.");
  }
}

/** The operator's gateway with an empty block; where it fails, whether any of the public ones stands in. */
export async function checkGateway(gatewayUrl: string): Promise<Finding> {
  const { host } = new URL(gatewayUrl);
  const options = { ...PORTS, gatewayTimeoutMs: TIMEOUT_MS };
  try {
    await createIpfsDownloader({ ...options, gateways: [gatewayUrl], publicGateways: [] }).probe();
    return fine("ipfs down", `${host} answers`);
  } catch (error) {
    const others = await createIpfsDownloader({ ...options, gateways: [gatewayUrl] })
      .probe()
      .then(
        () => true,
        () => false,
      );
    if (!others) return failed("ipfs down", error);
    return warning("ipfs down", `${host} does not answer, public gateways do`, "Check PINATA_GATEWAY_URL.");
  }
}

/** Asks about the key first, because a cloud may answer a model's question with what is not about the key. */
async function checkModels(
  name: string,
  models: readonly string[],
  ask: (id: string | null) => Promise<void>,
): Promise<Finding> {
  const startedMs = performance.now();
  try {
    await ask(null);
    for (const id of models) await ask(id);
  } catch (error) {
    return failed("backend", error);
  }
  const tookMs = Math.round(performance.now() - startedMs);
  return fine(
    "backend",
    models.length === 0 ? `${name}: the key is taken` : `${models.join(", ")} answers (${tookMs} ms)`,
  );
}

/** What the model says is of no interest, only that it may be asked. */
async function askForOneToken(
  service: ModelService,
  url: string,
  headers: Record<string, string>,
  body: Record<string, unknown>,
): Promise<void> {
  const reply = await callModel(PORTS, { url, headers, body, timeoutMs: 2 * TIMEOUT_MS, service });
  readModelReply(reply, z.unknown(), service);
}

function bearer(secret: Secret): Record<string, string> {
  return { Authorization: `Bearer ${secret.reveal()}` };
}
