/**
 * A POST over a real connection while the timers are fake. The platform's own fetch keeps timers of its own, which must
 * neither be faked nor hold up the process.
 */
import { Agent, request } from "node:http";

const agent = new Agent({ keepAlive: true });

/** Shaped as fetch, as far as the RPC proxy uses it. */
export async function realPost(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const body = Buffer.from(await new Response(init.body ?? null).arrayBuffer());
  return new Promise((resolve, reject) => {
    const sent = request(
      typeof input === "string" ? input : "href" in input ? input.href : input.url,
      { method: "POST", agent, headers: { "content-type": "application/json", "content-length": body.length } },
      (reply) => {
        const chunks: Buffer[] = [];
        reply.on("data", (chunk: Buffer) => chunks.push(chunk));
        reply.on("error", reject);
        reply.on("end", () => resolve(new Response(Buffer.concat(chunks), { status: reply.statusCode ?? 500 })));
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}
