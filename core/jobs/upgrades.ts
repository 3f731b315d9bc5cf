/**
 * The steps from one schema of a job's row to the next: the n-th takes a row of schema n and gives one of schema n + 1.
 * Append-only, because a row of any age may still be somewhere: whoever raises JOB_SCHEMA adds one step here. A step
 * works on plain JSON, keeps whatever it does not know, and never reaches for anything outside the row.
 */

/** A row as it was saved, before anything is known of its fields. */
export type RawJob = Readonly<Record<string, unknown>>;

export type Upgrade = (row: RawJob) => RawJob;

export const UPGRADES: readonly Upgrade[] = [];
