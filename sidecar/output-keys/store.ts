/**
 * Output keys in rows: one a (node, job), and a pool of keys that belong to no job yet. Every key is wrapped, and beside it
 * stand only ciphertext references. Invariant: a key leaves the pool in the same step in which a job gets it, so that no
 * two jobs ever share one, whenever the process ends.
 */
import type { DatabaseSync } from "node:sqlite";
import * as z from "zod";
import type { EncryptedOutputKey } from "../../core/executor/executor.ts";
import { encryptedInput } from "../../core/sidecar/fields.ts";
import { transaction } from "../state.ts";

export interface OutputKeyRow {
  /** Bound to the job, or to `poolId` where that is set. */
  wrapped: string;
  /** Set between leaving the pool and being wrapped anew. */
  poolId: string | null;
  encrypted: EncryptedOutputKey | null;
}

export interface PoolKey {
  poolId: string;
  wrapped: string;
  encrypted: EncryptedOutputKey;
}

export interface OutputKeyStore {
  get(node: string, jobId: string): OutputKeyRow | null;
  /** The job's key from now on, in place of any other. */
  put(node: string, jobId: string, wrapped: string, nowMs: number): void;
  /** Wrapped for the job now, no longer for the pool. */
  rewrapped(node: string, jobId: string, wrapped: string): void;
  /** Kept only while the job's key is still this one. */
  encrypted(node: string, jobId: string, wrapped: string, encrypted: EncryptedOutputKey): void;
  /** Hands a pool key to a job that has none; null where the pool is empty. */
  take(node: string, jobId: string, nowMs: number): OutputKeyRow | null;
  fill(node: string, key: PoolKey, nowMs: number): void;
  pooled(node: string): number;
  emptyPool(): void;
  prune(beforeMs: number): void;
}

const encryptedKey = z.object({ high: encryptedInput, low: encryptedInput });

export function createOutputKeyStore(db: DatabaseSync): OutputKeyStore {
  const get = db.prepare("select wrapped, pool_id as poolId, encrypted from output_keys where node = ? and job_id = ?");
  const put = db.prepare(
    `insert into output_keys (node, job_id, wrapped, pool_id, encrypted, created_ms) values (?, ?, ?, ?, ?, ?)
     on conflict (node, job_id) do update set
       wrapped = excluded.wrapped, pool_id = excluded.pool_id, encrypted = excluded.encrypted`,
  );
  const rewrap = db.prepare("update output_keys set wrapped = ?, pool_id = null where node = ? and job_id = ?");
  const encrypt = db.prepare("update output_keys set encrypted = ? where node = ? and job_id = ? and wrapped = ?");
  const oldest = db.prepare(
    "select pool_id as poolId, wrapped, encrypted from key_pool where node = ? order by created_ms limit 1",
  );
  const leave = db.prepare("delete from key_pool where pool_id = ?");
  const fill = db.prepare(
    "insert into key_pool (pool_id, node, wrapped, encrypted, created_ms) values (?, ?, ?, ?, ?)",
  );
  const pooled = db.prepare("select count(*) as count from key_pool where node = ?");
  const prune = db.prepare("delete from output_keys where created_ms < ?");

  return {
    get(node, jobId) {
      const row = get.get(node, jobId);
      return row === undefined ? null : rowOf(row);
    },
    put: (node, jobId, wrapped, nowMs) => void put.run(node, jobId, wrapped, null, null, nowMs),
    rewrapped: (node, jobId, wrapped) => void rewrap.run(wrapped, node, jobId),
    encrypted: (node, jobId, wrapped, key) => void encrypt.run(JSON.stringify(key), node, jobId, wrapped),
    take: (node, jobId, nowMs) =>
      transaction(db, () => {
        const row = oldest.get(node);
        if (row === undefined) return null;
        const poolId = String(row.poolId);
        leave.run(poolId);
        put.run(node, jobId, String(row.wrapped), poolId, String(row.encrypted), nowMs);
        return rowOf(row);
      }),
    fill: (node, { poolId, wrapped, encrypted }, nowMs) =>
      void fill.run(poolId, node, wrapped, JSON.stringify(encrypted), nowMs),
    pooled: (node) => Number(pooled.get(node)?.count ?? 0),
    emptyPool: () => db.exec("delete from key_pool"),
    prune: (beforeMs) => void prune.run(beforeMs),
  };
}

function rowOf(row: Record<string, unknown>): OutputKeyRow {
  return {
    wrapped: String(row.wrapped),
    poolId: typeof row.poolId === "string" ? row.poolId : null,
    encrypted: typeof row.encrypted === "string" ? encryptedKey.parse(JSON.parse(row.encrypted)) : null,
  };
}
