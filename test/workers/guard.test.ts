/** The commit guard's export and import, over HTTP as an operator uses it, and its promises over random histories. */
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  GUARD_ENTRIES_MAX,
  type GuardCommitment,
  type GuardFile,
  readGuardFile,
} from "../../core/node/guard-interchange.ts";
import { asAdmin, call, deployedWith, first, second, third } from "./client.ts";

const STRANGER = "0x0000000000000000000000000000000000000001";
const EVER = { fromMs: 0, toMs: 8.64e15 + 1 };

const HASH = { a: "aa".repeat(32), b: "bb".repeat(32), c: "cc".repeat(32) };
const entry = (jobId: string, commitment: string, at = 1_800_000_000_000): GuardCommitment => ({
  jobId,
  role: "verifier",
  commitment,
  outputCid: "bafk",
  at,
});
const dataOf = (...data: [node: string, ...commitments: GuardCommitment[]][]) =>
  JSON.stringify({
    metadata: { format: "blindference-commit-guard", version: 1 },
    data: data.map(([node, ...commitments]) => ({ node, commitments })),
  });
const put = (body: string, query = "") => call(`/api/guard${query}`, asAdmin({ method: "PUT", body }));
const get = async (query = "") => (await (await call(`/api/guard${query}`, asAdmin())).json()) as GuardFile;
const exported = async (node: string) => (await get(`?node=${node}`)).data[0]?.commitments ?? [];
const record = async (node: string, jobId: string, commitment: string) =>
  (await env.NODE.getByName(node).recordCommitment({ jobId, role: "leader", commitment, outputCid: "bafk" })).ok;

describe("the export", () => {
  it("is a file of all this deployment's nodes, or of the one that is named", async () => {
    await record(first, "exported", HASH.a);
    const answer = await call("/api/guard", asAdmin());
    expect(answer.headers.get("content-disposition")).toBe('attachment; filename="blindference-commit-guard.json"');
    expect(answer.headers.get("content-type")).toBe("application/json");
    const file = (await answer.json()) as GuardFile;
    expect(file.metadata).toEqual({
      format: "blindference-commit-guard",
      version: 1,
      exportedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    });
    expect(file.data.map(({ node }) => node)).toEqual([first, second, third]);
    const [only, ...more] = await exported(first);
    expect(only).toEqual({
      jobId: "exported",
      role: "leader",
      commitment: HASH.a,
      outputCid: "bafk",
      at: expect.any(Number),
    });
    expect(more).toEqual([]);
    expect((await get(`?node=${second.toLowerCase()}`)).data.map(({ node }) => node)).toEqual([second]);
  });

  it("can be had in parts, by the time of recording", async () => {
    const day = Date.parse("2026-02-01");
    await put(
      dataOf([first, entry("before", HASH.a, day - 1), entry("on", HASH.a, day), entry("after", HASH.a, day + 1)]),
    );
    const jobs = async (query: string) =>
      (await get(`?node=${first}&${query}`)).data[0]?.commitments.map(({ jobId }) => jobId);
    expect(await jobs("to=2026-02-01")).toEqual(["before"]);
    expect(await jobs("from=2026-02-01&to=2026-02-01T00:00:00.001Z")).toEqual(["on"]);
    expect(await jobs("from=2026-02-01T00:00:00.001Z&to=2026-02-02")).toEqual(["after"]);
  });

  it.each(["from=yesterday", "to=2026-13-01", "from=1", "to=", "from=';--"])("refuses %s", async (query) => {
    const answer = await call(`/api/guard?${query}`, asAdmin());
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({ error: expect.stringMatching(/^(from|to): must be a date/) });
  });

  it("is refused rather than cut off when it is more than one file holds", async () => {
    const many = (part: number) =>
      Array.from({ length: 13_000 }, (_, index) => entry(`${part}/${index}`, HASH.a, part));
    for (const part of [1, 2]) expect((await put(dataOf([third, ...many(part)]))).status).toBe(200);
    const whole = await call(`/api/guard?node=${third}`, asAdmin());
    expect(whole.status).toBe(422);
    expect(await whole.json()).toEqual({ error: expect.stringContaining("?from=") });
    const part = await call(`/api/guard?node=${third}&to=1970-01-01T00:00:00.002Z`, asAdmin());
    const text = await part.text();
    expect(text.length).toBeLessThan((8 * 1024 * 1024 * 13_000) / GUARD_ENTRIES_MAX);
    expect(readGuardFile(JSON.parse(text))).toMatchObject({ ok: true, value: [{ commitments: { length: 13_000 } }] });
  });

  it("is no empty file while a setting is at fault", async () => {
    const faulty = deployedWith({ BLF_PRIVATE_KEY: "not a key" });
    expect((await call("/api/guard", asAdmin(), faulty)).status).toBe(503);
    expect((await call("/api/guard", asAdmin({ method: "PUT", body: dataOf([first]) }), faulty)).status).toBe(503);
  });
});

