import { writeSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EFFECTS, JOB_STATES, type JobFailure } from "../../core/jobs/job.ts";
import type { EdgeNode } from "../../devnet/edge-nodes.ts";
import { covers, EXCEPTIONS, unexcused } from "../canary/exceptions.ts";
import {
  type CanaryJob,
  FAILING,
  type FailingJob,
  type LosingJob,
  NEVER_FINAL,
  PASSING,
  PAST_FAILING,
} from "../canary/jobs.ts";
import { askMisconfigured, type Misconfigured } from "../canary/misconfigured.ts";
import { errorPlaces, folderPlaces, kindOf } from "../canary/places.ts";
import { plantedAnswers, plantedFolder, plantTraffic } from "../canary/plants.ts";
import { type CanaryRun, outputKeySecrets, promptKeySecrets, type Sent, startRun } from "../canary/run.ts";
import { type Finding, type Place, type Secret, search } from "../canary/search.ts";
import { operatorSecrets, permitSecrets, type Unwrapped, unwrap } from "../canary/secrets.ts";
import { token } from "../canary/token.ts";
import { walk } from "../canary/walk.ts";
import { eventually } from "../eventually.ts";

const BACKEND_KINDS = ["groq", "gemini", "openai", "mock"] as const;
const HEALTHY = BACKEND_KINDS.map((backend): CanaryJob => ({ name: `${backend} succeeds`, backend, faults: [] }));

/** Told to a node as the reason of a pause: it must be found wherever that is kept. */
const PLANT = `told ${token()}`;
/** Put by hand into each kind of place. */
const BY_HAND = `planted ${token()}`;

let run: CanaryRun;
const healthy: Sent[] = [];
const failing: { sent: Sent; row: FailingJob | LosingJob; failures: JobFailure[] }[] = [];
const passing: Sent[] = [];
const unwrapped: Unwrapped[] = [];
const secrets: Secret[] = [];
let keys: Uint8Array[] = [];
const places: Place[] = [];
let misconfigured: Misconfigured;
let findings: Finding[] = [];

beforeAll(async () => {
  run = await startRun();
  healthy.push(...(await run.round(HEALTHY)));
  await Promise.all(healthy.map(({ result }) => result));
  for (const rows of FAILING) {
    const round = (await run.round(rows)).map((sent, at) => ({ sent, row: rows[at] as FailingJob | LosingJob }));
    await Promise.all(round.map(({ sent, row }) => run.untilEnd(sent, endOf(row))));
    failing.push(...round.map((one) => ({ ...one, failures: [] })));
    const sent = round.map((one) => one.sent);
    // A claim that is refused is no failure of the node's.
    if (rows.every((row) => "state" in row && row.state === "offered")) await run.calm(sent);
    else healthy.push(...(await run.recover(sent)));
  }
  passing.push(...(await run.round(PASSING)));
  await eventually("a wrapped output key in a node's storage", openKey);
  places.push(...(await run.folders()));
  await Promise.all([...healthy, ...passing].map(({ result }) => result));
  await collect();
}, 480_000);

afterAll(() => run?.stop());

function endOf(row: FailingJob | LosingJob): { code: string } | { outcome: string } {
  return "code" in row ? { code: row.code } : { outcome: row.outcome };
}

async function openKey(): Promise<true | undefined> {
  const now = await Promise.all(run.rig.nodes.map((node) => unwrap(node, run.folderOf(node))));
  if (now.every(({ outputKeys }) => outputKeys.length === 0)) return undefined;
  unwrapped.push(...now);
  return true;
}

async function collect(): Promise<void> {
  const { rig, recorders } = run;
  const sent = [...healthy, ...failing.map((one) => one.sent), ...passing];
  const jobIds = await Promise.all(sent.map(({ jobId }) => jobId));
  for (const one of failing) one.failures.push(...(await failuresOf(await one.sent.jobId)));
  places.push(...(await plant(node(0))));
  misconfigured = await askMisconfigured(rig);
  places.push(...misconfigured.places);
  places.push(...(await Promise.all(rig.nodes.map((one) => walk(one, jobIds)))).flat());
  places.push(...(await run.folders()));
  // While the node runs: some of its files are gone when it stops.
  places.push(...(await plantedFolder(run.folderOf(node(0)), BY_HAND)), ...(await plantedAnswers(BY_HAND)));
  await Promise.all(rig.nodes.map((one) => one.process.stop()));
  places.push(...(await run.folders()));
  await plantTraffic(recorders, BY_HAND);
  places.push(...Object.values(recorders).flatMap((recorder) => recorder.places()));
  places.push(...errorPlaces(places));
  const output = outputKeySecrets(recorders.rpc);
  keys = output.keys;
  secrets.push(
    ...rig.nodes.flatMap(operatorSecrets),
    ...misconfigured.secrets,
    ...unwrapped.flatMap(({ permits }, at) => permits.flatMap((text) => permitSecrets(`node ${at + 1}`, text))),
    ...sent.flatMap((one) => one.secrets),
    ...(await promptKeySecrets(rig, jobIds)),
    ...output.secrets,
  );
  const plants = [
    { name: "plant", value: PLANT },
    { name: "plant by hand", value: BY_HAND },
  ];
  findings = search([...secrets, ...plants], places);
  const megabytes = Math.round(places.reduce((sum, { bytes }) => sum + bytes.length, 0) / 1e6);
  writeSync(1, `canary: ${secrets.length} secrets looked for in ${places.length} places, ${megabytes} MB\n`);
}

