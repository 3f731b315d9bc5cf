import { describe, expect, it } from "vitest";
import { Secret } from "../../core/secret.ts";
import { type ExistingWorker, isNode } from "./existing.ts";
import { makePlan, planLines } from "./plan.ts";

const none: ExistingWorker = {
  versionId: null,
  objectClasses: [],
  databaseId: null,
  vars: [],
  secrets: [],
  others: [],
};
const node: ExistingWorker = { ...none, versionId: "v1", objectClasses: ["Node", "Assignment"] };
const plan = (existing: ExistingWorker | null, secrets: string[] = ["BLF_ADMIN_TOKEN"]) =>
  makePlan({
    account: { id: "a1", name: "Mine" },
    name: "my-node",
    existing,
    database: { name: "my-node", id: null },
    script: Buffer.from("export default {}"),
    bindings: {
      vars: { BLF_ROLES: "verifier" },
      secrets: Object.fromEntries(secrets.map((name) => [name, new Secret("the-secret-text")])),
    },
  });

describe("whose Worker it is", () => {
  it.each([
    ["a node", node, true],
    ["a node with a binding of its operator's", { ...node, others: ["LOG (queue)"] }, true],
    ["settings without code yet", { ...none, secrets: ["BLF_PRIVATE_KEY"] }, true],
    ["other secrets without code", { ...none, secrets: ["STRIPE_KEY"] }, false],
    ["another program's objects", { ...none, versionId: "v1", objectClasses: ["ChatRoom"] }, false],
    ["half of a node's objects", { ...none, versionId: "v1", objectClasses: ["Node"] }, false],
    ["a page", { ...none, versionId: "v1", others: ["ASSETS (assets)"] }, false],
  ])("%s", (_what, worker, ours) => {
    expect(isNode(worker)).toBe(ours);
  });
});

describe("the plan", () => {
  it("names everything it will do, and no secret's text", () => {
    const lines = planLines(plan(null)).join("\n");
    expect(lines).toContain("Account    Mine (a1)");
    expect(lines).toContain("Worker     my-node (new)");
    expect(lines).toContain("Database   my-node (D1), will be created");
    expect(lines).toContain("Variables  BLF_ROLES");
    expect(lines).toContain("Secrets    BLF_ADMIN_TOKEN (");
    expect(lines + JSON.stringify(plan(null))).not.toContain("the-secret-text");
  });

  it("tells which secrets stay and which variables go", () => {
    const met = { ...node, secrets: ["BLF_ADMIN_TOKEN", "PINATA_JWT"], vars: ["BLF_ROLES", "BLF_LOG_LEVEL"] };
    expect(plan(met)).toMatchObject({
      worker: "update",
      replaces: "v1",
      keptSecrets: ["PINATA_JWT"],
      removedVars: ["BLF_LOG_LEVEL"],
      warnings: [],
    });
  });

  it("warns of another program's Worker, and of an API that stays closed", () => {
    const foreign = plan({ ...none, versionId: "v1", objectClasses: ["ChatRoom"] });
    expect(foreign.worker).toBe("overwrite");
    expect(foreign.warnings).toEqual([expect.stringContaining("ChatRoom (object class)")]);
    expect(plan(null, []).warnings).toEqual([expect.stringContaining("BLF_ADMIN_TOKEN is not set")]);
  });

  it("knows that a token which only the Worker has opens the API", () => {
    expect(plan({ ...node, secrets: ["BLF_ADMIN_TOKEN"] }, []).warnings).toEqual([]);
  });
});
