import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { unstable_readConfig } from "wrangler";
import { WORKER } from "../../cli/local-worker.ts";

it("a node on this machine has the same bindings as the deployed one", () => {
  const config = unstable_readConfig({ config: fileURLToPath(new URL("../../wrangler.toml", import.meta.url)) });
  expect(config).toMatchObject({
    name: WORKER.name,
    compatibility_date: WORKER.compatibilityDate,
    compatibility_flags: [...WORKER.compatibilityFlags],
    d1_databases: [{ binding: WORKER.database }],
    triggers: { crons: [WORKER.cron] },
  });
  const objects = config.durable_objects.bindings.map(({ name, class_name }: { name: string; class_name: string }) => [
    name,
    class_name,
  ]);
  expect(Object.fromEntries(objects)).toEqual(WORKER.durableObjects);
  const limits = config.ratelimits.map(({ name, ...limit }: { name: string }) => [name, limit]);
  expect(Object.fromEntries(limits)).toEqual(WORKER.rateLimits);
});
