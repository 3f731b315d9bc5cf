/** Deletes what the settings no longer keep, a bounded number of rows an hour, here and in D1. */
import { pruneHistory } from "../../../adapters/retention.ts";
import type { NodeContext } from "../context.ts";

/** A busy node writes some 700 rows an hour; D1's free plan allows 100,000 a day, and this is a quarter of it at most. */
const ROWS_AT_ONCE = 1_000;

export async function retentionDuty({ env, kit, forgetTransactions }: NodeContext): Promise<void> {
  const { historyDays } = kit.settings.retention;
  forgetTransactions(historyDays, ROWS_AT_ONCE);
  await pruneHistory(env.DB, kit.clock.now(), historyDays, ROWS_AT_ONCE);
}
