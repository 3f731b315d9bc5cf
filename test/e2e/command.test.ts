import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { devAccount, devPrivateKey } from "../../devnet/chain/accounts.ts";
import { eventually } from "../eventually.ts";
import { type Rig, startRig } from "./rig.ts";

const MODEL = "mock:demo";
const SPEND_TOKEN = "spend-token-of-the-command-tests";
const launcher = fileURLToPath(new URL("../../bin/blindference-edge.js", import.meta.url));
/** An account of the devnet that no node uses. */
const OPERATOR = 9;

interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

let rig: Rig;
let home: string;

/** Runs the built command as a person would, in an empty folder. */
function edge(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  const [node] = rig.nodes;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [launcher, ...args],
      {
        cwd: home,
        env: {
          PATH: process.env.PATH ?? "",
          HOME: home,
          BLF_NODE_URL: node?.process.url ?? "",
          BLF_ADMIN_TOKEN: node?.adminToken ?? "",
          BLF_SPEND_TOKEN: SPEND_TOKEN,
          ...env,
        },
      },
      (error, stdout, stderr) => resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr }),
    );
  });
}

async function json(args: readonly string[], env: Record<string, string> = {}): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await edge([...args, "--json"], env);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** The chain's settings for a command that reads or sends by itself. */
function chainEnv(): Record<string, string> {
  const names = [
    "BLF_RPC_URL",
    "BLF_COFHE_CHAIN_ID",
    "BLF_STAKING_ADDRESS",
    "BLF_TOKEN_ADDRESS",
    "BLF_NODE_REGISTRY_ADDRESS",
  ];
  return Object.fromEntries(names.flatMap((name) => (rig.network.env[name] ? [[name, rig.network.env[name]]] : [])));
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "blindference-edge-command-"));
  rig = await startRig({ models: [MODEL], env: () => ({ BLF_SPEND_TOKEN: SPEND_TOKEN }) });
  await rig.ask(MODEL, "Before the operator looks");
}, 120_000);

afterAll(async () => {
  await rig.stop();
  await rm(home, { recursive: true, force: true });
});

describe("the command, at a running node,", () => {
  it("shows its status to people and to scripts", async () => {
    const { code, stdout } = await edge(["status"]);
    expect(code).toBe(0);
    expect(stdout).toContain(rig.nodes[0]?.address);
    expect(stdout).toContain("running");
    expect(stdout).toContain("0 of the 3");
    expect(await json(["status"])).toMatchObject({ testnet: true, nodes: [{ address: rig.nodes[0]?.address }] });
  });

  it("pauses, says why in the status, and resumes", async () => {
    expect((await edge(["pause", "--reason", "moving house"])).stdout).toContain("paused");
    expect((await edge(["status"])).stdout).toContain("moving house");
    expect((await edge(["resume"])).stdout).toContain("running");
    expect((await edge(["status"])).stdout).not.toContain("moving house");
  });

  it("lists jobs, shows one with its timeline, and what was earned", async () => {
    const listed = await eventually("the job's end in the history", async () => {
      const page = (await json(["jobs", "list"])) as { assignments: { jobId: string; state: string }[] };
      return page.assignments[0]?.state === "settled" ? page.assignments[0] : undefined;
    });
    const shown = (await edge(["jobs", "show", listed.jobId])).stdout;
    for (const word of ["accepted", "job.claimed", "job.submitted"]) expect(shown).toContain(word);
    expect((await edge(["jobs", "earnings"])).stdout).toMatch(/earned [\d.]+ BLIND/);
    expect((await edge(["jobs", "claim"])).stdout).toContain("nothing to claim");
  });

  it("shows events, and the models", async () => {
    expect((await edge(["logs", "--lines", "500"])).stdout).toContain("job.settled");
    const lines = (await edge(["logs", "--json", "--lines", "5"])).stdout.trim().split("\n");
    expect(lines.map((line) => typeof (JSON.parse(line) as { type: unknown }).type)).toEqual(Array(5).fill("string"));
    expect((await edge(["models", "list"])).stdout).toMatch(/mock:demo\s+mock\s+served/);
  });

  it("takes the guard out and in again, which changes nothing", async () => {
    expect((await edge(["guard", "export", "--out", "guard.json"])).code).toBe(0);
    expect(await readFile(join(home, "guard.json"), "utf8")).toContain("blindference-commit-guard");
    expect((await edge(["guard", "export", "--out", "guard.json"])).code).toBe(4);
    expect((await edge(["guard", "import", "guard.json"])).stdout).toMatch(/0 imported, [1-9]\d* known/);
  });

  it("attests again, refuses another way of attesting than the node's, and registers only once", async () => {
    expect((await edge(["attest", "--mock"])).stdout).toContain("attested");
    expect(await edge(["attest", "--tpm"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("attests by mock"),
    });
    expect(await edge(["register", "--yes"])).toMatchObject({ code: 4, stderr: expect.stringContaining("already") });
  });
});

describe("what goes wrong", () => {
  it("is said with a way out and an exit code: no node, a wrong token, no token, a wrong command line", async () => {
    const away = { BLF_NODE_URL: "http://127.0.0.1:1" };
    expect(await edge(["status"], away)).toMatchObject({ code: 3, stderr: expect.stringContaining("does not answer") });
    const wrong = { BLF_ADMIN_TOKEN: "not the token of this node" };
    const refused = await edge(["status"], wrong);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("BLF_ADMIN_TOKEN") });
    expect(refused.stderr).not.toContain("not the token of this node");
    expect(await edge(["status"], { BLF_ADMIN_TOKEN: "" })).toMatchObject({ code: 2 });
    expect(await edge(["stauts"])).toMatchObject({ code: 2, stderr: expect.stringContaining("Did you mean status?") });
    expect(await edge(["staking", "stake", "1e3"])).toMatchObject({ code: 2, stderr: expect.stringContaining("1000") });
  });

  it("never sends a token in plain http to another machine", async () => {
    const { code, stderr } = await edge(["status", "--url", "http://node.example"]);
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining("https") });
  });

  it("is not asked about where nobody can answer", async () => {
    expect(await edge(["staking", "stake", "1000"])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("--yes"),
    });
  });
});

