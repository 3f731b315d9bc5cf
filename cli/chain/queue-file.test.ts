import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openQueueFile } from "./queue-file.ts";

let dir: string;
let path: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "blindference-edge-queue-"));
  path = join(dir, "transactions.sqlite");
});
afterEach(() => rm(dir, { recursive: true }));

it("is for its owner only, also what SQLite puts beside it", async () => {
  using file = openQueueFile(path);
  file.sql.exec("CREATE TABLE t (a INTEGER)");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

it("is one command's at a time: the second is refused until the first has ended", () => {
  {
    using first = openQueueFile(path);
    first.sql.exec("CREATE TABLE t (a INTEGER)");
    expect(() => openQueueFile(path)).toThrow(expect.objectContaining({ exit: "refused" }));
  }
  using second = openQueueFile(path);
  expect(second.sql.exec("SELECT count(*) AS n FROM t").toArray()).toEqual([{ n: 0 }]);
});

it("keeps what was written for the next command, with its values as they were", () => {
  {
    using file = openQueueFile(path);
    file.sql.exec("CREATE TABLE t (a INTEGER, b TEXT)");
    file.sql.exec("INSERT INTO t VALUES (?, ?)", 7, null);
  }
  using file = openQueueFile(path);
  expect(file.sql.exec("SELECT a, b FROM t").toArray()).toEqual([{ a: 7, b: null }]);
});

it("fails with the reason where there can be no such file", () => {
  expect(() => openQueueFile(join(dir, "no", "such", "folder.sqlite"))).toThrow(/unable to open/);
});
