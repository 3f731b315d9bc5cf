import { describe, expect, it } from "vitest";
import { createRpcProxy } from "./rpc-proxy.ts";

const TARGET = "0xAbCdEf0123456789aBcDeF0123456789ABCDEF01";

/** A chain that repeats what it is asked. */
function echo() {
  const seen: string[] = [];
  const proxy = createRpcProxy({
    rpcUrl: "http://127.0.0.1:1",
    fetch: async (_input, init) => {
      const text = new TextDecoder().decode(init?.body as ArrayBuffer);
      seen.push(text);
      return new Response(text);
    },
  });
  const ask = (body: string) => Promise.resolve(proxy.app.fetch(new Request("http://x/", { method: "POST", body })));
  return { ...proxy, seen, ask };
}

describe("the RPC as nodes see it", () => {
  it("passes every byte on as it came, numbers beyond 2^53 and batches included", async () => {
    const { ask, seen } = echo();
    const bodies = ['{"id":1, "method":"eth_x","params":[123456789012345678901]}', '[{"method":"a"},{"method":"b"}]'];
    for (const body of bodies) expect(await (await ask(body)).text()).toBe(body);
    expect(seen).toEqual(bodies);
  });

  it("misbehaves by method, and by contract for calls", async () => {
    const { ask, faults } = echo();
    faults.arm({ path: "^/eth_sendRawTransaction$", mode: "status", status: 503 });
    faults.arm({ path: `^/eth_call/${TARGET.toLowerCase()}$`, mode: "status", status: 429 });
    const call = (to: string) => JSON.stringify({ id: 1, method: "eth_call", params: [{ to, data: "0x" }, "latest"] });
    expect((await ask(call(`0x${"00".repeat(20)}`))).status).toBe(200);
    expect((await ask(call(TARGET))).status).toBe(429);
    expect((await ask('{"method":"eth_sendRawTransaction","params":["0x00"]}')).status).toBe(503);
    expect((await ask('{"method":"eth_sendRawTransaction","params":["0x00"]}')).status).toBe(200);
  });

  it("does not choke on what is no JSON-RPC", async () => {
    const { ask } = echo();
    for (const body of ["", "not JSON", "[]", '{"method":"../x"}']) expect((await ask(body)).status).toBe(200);
  });
});
