/**
 * `demo`: a fresh network with three nodes, one user's encrypted prompt through it, and what happens as it happens. The
 * exit code is 0 only for an accepted job whose answer, decrypted by the user, is the one the leader committed to.
 */
import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import { Command } from "commander";
import * as z from "zod";
import { type EdgeNode, startEdgeNode, untilLive } from "./edge-nodes.ts";
import { createNarrator, type Narrator } from "./narrator.ts";
import { type LocalNetwork, startNetwork } from "./network.ts";
import type { NodeLogLine } from "./node-process.ts";
import { stopRequested } from "./stop-signal.ts";
import type { UserResult, UserStep } from "./user/user.ts";

interface DemoOptions {
  prompt: string;
  model?: string;
  verifiers: "early" | "late";
  state: string;
  json?: true;
}

const NODES = 3;
const DEFAULT_PROMPT = "In one sentence: why would anyone encrypt a prompt?";
const EXIT_INTERRUPTED = 130;

export function demoCommand(finish: (code: number) => void): Command {
  return new Command("demo")
    .description("Send one encrypted prompt through a local network of three edge nodes")
    .option("--prompt <text>", "what the user asks", DEFAULT_PROMPT)
    .option(
      "--model <id>",
      "groq:… with GROQ_API_KEY, gemini:… with GOOGLE_API_KEY, or mock:NAME (default: what the keys allow)",
    )
    .option("--verifiers <when>", "early or late", "early")
    .option("--state <folder>", "where the demo keeps its state; wiped first", ".devnet/demo")
    .option("--json", "end with one JSON line")
    .action(async (options: DemoOptions) => finish(await runDemo(options)));
}

async function runDemo(options: DemoOptions): Promise<number> {
  const stop = stopRequested();
  const narrator = createNarrator((line) => process.stdout.write(`${line}\n`));
  const choice = chooseModel(options.model);
  const stateDir = resolve(options.state);
  await rm(stateDir, { recursive: true, force: true });
  const teardown: (() => Promise<void>)[] = [];
  try {
    const show = play(options, choice, stateDir, narrator, teardown);
    const outcome = await Promise.race([show, stop.requested]);
    if (outcome === "stop") {
      show.catch(() => undefined);
      narrator.say("stopped");
      narrator.close();
      return EXIT_INTERRUPTED;
    }
    const { result, seconds } = outcome;
    narrator.say(`the quorum says ${result.status}: ${result.confirmations} of ${NODES} hashes agree`);
    // The user opens only what was accepted, and only if it is what the leader committed to.
    if (result.answer !== null) narrator.say(`the answer, decrypted by the user: ${result.answer.trim()}`);
    narrator.close();
    if (options.json === true) {
      process.stdout.write(`${JSON.stringify(jsonOf(result, options.prompt, choice.model, seconds))}\n`);
    }
    return result.status === "ACCEPTED" && result.answer !== null ? 0 : 1;
  } finally {
    for (const one of teardown.reverse()) await one();
    stop.dispose();
  }
}

interface ModelChoice {
  model: string;
  /** Settings the nodes need for it, from this process's environment. */
  env: Record<string, string>;
  note: string;
}

async function play(
  options: DemoOptions,
  choice: ModelChoice,
  stateDir: string,
  narrator: Narrator,
  teardown: (() => Promise<void>)[],
): Promise<{ result: UserResult; seconds: number }> {
  narrator.say(choice.note);
  const network = await startNetwork({ stateDir, verifiers: options.verifiers === "late" ? "late" : "early" });
  teardown.push(() => network.stop());
  narrator.say("chain, contracts, coordinator, IPFS and payment service are up");
  const leaderFailed = Promise.withResolvers<never>();
  leaderFailed.promise.catch(() => undefined);
  const onLog = (index: number, line: NodeLogLine) => {
    tell(narrator, index, line);
    if (line.event !== "job.failed" || line.role !== "leader") return;
    const why = `${wordOf(line, "code")}, ${wordOf(line, "reason")}`;
    leaderFailed.reject(new Error(`The leader failed the job, so there is no answer: ${why}.`));
  };
  const nodes = await startNodes(network, choice, stateDir, onLog, teardown);
  await untilLive(
    network,
    nodes.map((node) => node.address),
  );
  await checkServed(nodes, choice.model);
  narrator.say(`${NODES} nodes are attested and live, serving ${choice.model}`);
  const startedMs = performance.now();
  const job = network.user.runJob({
    modelId: choice.model,
    prompt: options.prompt,
    onStep: (step) => {
      const text = USER_TEXTS[step];
      if (text !== undefined) narrator.say(`user: ${text}`);
    },
  });
  // Without its leader the job only runs into its deadline, minutes from now.
  const result = await Promise.race([job, leaderFailed.promise]);
  return { result, seconds: Math.round(performance.now() - startedMs) / 1000 };
}

