import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { EFFECTS } from "../../core/jobs/job.ts";
import { buildWorker } from "../../scripts/build.ts";
import { POINTS } from "../chaos/points.ts";
import { scheduleOf } from "../chaos/schedule.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folders: string[] = [];
/** How the effects' template names the effect. */
const KIND = /^\$\{kind\}/;

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

/** The Worker as wrangler bundles it. */
async function bundle(failpoints: boolean): Promise<string> {
  const outdir = await mkdtemp(join(tmpdir(), "blindference-edge-bundle-"));
  folders.push(outdir);
  await buildWorker({ outdir, failpoints });
  return readFile(join(outdir, "index.js"), "utf8");
}

/** The names in the sources, with the effects' one template spelled out. */
async function namesInSources(): Promise<string[]> {
  const { stdout } = await promisify(execFile)(
    "grep",
    ["-rhoE", '(failpoint|#reached)\\([`"][^`"]+[`"]', "core", "workers"],
    {
      cwd: root,
    },
  );
  const names = stdout.match(/[`"][^`"]+[`"]/g)?.map((quoted) => quoted.slice(1, -1)) ?? [];
  return names.flatMap((name) => (KIND.test(name) ? EFFECTS.map((kind) => name.replace(KIND, kind)) : [name]));
}

function failpoints() {
  return POINTS.filter(({ reach }) => reach === "failpoint");
}

describe("failpoints", () => {
  it("are exactly those of the table", async () => {
    const inTable = failpoints().map(({ name }) => name);
    expect([...new Set(await namesInSources())].sort()).toEqual([...inTable].sort());
  });

  it("stand in the file that the table names", async () => {
    for (const { name, where } of failpoints()) {
      const text = await readFile(join(root, where), "utf8");
      const ending = name.slice(name.lastIndexOf("."));
      expect(text).toContain(where === "core/jobs/driver.ts" ? `\${kind}${ending}` : name);
    }
  });

  it("are not in the release bundle, and are in the chaos run's", { timeout: 60_000 }, async () => {
    // The effects' names come from one template: its endings stand for them.
    const literal = failpoints().filter(({ where }) => where !== "core/jobs/driver.ts");
    expect(literal.length).toBeGreaterThan(10);
    const release = await bundle(false);
    const chaos = await bundle(true);
    for (const { name } of literal) {
      expect(release).not.toContain(name);
      expect(chaos).toContain(name);
    }
    for (const text of [".unsaved", "BLF_FAILPOINT_URL"]) {
      expect(release).not.toContain(text);
      expect(chaos).toContain(text);
    }
  });
});

describe("the chaos run's schedule", () => {
  it("is the same for the same seed, and another for another", () => {
    expect(scheduleOf(7, 80, 3)).toEqual(scheduleOf(7, 80, 3));
    expect(scheduleOf(8, 80, 3)).not.toEqual(scheduleOf(7, 80, 3));
  });

  it("has every point once when there is room, and random moments for the rest", () => {
    const schedule = scheduleOf(1, 200, 3);
    const names = schedule.flatMap(({ point }) => (point === null ? [] : [point.name]));
    expect(names.toSorted()).toEqual(POINTS.map(({ name }) => name).toSorted());
    expect(schedule).toHaveLength(200);
  });

  it("of a short run has some of both", () => {
    const schedule = scheduleOf(1, 20, 3);
    expect(schedule.filter(({ point }) => point !== null)).toHaveLength(14);
    expect(schedule).toHaveLength(20);
  });
});
