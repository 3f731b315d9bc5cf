/** A server for tests: answers requests in order from a script and records each as it would arrive. */
import type { Fetch } from "./ports.ts";

export interface Answer {
  /** 200 by default. */
  status?: number;
  /** The body: JSON of a value, or the text itself. */
  json?: unknown;
  text?: string;
  headers?: Record<string, string>;
}

export interface Received {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

/** `received` grows with each request. A request beyond the script, or an Error in it, fails like a lost connection. */
export function scriptedFetch(...script: (Answer | Error)[]): { fetch: Fetch; received: Received[] } {
  const received: Received[] = [];
  const fetch: Fetch = async (input, init) => {
    const request = new Request(input, init);
    const headers = Object.fromEntries(request.headers.entries());
    received.push({ method: request.method, url: request.url, headers, body: await request.text() });
    const answer = script.shift();
    if (answer === undefined) throw new TypeError(`unexpected request: ${request.url}`);
    if (answer instanceof Error) throw answer;
    const body = answer.text ?? JSON.stringify(answer.json ?? {});
    return new Response(body, { status: answer.status ?? 200, headers: answer.headers ?? {} });
  };
  return { fetch, received };
}
