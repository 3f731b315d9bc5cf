/** Whose account a deployment goes to. Refuses to guess where a login reaches several. */
import * as z from "zod";
import { usageError } from "../errors.ts";
import { parseJson } from "../parse-json.ts";
import { notLoggedIn, refusal } from "./refusals.ts";
import type { Wrangler } from "./wrangler.ts";

export interface CloudflareAccount {
  id: string;
  name: string;
}

const answer = z.object({
  loggedIn: z.boolean(),
  accounts: z.array(z.object({ id: z.string(), name: z.string() })).default([]),
});

/** @param wanted an account's id or name. Throws CliError: not logged in, none or several accounts */
export async function chooseAccount(wrangler: Wrangler, wanted: string | undefined): Promise<CloudflareAccount> {
  const said = await wrangler("whoami", "--json");
  const parsed = answer.safeParse(parseJson(said.stdout));
  if (parsed.data?.loggedIn === false) throw notLoggedIn();
  if (!said.ok || !parsed.success) throw refusal("Asking Cloudflare who you are", said);
  const { accounts } = parsed.data;
  const list = accounts.map(({ id, name }) => `${name} (${id})`).join(", ");
  const [only] = accounts;
  if (wanted !== undefined) {
    const found = accounts.find(({ id, name }) => id === wanted || name === wanted);
    if (found !== undefined) return found;
    throw usageError(`Your login does not reach the account ${wanted}.`, `It reaches: ${list || "none"}.`);
  }
  if (only === undefined) throw usageError("Your login reaches no account.", "Give the token an account to work in.");
  if (accounts.length === 1) return only;
  throw usageError("Your login reaches several accounts.", `Choose one with --account: ${list}.`);
}
