/**
 * The nonces of the requests that were taken, in SQLite, so that a restart forgets none: each is taken once. A nonce is
 * dropped when its request would be too old anyway, and nothing as old as what was dropped is taken again, so that a
 * clock set back opens nothing. Invariant: of any number of copies of a request, one is taken, whoever else has the file.
 */
import { DatabaseSync } from "node:sqlite";
import { SKEW_SEC } from "../../core/sidecar/protocol.ts";
import type { RequestIdentity } from "../../core/sidecar/request-signature.ts";

export interface NonceStore {
  /** Takes the request's nonce; `replayed` when it was taken before, `stale` when the store no longer reaches back so far. */
  take(request: RequestIdentity, nowMs: number): "taken" | "replayed" | "stale";
  close(): void;
}

/** A request is too old after `SKEW_SEC`; the rest is for a clock that is set back a little. */
const KEPT_SEC = 10 * SKEW_SEC;
const PRUNE_EVERY_SEC = 60;
/** For the other process at a restart, which has the file for a moment longer. */
const BUSY_MS = 5_000;

const SCHEMA = `
  create table if not exists nonces (
    key_id text not null,
    nonce text not null,
    created_sec integer not null,
    primary key (key_id, nonce)
  ) without rowid, strict;
  create index if not exists nonces_by_time on nonces (created_sec);
  create table if not exists pruned (one integer primary key check (one = 1), before_sec integer not null) strict;
  insert or ignore into pruned values (1, 0);
`;

/** @param path of the database file, or `:memory:` for a store that forgets */
export function openNonceStore(path: string): NonceStore {
  const db = new DatabaseSync(path, { timeout: BUSY_MS });
  // FULL: a nonce that was taken is on the disk before its request is answered.
  db.exec("pragma journal_mode = wal; pragma synchronous = full;");
  db.exec(SCHEMA);
  const add = db.prepare("insert or ignore into nonces (key_id, nonce, created_sec) values (?, ?, ?)");
  const drop = db.prepare("delete from nonces where created_sec < ?");
  const mark = db.prepare("update pruned set before_sec = max(before_sec, ?)");
  const pruned = db.prepare("select before_sec as beforeSec from pruned");
  let prunedSec = 0;

  const prune = (nowSec: number) => {
    if (nowSec - prunedSec < PRUNE_EVERY_SEC) return;
    prunedSec = nowSec;
    const beforeSec = nowSec - KEPT_SEC;
    // In this order: a crash in between refuses too much, never too little.
    mark.run(beforeSec);
    drop.run(beforeSec);
  };

  return {
    take({ keyId, nonce, createdSec }, nowMs) {
      prune(Math.floor(nowMs / 1000));
      if (createdSec < Number(pruned.get()?.beforeSec ?? 0)) return "stale";
      return Number(add.run(keyId, nonce, createdSec).changes) === 1 ? "taken" : "replayed";
    },
    close: () => db.close(),
  };
}
