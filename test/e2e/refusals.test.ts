import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { attest } from "../../core/attestation/attest.ts";
import { createMockAttester } from "../../core/attestation/mock.ts";
import { createIclClient } from "../../core/icl/client.ts";
import { systemClock } from "../../core/ports.ts";
import { devAccount, nodeIndex } from "../../devnet/chain/accounts.ts";
import { startEdgeNode } from "../../devnet/edge-nodes.ts";
import { modelSettings } from "../../devnet/network.ts";
import { eventually } from "../eventually.ts";
import { addressesOf, type Rig, startRig } from "./rig.ts";

const NOBODYS_MODEL = "groq:a-model-nobody-runs";

let rig: Rig;

beforeAll(async () => {
  rig = await startRig({ models: ["mock:demo"] });
});

afterAll(() => rig.stop());

describe("a job for a model that no node here can run", () => {
  it("is offered, left unclaimed by every node, and each says why", async () => {
    // The coordinator believes that the nodes serve it, as after an attestation by another installation.
    for (const node of rig.nodes) {
      const signer = devAccount(nodeIndex(node.index));
      await attest({
        icl: createIclClient({ endpoint: rig.network.urls.icl, signer, fetch, clock: systemClock }),
        attester: createMockAttester(),
        node: signer.address,
        models: ["mock:demo", NOBODYS_MODEL],
        tier: 0,
        clock: systemClock,
      });
    }
    const asked = rig.ask(NOBODYS_MODEL, "Can anyone run this?").catch(() => undefined);
    await eventually("refusals of all three", () => {
      const left = rig.log.filter(({ line }) => line.event === "offer.left" && line.reason === "model");
      return new Set(left.map(({ node }) => node)).size === 3 ? true : undefined;
    });
    const job = rig.network.coordinator.stats().jobs.find((one) => one.model_id === NOBODYS_MODEL);
    expect(job?.members.map((member) => member.claimsMs)).toEqual([[], [], []]);
    for (const node of rig.nodes) expect(await node.api("/api/assignments")).toMatchObject({ assignments: [] });
    void asked;
  });
});

describe("a node with bad settings", () => {
  it("starts, says what is wrong, and never calls the coordinator", async () => {
    const before = rig.network.coordinator.stats().nodes.length;
    const folder = await mkdtemp(join(tmpdir(), "blindference-edge-bad-"));
    const launcher = fileURLToPath(new URL("../../bin/blindference-edge.js", import.meta.url));
    const child = spawn(
      process.execPath,
      [launcher, "run", "--json", "--port", "0", "--state", join(folder, "state")],
      {
        cwd: folder,
        env: {
          PATH: process.env.PATH,
          BLF_ICL_ENDPOINT: rig.network.urls.icl,
          BLF_RPC_URL: "https://x.test/v2/YOUR_KEY",
        },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    try {
      const complaints: string[] = [];
      createInterface({ input: child.stderr }).on("line", (line) => complaints.push(line));
      const url = await new Promise<string>((resolve, reject) => {
        child.once("exit", () => reject(new Error(complaints.join("\n"))));
        createInterface({ input: child.stdout }).on("line", (line) => {
          if (line.startsWith('{"url"')) resolve((JSON.parse(line) as { url: string }).url);
        });
      });
      const health = await fetch(`${url}/healthz`);
      expect(health.status).toBe(503);
      expect(JSON.stringify(await health.json())).toContain("BLF_PRIVATE_KEY");
      const said = complaints.join("\n");
      for (const name of ["BLF_PRIVATE_KEY", "BLF_RPC_URL", "BLF_MODELS", "PINATA_JWT"]) expect(said).toContain(name);
      expect(said).toContain("claims nothing until these are fixed");
      expect(rig.network.coordinator.stats().nodes).toHaveLength(before);
    } finally {
      child.kill("SIGTERM");
      await once(child, "exit");
      await rm(folder, { recursive: true, force: true });
    }
    expect(child.exitCode).toBe(0);
  });
});

describe("pause, resume and drain", () => {
  it("keep a node from claiming while it goes on beating, and let it claim again", async () => {
    const [node] = rig.nodes;
    if (node === undefined) throw new Error("no node");
    expect(await node.api("/api/pause", { method: "POST", body: { reason: "a test" } })).toMatchObject({
      nodes: [{ ok: true }],
    });
    const before = rig.log.length;
    const asked = rig.ask("mock:demo", "Without the first node").catch(() => undefined);
    await eventually("the paused node to leave the offer", () =>
      rig.log.slice(before).find((entry) => entry.node === 0 && entry.line.reason === "paused"),
    );
    await eventually("another node to claim it", () =>
      rig.log.slice(before).find((entry) => entry.node !== 0 && entry.line.event === "job.claimed"),
    );
    expect(rig.log.slice(before).filter((entry) => entry.node === 0 && entry.line.event === "job.claimed")).toEqual([]);
    expect(
      rig.network.coordinator
        .stats()
        .nodes.filter((one) => one.live)
        .map((one) => one.address),
    ).toEqual(expect.arrayContaining(addressesOf(rig.nodes)));
    // Resumed, it takes the very offer that it had left.
    await node.api("/api/resume", { method: "POST" });
    await eventually("the resumed node to claim it", () =>
      rig.log.slice(before).find((entry) => entry.node === 0 && entry.line.event === "job.claimed"),
    );
    expect(await asked).toMatchObject({ status: "ACCEPTED" });
    await node.api("/api/drain", { method: "POST" });
    expect(await node.api("/api/status")).toMatchObject({ nodes: [{ state: "paused", holds: [{ code: "drained" }] }] });
  });
});

describe("a node whose model key the provider refuses", () => {
  it("finds out before it claims anything, names the setting, and does not offer the model", async () => {
    const node = await startEdgeNode(rig.network, {
      index: 3,
      stateDir: rig.stateDir,
      models: ["groq:llama-3.3-70b-versatile", "mock:demo"],
      env: { ...modelSettings(rig.network, "groq"), GROQ_API_KEY: "revoked-key" },
    });
    try {
      const record = await eventually("its attestation", () =>
        rig.network.coordinator.stats().nodes.find((one) => one.address === node.address),
      );
      expect(record.models).toEqual(["mock:demo"]);
      expect(await node.api("/api/models")).toMatchObject({
        nodes: [
          {
            models: [
              { id: "groq:llama-3.3-70b-versatile", served: false },
              { id: "mock:demo", served: true },
            ],
          },
        ],
      });
      const status = JSON.stringify(await node.api("/api/status"));
      expect(status).toContain("model-key");
      expect(status).toContain("GROQ_API_KEY");
      expect(status).not.toContain("revoked-key");
    } finally {
      await node.process.stop();
    }
  });
});