describe("the import", () => {
  it("counts what is new and what is known, any number of times", async () => {
    const file = dataOf([second, entry("moved", HASH.a), entry("moved-too", HASH.b)]);
    const reply = async () => (await put(file)).json();
    expect(await reply()).toEqual({ nodes: [{ node: second, imported: 2, known: 0, conflicts: [] }] });
    const after = await exported(second);
    expect(await reply()).toEqual({ nodes: [{ node: second, imported: 0, known: 2, conflicts: [] }] });
    expect(await exported(second)).toEqual(after);
    expect(await record(second, "moved", HASH.a)).toBe(true);
    expect(await record(second, "moved", HASH.b)).toBe(false);
  });

  it("of another commitment keeps both, says so, takes the rest, and lets the job commit to nothing more", async () => {
    await record(first, "disputed", HASH.a);
    const file = dataOf([first, entry("disputed", HASH.b), entry("fresh", HASH.c)], [second, entry("other", HASH.c)]);
    const answer = await put(file);
    expect(answer.status).toBe(409);
    expect(await answer.json()).toEqual({
      nodes: [
        { node: first, imported: 1, known: 0, conflicts: ["disputed"] },
        { node: second, imported: 1, known: 0, conflicts: [] },
      ],
    });
    for (const hash of Object.values(HASH)) expect(await record(first, "disputed", hash)).toBe(false);
    const sides = (await exported(first))
      .filter(({ jobId }) => jobId === "disputed")
      .map(({ commitment }) => commitment);
    expect(sides.toSorted()).toEqual([HASH.a, HASH.b]);
  });

  it("goes on naming a dispute when it is repeated", async () => {
    const again = await put(dataOf([first, entry("disputed", HASH.a), entry("disputed", HASH.b)]));
    expect(again.status).toBe(409);
    expect(await again.json()).toEqual({ nodes: [{ node: first, imported: 0, known: 0, conflicts: ["disputed"] }] });
  });

  it("takes nothing of a file that is for other nodes as well, and names them", async () => {
    const answer = await put(dataOf([first, entry("half", HASH.a)], [STRANGER]));
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({ error: expect.stringContaining(STRANGER) });
    expect((await put(dataOf([first, entry("half", HASH.a)], [second]), `?node=${second}`)).status).toBe(400);
    expect((await put(dataOf([first, entry("half", HASH.a)]), `?node=${STRANGER}`)).status).toBe(404);
    expect((await exported(first)).some(({ jobId }) => jobId === "half")).toBe(false);
  });

  it("takes nothing of a file that is wrong in its last entry", async () => {
    expect((await put(dataOf([first, entry("half", HASH.a), entry("job", "AA".repeat(32))]))).status).toBe(400);
    expect((await exported(first)).some(({ jobId }) => jobId === "half")).toBe(false);
  });

  it.each(["", "[]", "not JSON", '{"metadata":{}}', '{"metadata":{"format":"blindference-commit-guard","version":2}}'])(
    "refuses %j",
    async (body) => {
      const answer = await put(body);
      expect(answer.status).toBe(400);
      expect(await answer.json()).toEqual({ error: expect.stringMatching(/^(the body|metadata)/) });
    },
  );

  it("reads more than any other route, and no more than 8 MiB", async () => {
    expect((await put(dataOf([second]) + " ".repeat(100_000))).status).toBe(200);
    expect((await put(dataOf([second]) + " ".repeat(8 * 1024 * 1024))).status).toBe(413);
  });
});

/** Guards of nodes that nobody else uses. */
let guards = 0;
const newGuard = () => env.NODE.getByName(`guard-of-its-own-${guards++}`);
type Guard = ReturnType<typeof newGuard>;