/** A reason that the operator gives is kept in the object, the history and the log, and shown: a leak made to order. */
async function plant(where: EdgeNode): Promise<Place[]> {
  await where.api("/api/pause", { method: "POST", body: { reason: PLANT } });
  const folder = run.folderOf(where);
  return eventually("the plant in the history", async () => {
    const now = await folderPlaces(where.process.name, folder);
    return search([{ name: "plant", value: PLANT }], now).some(({ place }) => D1_ROW.test(place)) ? now : undefined;
  });
}

/** The failures that the nodes show of a job. */
async function failuresOf(jobId: string): Promise<JobFailure[]> {
  const replies = await Promise.all(run.rig.nodes.map((one) => one.api(`/api/assignments/${jobId}`)));
  const jobs = replies.flatMap((reply) => (reply as { jobs?: { failure: JobFailure | null }[] }).jobs ?? []);
  return jobs.flatMap(({ failure }) => (failure === null ? [] : [failure]));
}

function node(index: number): EdgeNode {
  const found = run.rig.nodes[index];
  if (found === undefined) throw new Error(`no node ${index}`);
  return found;
}

const GUESS_STATUS = /\(guess \d+\)\/status$/;
const D1_ROW = /^row\/.*d1.*\/events$/;

describe("the jobs of the run", () => {
  it("succeed with every backend, and the user reads the very answer that is searched for", async () => {
    for (const { result, answer } of [...healthy, ...passing]) {
      expect(await result).toMatchObject({ status: "ACCEPTED", answer });
    }
  });

  it.each(FAILING.flat())("end for good where $name", async ({ name }) => {
    const one = failing.find(({ sent }) => sent.job.name === name);
    if (one === undefined) throw new Error("no such job");
    const { row, sent, failures } = one;
    if ("code" in row) expect(failures).toContainEqual(expect.objectContaining({ code: row.code, in: row.state }));
    else expect(await sent.result).toMatchObject({ status: row.outcome.toUpperCase() });
  });

  it.each(JOB_STATES.filter((state) => !PAST_FAILING.includes(state)))("fail in the state %s", (state) => {
    const seen = failing.flatMap(({ row, failures }) => ("code" in row ? failures.map((one) => one.in) : []));
    expect(seen).toContain(state);
  });

  it.each(EFFECTS.filter((effect) => NEVER_FINAL[effect] === undefined))("fail for good at the effect %s", (effect) => {
    const rows = failing.flatMap(({ row }) => ("code" in row && row.effect === effect ? [row] : []));
    expect(rows.length).toBeGreaterThan(0);
    for (const { code } of rows) expect(failedEffects()).toContainEqual([effect, code, "never"]);
  });

  it.each(EFFECTS.filter((effect) => NEVER_FINAL[effect] !== undefined))(
    "fail for a while at the effect %s",
    (effect) => {
      expect(PASSING.map((row) => row.effect)).toContain(effect);
    },
  );

  it("end as timed out where their leader failed", () => {
    const outcomes = run.rig.log.filter(({ line }) => line.event === "job.settled").map(({ line }) => line.outcome);
    expect(outcomes).toContain("timedout");
  });

  it.each(PASSING)("go on after a while in which $name", ({ effect, code }) => {
    expect(failedEffects()).toContainEqual([effect, code, "later"]);
  });
});

function failedEffects(): unknown[][] {
  const lines = run.rig.log.map(({ line }) => line).filter(({ event }) => event === "job.effect-failed");
  return lines.map(({ effect, code, retry }) => [effect, code, retry]);
}

