import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EdgeNode } from "../../devnet/edge-nodes.ts";
import { covers, EXCEPTIONS, unexcused } from "../canary/exceptions.ts";
import { type CanaryJob, FAILING, PASSING } from "../canary/jobs.ts";
import { errorPlaces, folderPlaces } from "../canary/places.ts";
import { type CanaryRun, outputKeySecrets, promptKeySecrets, type Sent, startRun, token } from "../canary/run.ts";
import { type Finding, type Place, type Secret, search } from "../canary/search.ts";
import { operatorSecrets, permitSecrets, type Unwrapped, unwrap } from "../canary/secrets.ts";
import { walk } from "../canary/walk.ts";
import { eventually } from "../eventually.ts";

const BACKEND_KINDS = ["groq", "gemini", "openai", "mock"] as const;
const HEALTHY = BACKEND_KINDS.map(
  (backend): CanaryJob => ({ name: `${backend} succeeds`, backend, faults: [], code: "" }),
);

/** Told to a node as the reason of a pause, and to a service in a request: it must be found wherever that is kept. */
const PLANT = `planted ${token()}`;

let run: CanaryRun;
const healthy: Sent[] = [];
const failing: { sent: Sent; code: string }[] = [];
const passing: Sent[] = [];
const unwrapped: Unwrapped[] = [];
const secrets: Secret[] = [];
let keys: Uint8Array[] = [];
const places: Place[] = [];
let findings: Finding[] = [];

beforeAll(async () => {
  run = await startRun();
  healthy.push(...(await run.round(HEALTHY)));
  await Promise.all(healthy.map(({ result }) => result));
  for (const jobs of FAILING) {
    const round = await run.round(jobs);
    await Promise.all(round.map((sent, at) => run.untilCode(sent, "job.failed", jobs[at]?.code ?? "")));
    failing.push(...round.map((sent, at) => ({ sent, code: jobs[at]?.code ?? "" })));
    // A claim that is refused is no failure of the node's.
    if (jobs.every(({ code }) => code === "claim-refused")) await run.calm(round);
    else healthy.push(...(await run.recover(round)));
  }
  passing.push(...(await run.round(PASSING)));
  await eventually("a wrapped output key in a node's storage", openKey);
  places.push(...(await run.folders()));
  await Promise.all([...healthy, ...passing].map(({ result }) => result));
  await collect();
}, 300_000);

afterAll(() => run?.stop());

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
  places.push(...(await plant(node(0))));
  places.push(...(await Promise.all(rig.nodes.map((one) => walk(one, jobIds)))).flat());
  places.push(...(await run.folders()));
  await Promise.all(rig.nodes.map((one) => one.process.stop()));
  places.push(...(await run.folders()));
  places.push(...Object.values(recorders).flatMap((recorder) => recorder.places()));
  places.push(...errorPlaces(places));
  const output = outputKeySecrets(recorders.rpc);
  keys = output.keys;
  secrets.push(
    ...rig.nodes.flatMap(operatorSecrets),
    ...unwrapped.flatMap(({ permits }, at) => permits.flatMap((text) => permitSecrets(`node ${at + 1}`, text))),
    ...sent.flatMap((one) => one.secrets),
    ...(await promptKeySecrets(rig, jobIds)),
    ...output.secrets,
  );
  findings = search([...secrets, { name: "plant", value: PLANT }], places);
}

/** A reason that the operator gives is kept in the object, the history and the log, and shown: a leak made to order. */
async function plant(where: EdgeNode): Promise<Place[]> {
  await where.api("/api/pause", { method: "POST", body: { reason: PLANT } });
  const folder = run.folderOf(where);
  const kept = await eventually("the plant in the history", async () => {
    const now = await folderPlaces(where.process.name, folder);
    return search([{ name: "plant", value: PLANT }], now).some(({ place }) => D1_ROW.test(place)) ? now : undefined;
  });
  await fetch(`${run.recorders.icl.url}/health?${encodeURIComponent(PLANT)}`, {
    method: "POST",
    headers: { "x-plant": Buffer.from(PLANT).toString("base64url") },
    body: Buffer.from(PLANT).toString("hex"),
  });
  return kept;
}

function node(index: number): EdgeNode {
  const found = run.rig.nodes[index];
  if (found === undefined) throw new Error(`no node ${index}`);
  return found;
}

const D1_ROW = /^row\/.*d1.*\/events$/;

describe("the jobs of the run", () => {
  it("succeed with every backend, and the user reads the very answer that is searched for", async () => {
    for (const { result, answer } of [...healthy, ...passing]) {
      expect(await result).toMatchObject({ status: "ACCEPTED", answer });
    }
  });

  it("fail at every step that can fail for good", () => {
    expect(failing.map(({ sent, code }) => [sent.job.name, code])).toEqual(
      FAILING.flat().map(({ name, code }) => [name, code]),
    );
  });

  it("end as timed out where their leader failed", () => {
    const outcomes = run.rig.log.filter(({ line }) => line.event === "job.settled").map(({ line }) => line.outcome);
    expect(outcomes).toContain("timedout");
  });

  it.each(PASSING)("go on after a while in which $name", ({ code }) => {
    const codes = run.rig.log.filter(({ line }) => line.event === "job.effect-failed").map(({ line }) => line.code);
    expect(codes).toContain(code);
  });
});

describe("the secrets of the run", () => {
  it("are all there: keys, tokens, permits, prompt keys, output keys, prompts and answers", () => {
    const names = new Set(secrets.map(({ name }) => name));
    const jobs = healthy.length + failing.length + passing.length;
    for (const part of ["private key", "storage key", "derived storage key", "RPC key", "permit", "sealing key"]) {
      expect([1, 2, 3].filter((n) => names.has(`${part} of node ${n}`))).toEqual([1, 2, 3]);
    }
    for (const setting of ["BLF_ADMIN_TOKEN", "BLF_SPEND_TOKEN", "GROQ_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY"]) {
      expect(names).toContain(`${setting} of node 1`);
    }
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
    expect(unexcused(findings.filter(({ secret }) => secret !== "plant"))).toEqual([]);
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
    ["a request's line", /^traffic\/icl\/.*\/request\/line$/],
    ["a request's header", /^traffic\/icl\/.*\/request\/header\/x-plant$/],
    ["a request's body", /^traffic\/icl\/.*\/request\/body$/],
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
        .filter(({ name }) => name.endsWith(`GET /api/status (${who})/status`))
        .map(({ bytes }) => Buffer.from(bytes).toString().slice(0, 3));
    expect(new Set(statuses("operator"))).toEqual(new Set(["200"]));
    expect(new Set(statuses("stranger"))).toEqual(new Set(["401"]));
    expect(new Set(statuses("impostor"))).toEqual(new Set(["401"]));
    expect(new Set(statuses("guess 25"))).toEqual(new Set(["429"]));
  });

  it("would have failed the run", () => {
    expect(unexcused(findings).length).toBeGreaterThan(10);
  });
});

describe("what was searched", () => {
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
