/**
 * How a run's nodes reach their services: every one but the models' through a recorder, and the local model's through a
 * door that opens under a token in the URL's path, as some hosts sell it. The door keeps nothing of what passes.
 */
import { listen } from "../../devnet/http.ts";
import type { LocalNetwork } from "../../devnet/network.ts";
import { token } from "./token.ts";
import { byRpcCall, type Recorder, startRecorder } from "./traffic.ts";

export type Recorders = Record<"icl" | "gateway" | "pinata" | "rpc" | "payment", Recorder>;

export interface Reach {
  recorders: Recorders;
  /** A node's settings that lead it there, with keys of its own. */
  settings(network: LocalNetwork): Record<string, string>;
  close(): Promise<void>;
}

/** The settings that lead a node to each recorder, and the service behind it. */
const REACHED: Record<keyof Recorders, { setting: string; behind(urls: LocalNetwork["urls"]): string; path: string }> =
  {
    icl: { setting: "BLF_ICL_ENDPOINT", behind: (urls) => urls.icl, path: "" },
    gateway: { setting: "PINATA_GATEWAY_URL", behind: (urls) => urls.ipfsGateway, path: "/ipfs" },
    pinata: { setting: "PINATA_API_URL", behind: (urls) => urls.pinata, path: "" },
    rpc: { setting: "BLF_RPC_URL", behind: (urls) => urls.nodeRpc, path: "/v2/" },
    payment: { setting: "BLF_PAYMENT_SERVICE_URL", behind: (urls) => urls.payment, path: "" },
  };

export async function startReach(): Promise<Reach> {
  const recorders: Recorders = {
    icl: await startRecorder("icl"),
    gateway: await startRecorder("gateway"),
    pinata: await startRecorder("pinata"),
    rpc: await startRecorder("rpc", byRpcCall),
    payment: await startRecorder("payment"),
  };
  const [rpcKey, doorKey] = [token(), pathToken()];
  const door = await startDoor(doorKey);
  return {
    recorders,
    settings(network) {
      door.leadTo(network.urls.openai);
      return {
        ...reached(network, recorders, rpcKey),
        GROQ_API_KEY: `gsk_${token()}`,
        GROQ_BASE_URL: network.urls.groq,
        GOOGLE_API_KEY: `AIza${token()}`,
        GEMINI_BASE_URL: network.urls.gemini,
        OPENAI_API_KEY: `sk-${token()}`,
        OPENAI_BASE_URL: `${door.url}/${doorKey}/v1`,
        BLF_SPEND_TOKEN: token(),
        BLF_LOG_LEVEL: "DEBUG",
      };
    },
    async close() {
      await Promise.all([door, ...Object.values(recorders)].map((one) => one.close()));
    },
  };
}

/** In pieces, as many keys are: none of them is long enough to look like a key by itself. */
export function pathToken(): string {
  return `t-${token().match(/.{9}/g)?.join("-")}`;
}

function reached(network: LocalNetwork, recorders: Recorders, rpcKey: string): Record<string, string> {
  const entries = Object.entries(REACHED).map(([name, { setting, behind, path }]) => {
    const recorder = recorders[name as keyof Recorders];
    recorder.forwardTo(behind(network.urls));
    return [setting, `${recorder.url}${path}${setting === "BLF_RPC_URL" ? rpcKey : ""}`];
  });
  return Object.fromEntries(entries) as Record<string, string>;
}

interface Door {
  url: string;
  /** Where the requests under the token go; only the origin counts. */
  leadTo(url: string): void;
  close(): Promise<void>;
}

async function startDoor(key: string): Promise<Door> {
  let origin: string | null = null;
  const server = await listen({
    async fetch(request) {
      const { pathname } = new URL(request.url);
      if (origin === null || !pathname.startsWith(`/${key}/`)) return new Response(null, { status: 404 });
      const { method, headers } = request;
      const passed = { authorization: headers.get("authorization") ?? "", "content-type": "application/json" };
      const body = method === "GET" ? null : await request.arrayBuffer();
      const reply = await fetch(`${origin}${pathname.slice(key.length + 1)}`, { method, headers: passed, body });
      const type = reply.headers.get("content-type") ?? "";
      return new Response(await reply.arrayBuffer(), { status: reply.status, headers: { "content-type": type } });
    },
  });
  return {
    url: server.url,
    leadTo(url) {
      origin = new URL(url).origin;
    },
    close: () => server.close(),
  };
}