describe("the secrets of the run", () => {
  const URLS = ["RPC key", "model server's key"];
  it("are all there: keys, tokens, permits, prompt keys, output keys, prompts and answers", () => {
    const names = new Set(secrets.map(({ name }) => name));
    const jobs = healthy.length + failing.length + passing.length;
    for (const part of ["private key", "storage key", "derived storage key", "permit", "sealing key", ...URLS]) {
      expect([1, 2, 3].filter((n) => names.has(`${part} of node ${n}`))).toEqual([1, 2, 3]);
    }
    for (const setting of ["BLF_ADMIN_TOKEN", "BLF_SPEND_TOKEN", "GROQ_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY"]) {
      expect(names).toContain(`${setting} of node 1`);
    }
    expect(names).toContain(`model server's key of ${misconfigured.name}`);
    expect(names).toContain(`prompt key ${jobs}, low half`);
    // A leader that could not claim made none.
    expect(keys.length).toBeGreaterThanOrEqual(jobs - 1);
  });

  it("lie wrapped in a node's storage while a job is open, and the key that opens there is one that is searched for", () => {
    const open = unwrapped.flatMap(({ outputKeys }) => outputKeys);
    const known = keys.map((key) => Buffer.from(key).toString("hex"));
    expect(open.length).toBeGreaterThan(0);
    for (const { key } of open) expect(known).toContain(Buffer.from(key).toString("hex"));
  });
});

describe("everything that is not the executor's memory", () => {
  it("holds none of them, but where the table of exceptions says so", () => {
    expect(unexcused(findings.filter(({ secret }) => !secret.startsWith("plant")))).toEqual([]);
  });

  it.each(EXCEPTIONS)("an exception is still met: $why", (exception) => {
    expect(findings.filter((finding) => covers(exception, finding)).length).toBeGreaterThan(0);
  });
});

describe("a leak that was planted", () => {
  const kinds: [string, RegExp][] = [
    ["an object's file", /^file\/.*\/do\/.*\.sqlite(-wal)?$/],
    ["an object's row", /^row\/.*\/do\/.*\/documents$/],
    ["the history's file", /^file\/.*\/d1\/.*\.sqlite(-wal)?$/],
    ["the history's row", D1_ROW],
    ["the log's file", /^file\/.*\.log$/],
    ["a log line", /^log\//],
    ["an answer of the API", /^http\/.*\/api\/status \(operator\)\/body$/],
    ["an error message", /^error\/log\//],
    ["an error message that the API shows", /^error\/http\//],
  ];
  it.each(kinds)("in %s is found", (_kind, place) => {
    expect(findings.filter((one) => one.secret === "plant" && place.test(one.place)).length).toBeGreaterThan(0);
  });

  it("is shown to nobody but the operator", () => {
    const shown = findings.filter(
      (one) => one.secret === "plant" && /\((stranger|impostor|guess \d+)\)/.test(one.place),
    );
    expect(shown).toEqual([]);
  });

  it("is asked for in vain by everybody else, who is shut out after too many guesses", () => {
    const statuses = (who: string) =>
      places
        .filter(({ name }) => name.startsWith("http/node ") && name.endsWith(`GET /api/status (${who})/status`))
        .map(({ bytes }) => Buffer.from(bytes).toString().slice(0, 3));
    expect(new Set(statuses("operator"))).toEqual(new Set(["200"]));
    expect(new Set(statuses("stranger"))).toEqual(new Set(["401"]));
    expect(new Set(statuses("impostor"))).toEqual(new Set(["401"]));
    for (const { process } of run.rig.nodes) {
      const guesses = places.filter(({ name }) => name.startsWith(`http/${process.name}/`) && GUESS_STATUS.test(name));
      const answers = new Set(guesses.map(({ bytes }) => Buffer.from(bytes).toString().slice(0, 3)));
      expect(answers).toEqual(new Set(["401", "429"]));
    }
  });

  it("would have failed the run", () => {
    expect(unexcused(findings).length).toBeGreaterThan(10);
  });
});

describe("what was searched", () => {
  it("has a planted leak in every kind of place, and each is found", () => {
    const leaked = new Set(
      findings.filter(({ secret }) => secret.startsWith("plant")).map(({ place }) => kindOf(place)),
    );
    const kinds = new Set(places.map(({ name }) => kindOf(name)));
    expect([...kinds].filter((kind) => !leaked.has(kind))).toEqual([]);
  });

  it.each([
    "file",
    "row",
    "log",
    "http",
    "error",
    "traffic/icl",
    "traffic/gateway",
    "traffic/pinata",
    "traffic/rpc",
    "traffic/payment",
  ])("holds places of the kind %s", (kind) =>
    expect(places.filter(({ name }) => name.startsWith(`${kind}/`)).length).toBeGreaterThan(3),
  );
});
