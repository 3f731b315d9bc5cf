import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type FakeNode, NODE, startFakeNode } from "../fake-node.ts";
import { inProcess } from "../in-process.ts";

let node: FakeNode;
let dir: string;
let path: string;
beforeEach(async () => {
  node = await startFakeNode();
  dir = await mkdtemp(join(tmpdir(), "blindference-edge-guard-"));
  path = join(dir, "guard.json");
});
afterEach(async () => {
  await node.close();
  await rm(dir, { recursive: true });
});

const FILE = {
  metadata: { format: "blindference-commit-guard", version: 1, exportedAt: "2026-01-02T00:00:00.000Z" },
  data: [{ node: NODE, commitments: [{ jobId: "0xjob", role: "leader", commitment: "ab", outputCid: null, at: 1 }] }],
};

it("exports to standard output, by the dates given, and nothing but the file is there", async () => {
  node.answer("GET /api/guard", { body: FILE });
  const { code, stdout } = await inProcess(["guard", "export", "--from", "2026-01-01", "--to", "2026-02-01"], node.env);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual(FILE);
  expect(node.asked[0]?.query).toEqual({ from: "2026-01-01", to: "2026-02-01" });
});

it("exports into a file that others cannot read, and never over one that is there without --force", async () => {
  node.answer("GET /api/guard", { body: FILE });
  expect(await inProcess(["guard", "export", "--out", path], node.env)).toMatchObject({ code: 0, stdout: "" });
  expect(JSON.parse(await readFile(path, "utf8"))).toEqual(FILE);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await writeFile(path, "mine");
  expect(await inProcess(["guard", "export", "--out", path], node.env)).toMatchObject({ code: 4 });
  expect(await readFile(path, "utf8")).toBe("mine");
  expect(await inProcess(["guard", "export", "--out", path, "--force"], node.env)).toMatchObject({ code: 0 });
  expect(JSON.parse(await readFile(path, "utf8"))).toEqual(FILE);
});

it("imports a file as it is, for the node that is named, and says what came of it", async () => {
  await writeFile(path, JSON.stringify(FILE));
  node.answer("PUT /api/guard", { body: { nodes: [{ node: NODE, imported: 1, known: 2, conflicts: [] }] } });
  const { code, stdout } = await inProcess(["guard", "import", path, "--node", NODE], node.env);
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${NODE}: 1 imported, 2 known\n` });
  expect(node.asked).toMatchObject([{ method: "PUT", query: { node: NODE }, body: FILE }]);
});

it("ends with 4 where the file contradicts what is on record, and still shows what was taken", async () => {
  await writeFile(path, JSON.stringify(FILE));
  const body = { nodes: [{ node: NODE, imported: 0, known: 0, conflicts: [{ jobId: "0xjob" }] }] };
  node.answer("PUT /api/guard", { status: 409, body });
  const { code, stdout, stderr } = await inProcess(["guard", "import", path, "--json"], node.env);
  expect({ code, said: JSON.parse(stdout) }).toEqual({ code: 4, said: body });
  expect(stderr).toMatch(/1 jobs have another commitment here/);
});

it.each([
  ["that is not there", null, /There is no file/],
  ["that is not JSON", "{", /is not JSON/],
])("asks no node about a file %s", async (_what, text, message) => {
  if (text !== null) await writeFile(path, text);
  const { code, stderr } = await inProcess(["guard", "import", path], node.env);
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
  expect(node.asked).toEqual([]);
});

it("passes on what the node says of a file that it refuses", async () => {
  await writeFile(path, "{}");
  node.answer("PUT /api/guard", { status: 400, body: { error: "metadata: it is missing" } });
  expect(await inProcess(["guard", "import", path], node.env)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("metadata: it is missing"),
  });
});
