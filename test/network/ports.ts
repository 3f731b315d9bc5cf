/** Free loopback ports for the network that the workerd tests run against, agreed between config and set-up. */
import { createServer } from "node:net";

export interface TestPorts {
  rpc: number;
  icl: number;
  payment: number;
  ipfs: number;
  models: number;
  user: number;
}

const NAMES = ["rpc", "icl", "payment", "ipfs", "models", "user"] as const;
const VARIABLE = "BLINDFERENCE_EDGE_TEST_PORTS";

/** Picks the ports once per test run. */
export async function testPorts(): Promise<TestPorts> {
  const known = process.env[VARIABLE];
  if (known !== undefined) return JSON.parse(known) as TestPorts;
  const servers = NAMES.map(() => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  const picked = Object.fromEntries(NAMES.map((name, index) => [name, ports[index]])) as unknown as TestPorts;
  process.env[VARIABLE] = JSON.stringify(picked);
  return picked;
}
