/**
 * The network that the workerd tests run against, without nodes: the Worker under test is the nodes. Its settings and a
 * user are served over HTTP, because the tests themselves run inside workerd.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Hono } from "hono";
import type { TestProject } from "vitest/node";
import { devPrivateKey, nodeIndex } from "../../devnet/chain/accounts.ts";
import { listen } from "../../devnet/http.ts";
import { startNetwork } from "../../devnet/network.ts";

const NODES = [0, 1, 2];

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const stateDir = await mkdtemp(join(tmpdir(), "blindference-edge-workers-"));
  const network = await startNetwork({ stateDir });
  const app = new Hono();
  app.get("/settings", (c) =>
    c.json({
      ...network.env,
      BLF_PRIVATE_KEY: NODES.map((index) => devPrivateKey(nodeIndex(index))).join(","),
      BLF_MODELS: "mock:demo",
      BLF_ADMIN_TOKEN: "an-admin-token-of-the-test",
      BLF_LOG_LEVEL: "ERROR",
      // Each test file starts from nothing, on a network that has heard of these nodes a moment ago.
      BLF_COPY_CHECK_SECONDS: "0",
    }),
  );
  // Asked once to begin and then until there is a result: workerd need not hold a connection for a whole job.
  const jobs = new Map<string, unknown>();
  app.post("/jobs/:name", async (c) => {
    const { modelId, prompt } = (await c.req.json()) as { modelId: string; prompt: string };
    const name = c.req.param("name");
    network.user.runJob({ modelId, prompt }).then(
      (result) => jobs.set(name, result),
      (error: unknown) => jobs.set(name, { error: String(error) }),
    );
    return c.json({});
  });
  app.get("/jobs/:name", (c) => c.json(jobs.get(c.req.param("name")) ?? null));
  app.get("/stats", (c) => c.text(JSON.stringify(network.coordinator.stats(), decimal)));
  const server = await listen(app);
  project.provide("rigUrl", server.url);
  return async () => {
    await server.close();
    await network.stop();
    await rm(stateDir, { recursive: true, force: true });
  };
}

/** Handles are uint256; a test only looks at them. */
function decimal(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
