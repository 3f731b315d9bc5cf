/**
 * What Cloudflare refused, for the operator: what happened, in the platform's words, and what to do. The numbers are the
 * API's; one that is not in the table is shown as it came.
 */
import { CliError, type CliErrorOptions } from "../errors.ts";
import type { WranglerResult } from "./wrangler.ts";

type Meaning = Required<Pick<CliErrorOptions, "fix" | "exit">>;

const PERMISSIONS = "Workers Scripts: Edit, D1: Edit, Account Settings: Read";

const BY_CODE: Readonly<Record<number, Meaning>> = {
  10000: {
    exit: "refused",
    fix: `Log in with \`npx wrangler login\`, or set CLOUDFLARE_API_TOKEN to a token with: ${PERMISSIONS}.`,
  },
  9109: { exit: "refused", fix: `Give the token the permissions: ${PERMISSIONS}.` },
  10027: {
    exit: "refused",
    fix: "The Worker is larger than this plan allows. Deploy an unchanged build, or take the Workers Paid plan.",
  },
};

/** @param doing what was tried, as the start of a sentence: `Uploading the Worker` */
export function refusal(doing: string, { reason, code }: WranglerResult, accountId?: string): CliError {
  if (/Not logged in|not authenticated/i.test(reason)) return notLoggedIn();
  const meaning = (code === null ? undefined : BY_CODE[code]) ?? bySound(reason, accountId);
  return new CliError(`${doing} failed: ${reason}`, meaning);
}

export function notLoggedIn(): CliError {
  return new CliError("You are not logged in to Cloudflare. Nothing was done.", {
    fix: "Run `npx wrangler login`, or set CLOUDFLARE_API_TOKEN (see docs/operate/deploy.md), then run this again.",
    exit: "refused",
  });
}

function bySound(reason: string, accountId = ""): CliErrorOptions {
  if (/register a workers\.dev subdomain/i.test(reason)) {
    return {
      exit: "refused",
      fix: `Choose a workers.dev subdomain at https://dash.cloudflare.com/${accountId}/workers/onboarding, once an account, then run this again.`,
    };
  }
  if (/fetch failed|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|network/i.test(reason)) {
    return { exit: "unreachable", fix: "Check the connection to api.cloudflare.com, then run this again." };
  }
  return { fix: "Run this again: it goes on from here. If it stays so, look at https://www.cloudflarestatus.com." };
}
