/**
 * The gateway half of the devnet's IPFS, after the path and trustless gateway specifications: `/ipfs/CID` as plain bytes,
 * as one block or as a CAR, chosen by `?format=` or, without it, by the Accept header. It serves files only, no
 * directories and no paths below a CID.
 */
import type { Context, Hono } from "hono";
import { type Bytes, type Cid, parseCid } from "../../core/ipfs/cid.ts";
import type { IpfsStore } from "./store.ts";

export type Format = "plain" | "raw" | "car";

const MEDIA_TYPES: Record<Format, string> = {
  plain: "application/octet-stream",
  raw: "application/vnd.ipld.raw",
  car: "application/vnd.ipld.car; version=1; order=dfs; dups=n",
};

/** Hono answers HEAD from the same route, without the body. */
export function installGateway(app: Hono, store: IpfsStore): void {
  app.get("/ipfs/:cid", async (c) => {
    const cid = parseCid(c.req.param("cid"));
    if (!cid.ok) return c.text(`invalid CID: it ${cid.refusal.message}\n`, 400);
    const format = formatOf(c);
    if (format === null) return c.text("unsupported format\n", 400);
    const etag = `"${cid.value.toString()}${format === "plain" ? "" : `.${format}`}"`;
    if (c.req.header("if-none-match") === etag) return new Response(null, { status: 304, headers: { etag } });
    const bytes = await read(store, cid.value, format);
    return bytes === null ? c.text("not found\n", 404) : answer(bytes, cid.value, format, etag);
  });
}

/** What is asked for; null for a format that does not exist here. */
export function formatOf(c: Context): Format | null {
  const query = c.req.query("format");
  if (query !== undefined) return query === "raw" || query === "car" ? query : null;
  const accept = c.req.header("accept") ?? "";
  if (accept.includes("application/vnd.ipld.raw")) return "raw";
  return accept.includes("application/vnd.ipld.car") ? "car" : "plain";
}

function read(store: IpfsStore, cid: Cid, format: Format): Promise<Bytes | null> {
  switch (format) {
    case "plain":
      return store.file(cid);
    case "raw":
      return store.block(cid);
    case "car":
      return store.car(cid);
  }
}

function answer(bytes: Bytes, cid: Cid, format: Format, etag: string): Response {
  return new Response(bytes, {
    headers: {
      "content-type": MEDIA_TYPES[format],
      "content-length": `${bytes.length}`,
      "cache-control": "public, max-age=29030400, immutable",
      // Content of strangers: a browser must not take it for a page.
      "x-content-type-options": "nosniff",
      "content-disposition": `attachment; filename="${cid.toString()}.${format === "plain" ? "bin" : format}"`,
      "x-ipfs-path": `/ipfs/${cid.toString()}`,
      etag,
    },
  });
}