const USER_TEXTS: Partial<Record<UserStep, string>> = {
  "encrypt-key": "encrypted the prompt's key for the chain",
  "store-key": "stored it, readable for the quorum's three nodes",
  upload: "uploaded the encrypted prompt",
  request: "asked the coordinator for an inference",
  download: "downloaded the encrypted answer",
  "decrypt-key": "decrypted the answer's key",
  open: "opened the answer: it is what the leader committed to",
};

async function startNodes(
  network: LocalNetwork,
  choice: ModelChoice,
  stateDir: string,
  onLog: (index: number, line: NodeLogLine) => void,
  teardown: (() => Promise<void>)[],
): Promise<EdgeNode[]> {
  return Promise.all(
    Array.from({ length: NODES }, async (_, index) => {
      const node = await startEdgeNode(network, {
        index,
        stateDir,
        models: [choice.model],
        env: choice.env,
        onLog,
      });
      teardown.push(() => node.process.stop());
      return node;
    }),
  );
}

const nodeStatus = z.object({
  nodes: z.array(
    z.object({
      models: z.array(z.string()),
      lastError: z.object({ message: z.string(), hint: z.string() }).nullable(),
    }),
  ),
});

/** A node that cannot run the model says so before it claims anything: pass on why. */
async function checkServed(nodes: readonly EdgeNode[], model: string): Promise<void> {
  for (const node of nodes) {
    const status = nodeStatus.parse(await node.api("/api/status")).nodes[0];
    if (status === undefined || status.models.includes(model)) continue;
    const why = status.lastError === null ? "" : `: ${status.lastError.message}. ${status.lastError.hint}`;
    throw new Error(`${node.process.name} does not serve ${model}${why}`);
  }
}

/** A node's log as a person follows it: its jobs' states, and whatever goes wrong. */
function tell(narrator: Narrator, index: number, line: NodeLogLine): void {
  const who = `node ${index + 1}`;
  const word = (field: string) => wordOf(line, field);
  const role = word("role") === "" ? "" : ` (${word("role")})`;
  const said: Record<string, string> = {
    "job.claimed": "claimed the job and decrypts the prompt's key",
    "job.answered": "has its answer",
    "job.published": "pinned the encrypted answer and committed to its hash",
    "job.granted": "made the answer's key readable for the user",
    "job.matched": `compared with the leader: ${word("verdict")}`,
    "job.submitted": "told the coordinator",
    "job.settled": `sees the job ${word("outcome")}`,
    "job.failed": `failed the job: ${word("code")}, ${word("reason")}`,
  };
  const text = said[line.event];
  if (text !== undefined) narrator.say(`${who}${role}: ${text}`);
}

function wordOf(line: NodeLogLine, field: string): string {
  const value = line[field];
  return typeof value === "string" ? value : "";
}

/** The model to ask, by what is asked for and which keys are there. Throws with the fix when a key is missing. */
export function chooseModel(wanted: string | undefined, env: NodeJS.ProcessEnv = process.env): ModelChoice {
  const pick = (...names: string[]) =>
    Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
  const groq = pick("GROQ_API_KEY", "GROQ_BASE_URL");
  const gemini = pick("GOOGLE_API_KEY", "GEMINI_BASE_URL");
  const openai = pick("OPENAI_BASE_URL", "OPENAI_API_KEY");
  const model =
    wanted ??
    (env.GROQ_API_KEY ? "groq:llama-3.3-70b-versatile" : env.GOOGLE_API_KEY ? "gemini:gemini-2.5-flash" : "mock:demo");
  switch (backendOf(model)) {
    case "mock":
      return {
        model,
        env: {},
        note: `no model key is used: ${model} answers with a hash of the prompt, not a real model`,
      };
    case "groq":
      if (!env.GROQ_API_KEY) throw new Error(`${model} needs GROQ_API_KEY: set it, or choose another --model`);
      return { model, env: groq, note: `asking ${model} with GROQ_API_KEY` };
    case "gemini":
      if (!env.GOOGLE_API_KEY) throw new Error(`${model} needs GOOGLE_API_KEY: set it, or choose another --model`);
      return { model, env: gemini, note: `asking ${model} with GOOGLE_API_KEY` };
    case "openai":
      if (!env.OPENAI_BASE_URL) {
        throw new Error(`${model} needs OPENAI_BASE_URL, a server that runs it: set it, or choose another --model`);
      }
      return { model, env: openai, note: `asking ${model} at OPENAI_BASE_URL` };
  }
}

function backendOf(model: string): "mock" | "groq" | "gemini" | "openai" {
  const prefix = /^(mock|groq|gemini):/.exec(model)?.[1];
  return (prefix ?? "openai") as "mock" | "groq" | "gemini" | "openai";
}

function jsonOf(result: UserResult, prompt: string, model: string, seconds: number) {
  const { status, answer, leader, verifiers, confirmations, commitmentHash, outputCid, outputKeyStoreTx } = result;
  return {
    status,
    answer,
    prompt,
    model,
    leader,
    verifiers,
    confirmations,
    commitmentHash,
    outputCid,
    outputKeyStoreTx,
    seconds,
  };
}
