/**
 * The pinning half of the devnet's IPFS: the two calls of Pinata's API that the network uses, with its answers and its
 * refusals (protocol §6). The token is compared as a whole; scopes and plans are not played.
 */
import type { Context, Hono } from "hono";
import * as z from "zod";
import type { IpfsStore } from "./store.ts";

/** Pinata's own default is version 0: a `Qm…` CID with the file wrapped in a node. */
const pinataOptions = z.object({ cidVersion: z.union([z.literal(0), z.literal(1)]).default(0) });

/** Answers 401 to every call whose bearer token is not `jwt`. */
export function installPinata(app: Hono, store: IpfsStore, jwt: string): void {
  const authorised = (c: Context) => c.req.header("authorization") === `Bearer ${jwt}`;
  const pinned = new Set<string>();

  app.get("/data/testAuthentication", (c) =>
    authorised(c) ? c.json({ message: "You are communicating with the devnet's Pinata API" }) : unauthorised(c),
  );

  app.post("/pinning/pinFileToIPFS", async (c) => {
    if (!authorised(c)) return unauthorised(c);
    const form = await c.req.formData().catch(() => null);
    const file = form?.get("file");
    if (!(file instanceof File)) return refused(c, "the multipart field `file` is missing");
    const options = readOptions(form?.get("pinataOptions") ?? "{}");
    if (options === null) return refused(c, "pinataOptions must be JSON with a cidVersion of 0 or 1");
    const cid = await store.add(new Uint8Array(await file.arrayBuffer()), options);
    const isDuplicate = pinned.has(cid);
    pinned.add(cid);
    const receipt = { IpfsHash: cid, PinSize: file.size, Timestamp: new Date().toISOString() };
    return c.json(isDuplicate ? { ...receipt, isDuplicate } : receipt);
  });
}

function readOptions(value: unknown): z.infer<typeof pinataOptions> | null {
  try {
    return typeof value === "string" ? pinataOptions.parse(JSON.parse(value)) : null;
  } catch {
    return null;
  }
}

function unauthorised(c: Context): Response {
  return c.json({ error: { reason: "INVALID_CREDENTIALS", details: "the bearer token is not this devnet's" } }, 401);
}

function refused(c: Context, details: string): Response {
  return c.json({ error: { reason: "INVALID_REQUEST", details } }, 400);
}
