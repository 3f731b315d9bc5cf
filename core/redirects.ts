/**
 * Follows redirects by hand, for a GET that carries nothing secret. It takes along nothing but what the client accepts,
 * and goes nowhere that a setting could not have named: never from https to plain http, and from this machine in plain
 * http only to this machine. What it will not follow it hands back as it is.
 */
import type { Fetch } from "./ports.ts";
import { isLoopback } from "./settings/url.ts";

/** Gateways need one or two. */
const MAX_REDIRECTS = 5;
/** Those that a GET follows (RFC 9110, 15.4). */
const REDIRECTS = [301, 302, 303, 307, 308];

/** @param init its `redirect` must be `manual` */
export async function fetchFollowing(
  fetch: Fetch,
  request: Request,
  init: { signal: AbortSignal; redirect: "manual" },
): Promise<Response> {
  const headers = { accept: request.headers.get("accept") ?? "*/*" };
  let at = new URL(request.url);
  let response = await fetch(request, init);
  for (let count = 0; count < MAX_REDIRECTS; count += 1) {
    const next = nextOf(at, response);
    if (next === null) return response;
    response.body?.cancel().catch(() => undefined);
    at = next;
    response = await fetch(new Request(at, { headers }), init);
  }
  return response;
}

function nextOf(from: URL, response: Response): URL | null {
  const location = response.headers.get("location");
  if (!REDIRECTS.includes(response.status) || location === null) return null;
  const to = URL.parse(location, from.href);
  return to !== null && allowed(from, to) ? to : null;
}

function allowed(from: URL, to: URL): boolean {
  if (to.username !== "" || to.password !== "") return false;
  if (to.protocol === "https:") return true;
  // Plain http to another host is what the operator allowed with BLF_ALLOW_HTTP, if we are there already.
  return to.protocol === "http:" && from.protocol === "http:" && (isLoopback(to.href) || !isLoopback(from.href));
}
