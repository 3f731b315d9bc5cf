/**
 * The node's HTTP API (docs/operate/api.md) as commands use it, for a node run locally and a deployed one alike. The
 * address is `--url`, else BLF_NODE_URL, else the local default. Tokens come from the settings or the secrets file and
 * go to that address only. Every failure is a CliError that says whom it asked and what to do.
 */
import * as z from "zod";
import { requestText, TransportError } from "../core/http.ts";
import { systemClock } from "../core/ports.ts";
import { isLoopback, readUrl } from "../core/settings/url.ts";
import type { Environment } from "./environment.ts";
import { CliError, usageError } from "./errors.ts";
import type { ExitReason } from "./exit-codes.ts";
import { parseJson } from "./parse-json.ts";

export const LOCAL_URL = "http://127.0.0.1:8787";
const TIMEOUT_MS = 30_000;
const MAX_BYTES = 16 * 1024 * 1024;

export interface NodeApi {
  /** Where the node is, and which of the three said so. */
  readonly url: string;
  readonly chosenBy: "--url" | "BLF_NODE_URL" | "default";
  /** `?node=` of every call, where one node was chosen. */
  readonly node: string | undefined;
  get<T>(path: string, shape: z.ZodType<T>, query?: Record<string, string | undefined>): Promise<T>;
  /** @param token `spend` for what moves funds (BLF_SPEND_TOKEN) */
  send<T>(
    method: "POST" | "PUT",
    path: string,
    body: unknown,
    shape: z.ZodType<T>,
    token?: "admin" | "spend",
  ): Promise<T>;
  /** What GET /healthz says; null where nothing that is a node answers. Needs no token. */
  health(): Promise<{ status: string; version: string; codes: { setting: string; code: string }[] } | null>;
}

const errorBody = z.object({
  error: z.union([
    z.string(),
    z.object({ code: z.string().optional(), message: z.string(), hint: z.string().optional() }),
  ]),
});
const health = z.object({
  status: z.string(),
  version: z.string(),
  codes: z.array(z.object({ setting: z.string(), code: z.string() })).default([]),
});

/** Throws CliError (`usage`) for an address that cannot be a node's. */
export function createNodeApi(
  env: Pick<Environment, "get" | "secret">,
  options: { url?: string; node?: string },
): NodeApi {
  const { url, chosenBy } = addressOfNode(env, options.url);
  const ask = (request: Request) =>
    requestText(fetch, systemClock, request, { timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES }).catch((error: unknown) => {
      if (!(error instanceof TransportError)) throw error;
      throw new CliError(`The node at ${url} does not answer: ${error.detail}.`, {
        fix:
          chosenBy === "default"
            ? "Start one with `blindference-edge run`, or name a deployed one with --url or BLF_NODE_URL."
            : `Check ${chosenBy}, and that the node runs there.`,
        exit: "unreachable",
        cause: error,
      });
    });
  const call = async <T>(path: string, shape: z.ZodType<T>, init: RequestInit, token: "admin" | "spend") => {
    const name = token === "spend" ? "BLF_SPEND_TOKEN" : "BLF_ADMIN_TOKEN";
    const secret = await env.secret(name);
    if (secret === null) {
      throw usageError(
        `${name} is not set here, so the node at ${url} would refuse.`,
        `Set ${name} to the node's own.`,
      );
    }
    const headers = { authorization: `Bearer ${secret.reveal()}`, "content-type": "application/json" };
    const { status, text } = await ask(new Request(`${url}${path}`, { ...init, headers }));
    const answer = parseJson(text);
    // A command that a node could not carry out answers 502 with its reasons, which the caller shows.
    const understood = status < 300 || status === 409 || status === 502 ? shape.safeParse(answer) : null;
    if (understood?.success) return understood.data;
    throw status < 300 ? notUnderstood(url) : refusalOf(url, status, name, answer);
  };
  return {
    url,
    chosenBy,
    node: options.node,
    get: (path, shape, query = {}) => {
      const search = new URLSearchParams();
      for (const [key, value] of Object.entries({ node: options.node, ...query })) if (value) search.set(key, value);
      return call(search.size === 0 ? path : `${path}?${search.toString()}`, shape, {}, "admin");
    },
    send: (method, path, body, shape, token = "admin") =>
      call(path, shape, { method, body: JSON.stringify(body) }, token),
    async health() {
      try {
        const { text } = await ask(new Request(`${url}/healthz`));
        return health.safeParse(parseJson(text)).data ?? null;
      } catch (error) {
        if (error instanceof CliError && error.exit === "unreachable") return null;
        throw error;
      }
    },
  };
}

function addressOfNode(env: Pick<Environment, "get">, option: string | undefined) {
  const set = env.get("BLF_NODE_URL");
  const chosenBy = option !== undefined ? "--url" : set !== undefined ? "BLF_NODE_URL" : "default";
  const text = option ?? set ?? LOCAL_URL;
  const reading = readUrl(text);
  if (!reading.ok) {
    const [problem] = reading.refusal;
    throw usageError(`${chosenBy} ${problem?.message ?? "cannot be read"}.`, "Give the node's address, as https://….");
  }
  const plain = reading.value.startsWith("http:") && !isLoopback(reading.value);
  if (plain && env.get("BLF_ALLOW_HTTP")?.toLowerCase() !== "true") {
    throw usageError(
      `${chosenBy} is plain http to another machine: the token could be read on the way.`,
      "Use https, or set BLF_ALLOW_HTTP=true in a network of your own.",
    );
  }
  return { url: reading.value, chosenBy } as const;
}

/** A node lacks no field that a command cannot do without; whatever this is, its version or itself is another. */
function notUnderstood(url: string): CliError {
  return new CliError(`What ${url} answers is not what this version understands.`, {
    fix: `See that ${url} is a Blindference Edge node, and update the older of the two: \`blindference-edge doctor\`.`,
  });
}

function refusalOf(url: string, status: number, token: string, answer: unknown): CliError {
  const { error } = errorBody.safeParse(answer).data ?? { error: "an answer that is not a node's" };
  const { message, hint } = typeof error === "string" ? { message: error, hint: undefined } : error;
  if (status === 401) {
    return new CliError(`The node at ${url} does not accept this ${token}.`, {
      fix: `Set ${token} to the one that the node was given.`,
      exit: "usage",
    });
  }
  return new CliError(`The node at ${url} answered ${status}: ${message.replace(/\.$/, "")}.`, {
    fix: hint ?? FIXES[status] ?? "See `blindference-edge logs`, or the node's log on Cloudflare.",
    exit: EXITS[status] ?? "failed",
  });
}

const EXITS: Readonly<Record<number, ExitReason>> = {
  400: "usage",
  403: "refused",
  409: "refused",
  422: "refused",
  // It may well answer later: for scripts the same as no answer.
  429: "unreachable",
  502: "unreachable",
  503: "unreachable",
  504: "unreachable",
};
/** Where the answer has no hint of its own. */
const FIXES: Readonly<Record<number, string>> = {
  400: "Correct what is named there; see --help.",
  403: "Give the node this setting, then deploy or start it again.",
  404: "Check the id and --node, and that the address is a Blindference Edge node's.",
  409: "Look at what is on record first: `blindference-edge status`.",
  429: "Wait a minute, then run it again.",
  502: "Wait a minute, then run it again.",
  503: "Wait a minute, then run it again.",
  504: "Wait a minute, then run it again.",
};
