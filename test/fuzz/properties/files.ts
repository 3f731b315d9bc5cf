/** What an operator hands over: an environment, a guard file; and a job's row that another version or a bad disk left. */
import fc from "fast-check";
import { JOB_SCHEMA, type Job, newJob } from "../../../core/jobs/job.ts";
import { step } from "../../../core/jobs/machine.ts";
import { SAMPLE_MS, SAMPLE_NODE, sampleOffer } from "../../../core/jobs/sample-offer.ts";
import { readJob } from "../../../core/jobs/upgrade.ts";
import { readGuardFile, writeGuardFile } from "../../../core/node/guard-interchange.ts";
import { readSettings, SETTING_NAMES, settingsReport } from "../../../core/settings/settings.ts";
import { mutatedJson, mutatedText } from "../mutate.ts";
import { CANARY, must, property } from "../property.ts";

/** Nothing that may be repeated: a secret of the right form for most settings, and no word of ours. */
const SECRET = "5ecre7".padEnd(64, "abcdef0123456789");
const TEXTS = [
  SECRET,
  `0x${SECRET}`,
  `${SECRET},${SECRET}`,
  `https://rpc.test/v2/${SECRET}`,
  `sk-${SECRET}`,
  SAMPLE_NODE,
  "true",
  "0",
  "12",
  "421614",
  "31337",
  "edge",
  "leader,verifier",
  "groq:llama,mock:demo",
  "http://localhost:1",
  "",
  "<your-key>",
  "$HOME",
  "0-99,120",
  '"quoted"',
  "debug",
  "mock",
  "a b c d e f g h i j k l",
];
const PIECES = [
  ",",
  " ",
  '"',
  "\n",
  "0x",
  "https://",
  "…",
  "-",
  "9".repeat(20),
  "\u0000",
  "\ud800",
  "é",
  "[",
  "@",
  "?",
  "#",
];
const setting = fc.oneof(
  { weight: 8, arbitrary: mutatedText(TEXTS, PIECES) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(1, true, null, {}, [], Number.NaN) },
);
const environment = fc.dictionary(
  fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...SETTING_NAMES) },
    fc.string().map((name) => `BLF_${name}`),
  ),
  setting,
  { maxKeys: 14, size: "max" },
);

/** Hosts are shown; an edit may have made one of what was a path. */
function hostsHoldIt(env: Readonly<Record<string, unknown>>): boolean {
  const urls = Object.values(env)
    .flatMap((text) => String(text).split(/[\s,]+/))
    .map((url) => url.replace(/^"+|"+$/g, ""));
  return urls.some((url) => URL.parse(url)?.host.includes(SECRET.slice(0, 30)) === true);
}

const settings = property(
  "reads any environment: settings, or faults that say what to do and hold no secret",
  6_000,
  environment,
  (env) => {
    const result = readSettings(env);
    const sound = result.faults.every(({ severity }) => severity !== "fault");
    must((result.settings !== null) === sound, "there are settings exactly when nothing is at fault");
    const shown = JSON.stringify([
      settingsReport(result),
      result.faults,
      result.notes,
      result.entries,
      result.settings,
    ]);
    must(hostsHoldIt(env) || !shown.toLowerCase().includes(SECRET.slice(0, 30)), "no secret is shown");
    for (const { message, fix } of result.faults) must(message !== "" && fix !== "", "a fault says what to do");
  },
);

const COMMITMENT = {
  jobId: "job-1",
  role: "leader",
  commitment: "ab".repeat(32),
  outputCid: "bafk",
  at: SAMPLE_MS,
} as const;
const DATA = [
  { node: SAMPLE_NODE, commitments: [COMMITMENT, { ...COMMITMENT, jobId: "job-2", role: "verifier" as const }] },
];

const guardFiles = property(
  "takes a guard file whole or not at all",
  4_000,
  mutatedJson([writeGuardFile(DATA, SAMPLE_MS)]),
  (text) => {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      return;
    }
    const file = readGuardFile(json);
    if (!file.ok) {
      must(file.refusal !== "", "a refusal says why");
      return;
    }
    for (const { commitments } of file.value) {
      must(
        commitments.every(({ commitment }) => /^[0-9a-f]{64}$/.test(commitment)),
        "commitments are commitments",
      );
    }
    const again = readGuardFile(JSON.parse(JSON.stringify(writeGuardFile(file.value, SAMPLE_MS))));
    must(again.ok && JSON.stringify(again.value) === JSON.stringify(file.value), "what was taken can be handed on");
  },
);

function rows(): Job[] {
  const job = newJob(SAMPLE_NODE, sampleOffer("leader"), SAMPLE_MS);
  const claim = {
    type: "claimed",
    keyHandles: { high: "7", low: "9" },
    outputKey: "v1.k",
    sentAtMs: SAMPLE_MS,
  } as const;
  const claimed = step(job, claim, SAMPLE_MS).job;
  const failure = { code: "model", message: "no", hint: "yes", retry: "later", admitted: "no" } as const;
  return [job, claimed, step(claimed, { type: "effect-failed", effect: "execute", failure }, SAMPLE_MS).job];
}

/** As the first version saved a row. */
function inSchema1({ claimSentAtMs, offeredHandles: _unknownThen, ...rest }: Job): object {
  return { ...rest, schema: 1, claimSent: claimSentAtMs !== null };
}

const jobRows = property(
  "reads a job's row, or says that it cannot without a word of it",
  4_000,
  fc.oneof(
    { weight: 4, arbitrary: fc.tuple(fc.constant<number>(JOB_SCHEMA), mutatedJson(rows())) },
    { weight: 4, arbitrary: fc.tuple(fc.constant(1), mutatedJson(rows().map(inSchema1))) },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constantFrom(1, JOB_SCHEMA + 1, 0, -1, 1.5, Number.NaN), mutatedJson(rows())),
    },
  ),
  ([schema, text]) => {
    const read = readJob(schema, text);
    if (!read.ok) {
      must(!`${read.refusal.message}${read.refusal.hint}`.includes(CANARY), "a row is not repeated");
      return;
    }
    const again = readJob(read.value.schema, JSON.stringify(read.value));
    must(again.ok && JSON.stringify(again.value) === JSON.stringify(read.value), "a row that is read can be saved");
    // Whatever was read, the machine can take it on.
    step(read.value, { type: "tick" }, SAMPLE_MS);
  },
);

export const files = [settings, guardFiles, jobRows];
