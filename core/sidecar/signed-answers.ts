/** For tests: a sidecar that gives one answer, signed as it should be or as a forger would, and a client that asks it. */
import { createSignature, type ResponseDescriptor, type SignatureComponent } from "http-message-sig";
import { systemRandom } from "../ports.ts";
import { Secret } from "../secret.ts";
import { createSidecarClient, type SidecarClient, type SidecarOptions } from "./client.ts";
import { contentDigest } from "./digest.ts";
import { publicKeyOf, signingKey } from "./keys.ts";
import { LABEL, TAG } from "./protocol.ts";
import { describeRequest, type RequestDescriptor } from "./request-signature.ts";
import { describeResponse, RESPONSE_COMPONENTS } from "./response-signature.ts";

export const ORIGIN = "https://sidecar.example.com";
export const NOW_MS = Date.UTC(2026, 0, 6, 12, 0, 0);
export const sidecarSeed = new Secret("33".repeat(32));
export const otherSeed = new Secret("44".repeat(32));

export interface Answer {
  status: number;
  headers: Headers;
  body: string;
}

export interface How {
  status?: number;
  body?: string;
  headers?: Record<string, string>;
  seed?: Secret;
  components?: readonly SignatureComponent[];
  parameters?: Record<string, string | number | undefined>;
  label?: string;
  /** The request that it is an answer to; by default the one that was sent. */
  request?: (sent: RequestDescriptor) => RequestDescriptor;
  /** What happens to it on the way. */
  onTheWay?: (answer: Answer) => Answer;
}

export const described = (request: Request) => describeRequest(request.method, request.url, request.headers);

export function nonceOf({ fields }: RequestDescriptor): string {
  return /;nonce="([^"]+)"/.exec(fields.find(({ name }) => name === "signature-input")?.value ?? "")?.[1] ?? "";
}

/** The answer to a request, signed. */
export async function signedAnswer(sent: RequestDescriptor, how: How = {}): Promise<Answer> {
  const { status = 200, body = "metrics", seed = sidecarSeed, components = RESPONSE_COMPONENTS, label = LABEL } = how;
  const headers = new Headers({ "content-type": "text/plain", ...how.headers });
  headers.set("content-digest", await contentDigest(Uint8Array.from(new TextEncoder().encode(body))));
  const response: ResponseDescriptor = describeResponse(status, headers, how.request?.(sent) ?? sent);
  const keyid = await publicKeyOf(seed);
  const parameters = { created: NOW_MS / 1000, nonce: nonceOf(sent), keyid, tag: TAG, ...how.parameters };
  const signer = signingKey(keyid, seed);
  const { signature, signatureInput } = await createSignature(response, { label, components, parameters, signer });
  headers.set("signature-input", signatureInput);
  headers.set("signature", signature);
  const answer = { status, headers, body };
  return how.onTheWay?.(answer) ?? answer;
}

export interface Asked {
  client: SidecarClient;
  /** What arrived. */
  requests: Request[];
}

/** @param respond gives the answer to each request; an Error is a connection that broke */
export async function ask(
  respond: (sent: RequestDescriptor, request: Request) => Promise<Answer | Error>,
  options: Partial<SidecarOptions> = {},
): Promise<Asked> {
  const requests: Request[] = [];
  const client = createSidecarClient({
    url: ORIGIN,
    key: { id: "worker-1", seed: new Secret("11".repeat(32)) },
    sidecarKeys: [await publicKeyOf(sidecarSeed)],
    fetch: async (input, init) => {
      const request = new Request(input, init);
      requests.push(request);
      const answer = await respond(described(request), request);
      if (answer instanceof Error) throw answer;
      return new Response(answer.body, { status: answer.status, headers: answer.headers });
    },
    // No test waits for a time limit.
    clock: {
      now: () => NOW_MS,
      sleep: (_, signal) =>
        new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
    },
    random: systemRandom,
    ...options,
  });
  return { client, requests };
}