describe("staking", () => {
  it("goes through the node where one answers: only what is missing is approved, and one transaction sent each", async () => {
    const sent = await json(["staking", "stake", "1000", "--yes"]);
    expect(sent).toMatchObject({ node: rig.nodes[0]?.address });
    const states = (sent.transactions as { state: string }[]).map(({ state }) => state);
    expect(states.every((state) => state === "confirmed")).toBe(true);
  });

  it("works without a node, with a queue of its own, from a keystore or a key", async () => {
    const key = devPrivateKey(OPERATOR);
    const { address } = devAccount(OPERATOR);
    const env = { ...chainEnv(), BLF_PRIVATE_KEY: key, BLF_NODE_URL: "" };
    expect(await json(["balance"], env)).toMatchObject({ node: address, ethWei: expect.stringMatching(/^[1-9]/) });
    const sent = await json(["staking", "stake", "1000", "--yes", "--direct"], env);
    expect(sent).toMatchObject({ node: address, transactions: [{ state: "confirmed" }, { state: "confirmed" }] });
    expect(await json(["staking", "status"], env)).toMatchObject({
      stakedWei: `1000${"0".repeat(18)}`,
      consecutiveFailures: 0,
    });
    expect(await json(["staking", "unstake", "--yes", "--direct"], env)).toMatchObject({
      transactions: [{ state: "confirmed" }],
    });
    expect((await edge(["staking", "status"], env)).stdout).toMatch(
      /unbonding {2}1000 BLIND, free in (4 days|3 days 23 hours)/,
    );
    expect(await edge(["staking", "withdraw", "--yes", "--direct"], env)).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/3 days 23 hours|4 days/),
    });
  });

  it("refuses to race a node that was named and does not answer", async () => {
    const env = { ...chainEnv(), BLF_PRIVATE_KEY: devPrivateKey(OPERATOR), BLF_NODE_URL: "http://127.0.0.1:1" };
    expect(await edge(["staking", "unstake", "--yes"], env)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("--direct"),
    });
  });
});

describe("models", () => {
  it("are added to and removed from the settings file, whose other lines stay", async () => {
    await writeFile(join(home, ".env"), "# mine\nBLF_MODELS=mock:demo\n");
    expect((await edge(["models", "add", "mock:second"])).code).toBe(0);
    expect(await readFile(join(home, ".env"), "utf8")).toBe("# mine\nBLF_MODELS=mock:demo,mock:second\n");
    expect((await edge(["models", "remove", "mock:demo"])).code).toBe(0);
    expect(await readFile(join(home, ".env"), "utf8")).toBe("# mine\nBLF_MODELS=mock:second\n");
    expect(await edge(["models", "remove", "mock:second"])).toMatchObject({ code: 2 });
    expect(await edge(["models", "add", "groq:llama-3.3-70b-versatile"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("GROQ_API_KEY"),
    });
    const answer = await json(["models", "test", "mock:demo", "What is 2+2?"]);
    expect(answer).toMatchObject({ model: "mock:demo", answer: expect.stringMatching(/./) });
  });
});
