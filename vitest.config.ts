import { availableParallelism } from "node:os";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/** core/failpoint.ts */
const define = { __FAILPOINTS__: "true" };

/** By default a machine with two cores would run one file at a time. */
const WORKERS = Math.max(2, availableParallelism() - 1);

export default defineConfig({
  test: {
    // What a passing test logs is nobody's concern.
    silent: "passed-only",
    projects: [
      {
        define,
        // Plain Node: pure core, devnet services, CLI parts.
        test: {
          name: "unit",
          environment: "node",
          include: ["{core,devnet,cli,contracts,scripts,sidecar}/**/*.test.ts", "test/{unit,fuzz,swtpm}/**/*.test.ts"],
          maxWorkers: WORKERS,
          testTimeout: 30_000,
        },
      },
      {
        define,
        // Real workerd: objects, alarms, D1.
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              // Only loopback: no test can reach the network.
              outboundService: async (request: import("miniflare").Request) =>
                new URL(request.url).hostname === "127.0.0.1"
                  ? fetch(request.url, {
                      method: request.method,
                      headers: Object.fromEntries(request.headers),
                      body: request.body ? await request.arrayBuffer() : null,
                    })
                  : new Response(`refused: ${request.url}`, { status: 599 }),
            },
          }),
        ],
        test: {
          name: "workers",
          globalSetup: ["./test/network/setup.ts"],
          deps: {
            optimizer: {
              ssr: {
                enabled: true,
                rolldownOptions: { external: [/^node:/] },
                include: ["viem", "viem/accounts", "@cofhe/sdk", "@cofhe/sdk/permits"],
              },
            },
          },
          include: ["test/workers/**/*.test.ts"],
          // Several files run the same nodes on the one network.
          fileParallelism: false,
          // Whole jobs run in here, on machines that do other things too.
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        define,
        // The whole node in plain Node, in simulated time.
        resolve: {
          alias: { "cloudflare:workers": new URL("./test/sim/platform/durable-object.ts", import.meta.url).pathname },
        },
        test: {
          name: "sim",
          environment: "node",
          include: ["test/sim/**/*.test.ts"],
          maxWorkers: WORKERS,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        // The devnet as processes; needs `npm run build` first.
        test: {
          name: "e2e",
          environment: "node",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 120_000,
          // Each file has a network of its own, and spends most of its time waiting.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
