import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { unstable_readConfig } from "wrangler";
import { NAME_PATTERN, wranglerConfig } from "./config.ts";

const input = {
  name: "my-node",
  accountId: "a1",
  databaseName: "my-node",
  databaseId: "d1",
  vars: { BLF_ROLES: "leader" },
};

describe("the configuration of a deployment", () => {
  it("says to wrangler what wrangler.toml says", async () => {
    const folder = await mkdtemp(join(tmpdir(), "blindference-edge-config-"));
    try {
      const path = join(folder, "wrangler.json");
      await writeFile(path, JSON.stringify(wranglerConfig(input)));
      const ours = unstable_readConfig({ config: path });
      const byHand = unstable_readConfig({ config: fileURLToPath(new URL("../../wrangler.toml", import.meta.url)) });
      for (const part of [
        "compatibility_date",
        "compatibility_flags",
        "durable_objects",
        "exports",
        "ratelimits",
        "triggers",
        "observability",
      ] as const) {
        expect(ours[part], part).toEqual(byHand[part]);
      }
      expect(ours.d1_databases).toMatchObject([{ binding: "DB", database_name: "my-node", database_id: "d1" }]);
      expect(byHand.d1_databases).toMatchObject([{ binding: "DB" }]);
      expect(ours).toMatchObject({ name: "my-node", account_id: "a1", workers_dev: true, vars: input.vars });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it.each([
    ["my-node", true],
    ["n", true],
    ["My-Node", false],
    ["-node", false],
    ["node_1", false],
    ["n".repeat(64), false],
    ["../x", false],
  ])("takes %s for a name: %s", (name, taken) => {
    expect(NAME_PATTERN.test(name)).toBe(taken);
  });
});
