/**
 * The limit on request bodies. What counts is the bytes that arrive, not the length that is announced, so a chunked body
 * or a false content-length changes nothing. A handler behind it reads a body that is whole and within the limit.
 */
import type { Context, MiddlewareHandler } from "hono";
import type { App } from "./app.ts";

/** @param maxBytes for the request at hand */
export function limitBody(maxBytes: (c: Context<App>) => number): MiddlewareHandler<App> {
  return async (c, next) => {
    const { body } = c.req.raw;
    if (body === null) return next();
    const bytes = await readAtMost(body, maxBytes(c)).catch(() => undefined);
    if (bytes === undefined) return c.json({ error: "the body broke off" }, 400);
    if (bytes === null) {
      return c.json({ error: `the body is too large: at most ${maxBytes(c)} bytes are taken here` }, 413);
    }
    c.req.raw = new Request(c.req.raw, { method: c.req.method, body: bytes });
    return next();
  };
}

/** The whole body, or null when it is longer; then the rest of it is not read. Throws when it breaks off. */
async function readAtMost(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.byteLength;
    if (length > maxBytes) {
      await reader.cancel().catch(() => undefined);
      return null;
    }
    chunks.push(value);
  }
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}
