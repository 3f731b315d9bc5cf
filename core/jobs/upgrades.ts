/**
 * The steps from one schema of a job's row to the next: the n-th takes a row of schema n and gives one of schema n + 1.
 * Append-only, because a row of any age may still be somewhere: whoever raises JOB_SCHEMA adds one step here. A step
 * works on plain JSON, keeps whatever it does not know, and never reaches for anything outside the row.
 */

/** A row as it was saved, before anything is known of its fields. */
export type RawJob = Readonly<Record<string, unknown>>;

export type Upgrade = (row: RawJob) => RawJob;

export const UPGRADES: readonly Upgrade[] = [
  // 2: when the claim was first sent, not only that it was; and the offer's own handles.
  ({ claimSent, ...row }) => ({
    ...row,
    claimSentAtMs: claimSent === true ? enteredMs(row, "offered") : claimSent === false ? null : undefined,
    offeredHandles: null,
  }),
];

/** When a row of any schema says that its job entered a state. */
function enteredMs(row: RawJob, state: string): unknown {
  const { times } = row;
  return typeof times === "object" && times !== null
    ? Object.entries(times).find(([name]) => name === state)?.[1]
    : undefined;
}
