import { createServer } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { Secret } from "../../core/secret.ts";
import type { Environment } from "../environment.ts";
import { createNodeApi } from "../node-api.ts";
import { attest } from "./attest.ts";

let close = () => {};
afterEach(() => close());

/** A node that answers an attest so, to whoever has the token. */
async function attesting(status: number, body: unknown, token: string | null = "the-admin-token") {
  let asked = 0;
  const server = createServer((request, reply) => {
    asked += 1;
    const known = request.headers.authorization === "Bearer the-admin-token";
    reply.writeHead(known ? status : 401, { "content-type": "application/json" });
    reply.end(JSON.stringify(known ? body : { error: "send the token" }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  close = () => void server.close();
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  const env: Pick<Environment, "get" | "secret"> = {
    get: () => undefined,
    secret: async () => (token === null ? null : new Secret(token)),
  };
  const notes: string[] = [];
  const io = {
    note: (line: string) => void notes.push(line),
    progress: <T>(_what: string, work: (say: (now: string) => void) => Promise<T>) => work(() => {}),
  };
  const api = createNodeApi(env, { url: `http://127.0.0.1:${address.port}` });
  return { run: () => attest(api, env, io), notes, asked: () => asked };
}

describe("the first attestation", () => {
  it("is done where every node could", async () => {
    const node = await attesting(200, { nodes: [{ node: "0x1", ok: true }] });
    expect(await node.run()).toBe("attested");
  });

  it("fails with each node's reason and remedy, although the deployment stands", async () => {
    const failure = { code: "icl-unreachable", message: "The coordinator does not answer.", hint: "Wait." };
    const node = await attesting(502, {
      nodes: [
        { node: "0x1", ok: true },
        { node: "0x2", ok: false, failure },
      ],
    });
    await expect(node.run()).rejects.toMatchObject({
      message: "The node is deployed and runs, but is not attested yet. 0x2: The coordinator does not answer.",
      fix: "Wait. The node tries again by itself.",
      exit: "failed",
    });
  });

  it("is left to the node without a token, which is not asked then", async () => {
    const node = await attesting(200, { nodes: [] }, null);
    expect(await node.run()).toBe("left to the node");
    expect([node.asked(), node.notes.length]).toEqual([0, 1]);
  });

  it("says so where the node was given another token", async () => {
    const node = await attesting(200, { nodes: [] }, "another-token");
    await expect(node.run()).rejects.toMatchObject({ exit: "usage", fix: expect.stringContaining("BLF_ADMIN_TOKEN") });
  });
});