const JOBS = ["j1", "j2", "j3"];
const entries = fc.array(
  fc.record<GuardCommitment>(
    {
      jobId: fc.constantFrom(...JOBS),
      role: fc.constantFrom("leader", "verifier"),
      commitment: fc.constantFrom(HASH.a, HASH.b),
      outputCid: fc.constantFrom("bafkone", "bafktwo"),
      at: fc.integer({ min: 0, max: 5 }),
    },
    { noNullPrototype: true },
  ),
  { maxLength: 8 },
);
/** What a guard has lived through: commitments made here, and files taken in. */
const life = fc.array(
  fc.oneof(
    entries.map((made) => ({ made })),
    entries.map((taken) => ({ taken })),
  ),
  { maxLength: 4 },
);
type Step = { made: GuardCommitment[] } | { taken: GuardCommitment[] };

async function live(guard: Guard, steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    if ("taken" in step) await guard.importGuard(step.taken);
    else for (const { at: _at, ...made } of step.made) await guard.recordCommitment(made);
  }
}

/** What the guard would say to each commitment of each job. Asking records, so the guard is spent. */
async function answers(guard: Guard, fresh: string): Promise<string[]> {
  const accepted: string[] = [];
  for (const jobId of JOBS) {
    for (const commitment of [fresh, HASH.a, HASH.b]) {
      const { ok } = await guard.recordCommitment({ jobId, role: "leader", commitment, outputCid: "bafk" });
      if (ok) accepted.push(`${jobId} ${commitment}`);
    }
  }
  return accepted;
}

async function copyOf(guard: Guard): Promise<Guard> {
  const copy = newGuard();
  await copy.importGuard(await guard.exportGuard(EVER));
  return copy;
}

describe("over random histories", () => {
  const RUNS = { seed: 20_270_115, numRuns: 25 };

  it("what is exported and imported into an empty node is exported the same, and guards the same", async () => {
    await fc.assert(
      fc.asyncProperty(life, async (steps) => {
        const guard = newGuard();
        await live(guard, steps);
        const copy = await copyOf(guard);
        expect(await copy.exportGuard(EVER)).toEqual(await guard.exportGuard(EVER));
        for (const hash of [HASH.a, HASH.b]) {
          expect(await answers(await copyOf(copy), hash)).toEqual(await answers(await copyOf(guard), hash));
        }
        expect(await answers(copy, HASH.c)).toEqual(await answers(guard, HASH.c));
      }),
      RUNS,
    );
  });

  it("a second import of the same file changes nothing, and imports nothing", async () => {
    await fc.assert(
      fc.asyncProperty(life, entries, async (steps, file) => {
        const guard = newGuard();
        await live(guard, steps);
        const { conflicts } = await guard.importGuard(file);
        const before = await guard.exportGuard(EVER);
        const again = await guard.importGuard(file);
        expect(again.imported).toBe(0);
        expect(again.conflicts).toEqual(expect.arrayContaining(conflicts));
        expect(await guard.exportGuard(EVER)).toEqual(before);
      }),
      RUNS,
    );
  });

  it("an import turns no refusal into a yes", async () => {
    await fc.assert(
      fc.asyncProperty(life, entries, fc.constantFrom(...Object.values(HASH)), async (steps, file, fresh) => {
        const guard = newGuard();
        await live(guard, steps);
        const before = new Set(await answers(await copyOf(guard), fresh));
        const known = new Set((await guard.exportGuard(EVER)).map(({ jobId }) => jobId));
        await guard.importGuard(file);
        for (const accepted of await answers(guard, fresh)) {
          // A job of which nothing was known took whatever came first; of the others only what it took before.
          const [jobId = ""] = accepted.split(" ");
          if (known.has(jobId)) expect(before).toContain(accepted);
        }
      }),
      RUNS,
    );
  });

  it("the order in which two files come makes no difference to what is guarded", async () => {
    await fc.assert(
      fc.asyncProperty(entries, entries, async (one, other) => {
        const [there, back] = [newGuard(), newGuard()];
        for (const file of [one, other]) await there.importGuard(file);
        for (const file of [other, one]) await back.importGuard(file);
        expect(await answers(there, HASH.c)).toEqual(await answers(back, HASH.c));
      }),
      RUNS,
    );
  });
});
