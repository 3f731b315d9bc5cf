import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openMemoryState, openState, transaction } from "./state.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "sidecar-state-"));
});
afterEach(() => rm(dir, { recursive: true }));

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;
const permits = (folder: string) => {
  const state = openState(folder);
  const rows = state.db.prepare("select node from permits").all();
  state.close();
  return rows.map(({ node }) => node);
};

it("is a folder for its user alone, also where one was there before, open to others", async () => {
  openState(join(dir, "a", "new")).close();
  expect(await modeOf(join(dir, "a", "new"))).toBe(0o700);
  await mkdir(join(dir, "old"));
  await chmod(join(dir, "old"), 0o755);
  openState(join(dir, "old")).close();
  expect(await modeOf(join(dir, "old"))).toBe(0o700);
});

it("is one sidecar's, and the next one's after that", () => {
  const state = openState(dir);
  state.db.exec("insert into permits values ('n', 'w')");
  const other = expect(() => openState(dir));
  other.toThrow(
    expect.objectContaining({ code: "settings", message: expect.stringContaining("another sidecar uses") }),
  );
  expect(state.path("nonces.sqlite")).toBe(join(dir, "nonces.sqlite"));
  state.close();
  expect(permits(dir)).toEqual(["n"]);
});

it.each(["sidecar.sqlite", "lock.sqlite"])("whose %s is no database is refused as such, and not held", async (name) => {
  await writeFile(join(dir, name), "this is no database, but it is long enough to be taken for one".repeat(50));
  const unusable = expect.objectContaining({
    code: "settings",
    message: `the state folder ${dir} cannot be used (file is not a database)`,
    hint: expect.stringContaining("BLF_SIDECAR_STATE"),
  });
  expect(() => openState(dir)).toThrow(unusable);
  await rm(join(dir, name));
  expect(permits(dir)).toEqual([]);
});

it("that is a file is refused with the system's code", async () => {
  await writeFile(join(dir, "file"), "");
  expect(() => openState(join(dir, "file"))).toThrow(/cannot be used \(EEXIST\)/);
});

it("takes a change whole or not at all", () => {
  const { db } = openMemoryState();
  const put = (node: string) => db.prepare("insert into permits values (?, 'w')").run(node);
  const count = () => db.prepare("select count(*) as count from permits").get()?.count;
  expect(
    transaction(db, () => {
      put("a");
      return "given";
    }),
  ).toBe("given");
  const failing = () =>
    transaction(db, () => {
      put("b");
      throw new Error("half-way");
    });
  expect(failing).toThrow("half-way");
  expect(count()).toBe(1);
});
