/**
 * Leaks made to order, one in each kind of place that a run searches: in a copy of a node's folder, in answers of a
 * server that stands in for a node, and in what passes a recorder. They are collected by the very code that collects the
 * run's own places.
 */
import { appendFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { DatabaseSync } from "node:sqlite";
import { folderPlaces } from "./places.ts";
import type { Recorders } from "./reach.ts";
import type { Place } from "./search.ts";
import { withSnapshot } from "./snapshot.ts";
import { walk } from "./walk.ts";

/** Every table of every database in a copy of the folder holds the plant, and every file ends in it. */
export function plantedFolder(folder: string, plant: string): Promise<Place[]> {
  return withSnapshot(folder, async (copy, files) => {
    const databases = files.filter((path) => path.endsWith(".sqlite"));
    for (const database of databases) plantInTables(database, plant);
    const line = `${JSON.stringify({ level: "error", reason: plant })}\n`;
    // A database that is open has two files at its side.
    const sides = databases.flatMap((database) => [`${database}-wal`, `${database}-shm`]);
    for (const file of new Set([...files, ...sides])) await appendFile(file, line);
    return folderPlaces("planted", copy);
  });
}

/** The answers of a server that says the plant in its status, a header and an error message. */
export async function plantedAnswers(plant: string): Promise<Place[]> {
  const server = await startLeak(plant);
  try {
    return await walk({ process: { name: "planted", url: server.url }, adminToken: "x".repeat(32) }, []);
  } finally {
    await server.close();
  }
}

/** Sends one request that holds the plant through each recorder, which leads to nowhere else from now on. */
export async function plantTraffic(recorders: Recorders, plant: string): Promise<void> {
  const server = await startLeak(plant);
  try {
    for (const recorder of Object.values(recorders)) {
      recorder.forwardTo(server.url);
      await fetch(`${recorder.url}/planted/${encodeURIComponent(plant)}`, {
        method: "POST",
        headers: { "x-plant": Buffer.from(plant).toString("base64url") },
        body: Buffer.from(plant).toString("hex"),
      });
    }
  } finally {
    await server.close();
  }
}

/** What a table holds is of no matter here: one that holds the plant takes its place. */
function plantInTables(path: string, plant: string): void {
  const database = new DatabaseSync(path);
  try {
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    for (const { name } of tables) {
      const table = `"${String(name)}"`;
      if (name === "sqlite_sequence") database.prepare(`INSERT INTO ${table} VALUES (?, 1)`).run(plant);
      else {
        database.exec(`DROP TABLE ${table}; CREATE TABLE ${table} (planted TEXT)`);
        database.prepare(`INSERT INTO ${table} VALUES (?)`).run(plant);
      }
    }
  } finally {
    database.close();
  }
}

async function startLeak(plant: string): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      response.writeHead(500, plant, { "x-plant": plant });
      response.end(JSON.stringify({ error: plant }));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
