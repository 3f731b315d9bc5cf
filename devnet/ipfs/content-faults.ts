/**
 * Misbehaviour that only an IPFS service can show: content that is not what its CID names. Armed over
 * `POST /devnet/faults` with a `route`; a body with a `path` instead is a general fault (devnet/faults.ts) and left to
 * it. Faults are used up request by request, the newest first, and `DELETE /devnet/faults` takes back both kinds.
 */
import type { Context, Hono } from "hono";
import * as z from "zod";
import { formatOf } from "./gateway.ts";

/** `gateway` is any request for a CID; `plain`, `raw` and `car` are those in that format; `pin` is an upload. */
const route = z.enum(["gateway", "plain", "raw", "car", "pin"]);

const contentFault = z.strictObject({
  route,
  /**
   * `lie`: 200 with one bit changed, or with another file's CID. `truncate`: 200 with the first half. `status`: refused.
   * `hang`: no answer until the client lets go.
   */
  mode: z.enum(["lie", "truncate", "status", "hang"]),
  /** With mode `status`. */
  status: z.int().min(400).max(599).default(503),
  /** How many requests it takes. */
  count: z.int().min(1).max(1_000_000).default(1),
});

export type ContentFault = z.input<typeof contentFault>;
type ArmedFault = z.output<typeof contentFault>;
type Route = z.infer<typeof route>;

/** The empty raw block: a real CID, and never that of a sealed answer. */
const ANOTHER_CID = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

/** Puts the faults before every route added afterwards. Must come before `installFaults`, which owns the same path. */
export function installContentFaults(app: Hono): { arm(fault: ContentFault): void } {
  const armed: ArmedFault[] = [];
  const arm = (fault: ContentFault) => void armed.unshift(contentFault.parse(fault));

  app.post("/devnet/faults", async (c, next) => {
    const body: unknown = await c.req.json().catch(() => null);
    if (typeof body !== "object" || body === null || !("route" in body)) return next();
    const fault = contentFault.safeParse(body);
    if (!fault.success) return c.json({ detail: z.prettifyError(fault.error) }, 400);
    armed.unshift(fault.data);
    return c.json({ armed: armed.length });
  });
  app.delete("/devnet/faults", (_, next) => {
    armed.splice(0);
    return next();
  });
  app.use("*", async (c, next) => {
    const fault = take(armed, routesOf(c));
    if (fault?.mode === "status") return refusal(fault.status);
    if (fault?.mode === "hang") {
      await gone(c.req.raw.signal);
      return refusal(503);
    }
    await next();
    if (fault === undefined || c.res.status !== 200) return;
    const honest = c.res;
    // Assigning twice makes Hono drop the first answer's headers instead of merging them: its length is wrong now.
    c.res = undefined;
    c.res = await distorted(honest, fault.mode);
  });
  return { arm };
}

function routesOf(c: Context): Route[] {
  if (c.req.path.startsWith("/pinning/")) return ["pin"];
  if (!c.req.path.startsWith("/ipfs/")) return [];
  return ["gateway", formatOf(c) ?? "plain"];
}

function take(armed: ArmedFault[], routes: readonly Route[]): ArmedFault | undefined {
  const fault = armed.find((one) => routes.includes(one.route));
  if (fault === undefined) return undefined;
  fault.count -= 1;
  if (fault.count === 0) armed.splice(armed.indexOf(fault), 1);
  return fault;
}

async function distorted(honest: Response, mode: "lie" | "truncate"): Promise<Response> {
  const headers = new Headers(honest.headers);
  headers.delete("content-length");
  const bytes = new Uint8Array(await honest.arrayBuffer());
  if (mode === "truncate") return new Response(bytes.slice(0, bytes.length >> 1), { headers });
  const receipt = headers.get("content-type")?.startsWith("application/json") ?? false;
  if (receipt) {
    const told: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return Response.json({ ...(told as object), IpfsHash: ANOTHER_CID });
  }
  const last = bytes.length - 1;
  return new Response(
    bytes.map((byte, index) => (index === last ? byte ^ 1 : byte)),
    { headers },
  );
}

function refusal(status: number): Response {
  return Response.json({ error: { reason: "FAULT", details: "a fault was armed" } }, { status });
}

function gone(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
