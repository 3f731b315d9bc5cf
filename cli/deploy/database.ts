/**
 * The D1 database of the history. The one that the Worker is bound to already stays; else the one of the name, else a new
 * one. Its tables are the Worker's own business, at its first use.
 */
import * as z from "zod";
import { CliError } from "../errors.ts";
import { parseJson } from "../parse-json.ts";
import { refusal } from "./refusals.ts";
import type { Wrangler } from "./wrangler.ts";

export interface DatabaseChoice {
  name: string;
  /** Null where it has yet to be made. */
  id: string | null;
}

const database = z.object({ uuid: z.string(), name: z.string() });
const list = z.array(database);
export type Database = z.infer<typeof database>;

/** Throws CliError. */
export async function listDatabases(wrangler: Wrangler, accountId: string): Promise<readonly Database[]> {
  const said = await wrangler("d1", "list", "--json");
  const databases = list.safeParse(parseJson(said.stdout)).data;
  if (!said.ok || databases === undefined) throw refusal("Listing the D1 databases", said, accountId);
  return databases;
}

/** @param boundId the id of the running Worker's database, if there is one */
export function chooseDatabase(databases: readonly Database[], name: string, boundId: string | null): DatabaseChoice {
  const bound = databases.find(({ uuid }) => uuid === boundId);
  const found = bound ?? databases.find((database) => database.name === name);
  return { name: found?.name ?? name, id: found?.uuid ?? null };
}

/** @returns the new database's id */
export async function createDatabase(wrangler: Wrangler, name: string, accountId: string): Promise<string> {
  const said = await wrangler("d1", "create", name);
  if (!said.ok) throw refusal(`Creating the D1 database ${name}`, said, accountId);
  const id = /"?database_id"?\s*[:=]\s*"([0-9a-f-]{36})"/.exec(said.stdout)?.[1];
  if (id === undefined) {
    throw new CliError(`The D1 database ${name} was created, but wrangler did not say its id.`, {
      fix: "Run this again: it finds the database by its name.",
    });
  }
  return id;
}
