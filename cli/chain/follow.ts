/** Follows an action's transactions to their end, and says what became of them. */
import * as z from "zod";
import { CliError } from "../errors.ts";
import { explorerLink } from "../format.ts";
import type { Io } from "../io.ts";

/** A transaction of an action, as far as following it takes. */
export interface LiveRow {
  purpose: string;
  state: string;
  hash: string | null;
  error: string | null;
  blocked: { code: string; message: string; hint: string } | null;
}

export const liveTransaction = z.looseObject({
  purpose: z.string(),
  state: z.string(),
  hash: z.string().nullable(),
  error: z.string().nullable(),
  blocked: z.object({ code: z.string(), message: z.string(), hint: z.string() }).nullable(),
}) satisfies z.ZodType<LiveRow>;

const LOOK_MS = 1_000;
/** Long enough for replacements at a stuck nonce; what is not over by then is not lost. */
const PATIENCE_MS = 10 * 60_000;
const OVER = ["confirmed", "reverted", "failed", "cancelled"];

/** @param wayOn what to do when it takes too long. Looks until every transaction is over; throws CliError otherwise. */
export async function followAction<T extends LiveRow>(
  io: Io,
  look: () => Promise<readonly T[]>,
  wayOn: string,
): Promise<readonly T[]> {
  return io.progress("Waiting for the chain", async (say) => {
    const untilMs = Date.now() + PATIENCE_MS;
    let said = "";
    for (;;) {
      const rows = await look();
      const current = rows.find(({ state }) => !OVER.includes(state));
      if (current === undefined) return rows;
      const now = describe(current);
      if (now !== said) say(now);
      said = now;
      if (Date.now() > untilMs) {
        throw new CliError(`Not over after ${PATIENCE_MS / 60_000} minutes: ${now}.`, {
          fix: [current.blocked?.hint, wayOn].filter((part) => part !== undefined).join(" "),
          exit: "unreachable",
        });
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  });
}

function describe({ purpose, state, hash, blocked }: LiveRow): string {
  const step = stepOf(purpose);
  if (blocked !== null) return `${step} waits: ${blocked.message}`;
  return hash === null ? `${step} is ${state}` : `${step} is sent (${hash})`;
}

/** Prints each transaction with its link. */
export function reportTransactions(io: Io, chainId: number, rows: readonly LiveRow[]): void {
  for (const { purpose, state, hash } of rows) {
    const color = state === "confirmed" ? "green" : "red";
    const where = hash === null ? "" : (explorerLink(chainId, "tx", hash) ?? hash);
    io.print(`${stepOf(purpose)}: ${io.paint(color, state)}  ${where}`);
  }
}

/** Throws CliError where one came to nothing. */
export function throwIfFruitless(rows: readonly LiveRow[]): void {
  const bad = rows.find(({ state }) => state !== "confirmed");
  if (bad === undefined) return;
  throw new CliError(`${stepOf(bad.purpose)} came to nothing (${bad.state}): ${bad.error ?? "no reason is known"}.`, {
    fix: "Nothing after it was sent. See the reason, then run the command again.",
  });
}

/** `action:ID:approve` is the step `approve`. */
function stepOf(purpose: string): string {
  return purpose.split(":").at(-1) ?? purpose;
}
