/**
 * The Node object's durable state: its address, certificate, pause, permit and the last figures read from outside, as
 * one JSON document a key. Written only when something changed, because every row counts on Cloudflare's free plan.
 */
import type { NodeCertificate } from "../../../core/attestation/attest.ts";
import type { Breakers } from "../../../core/node/breakers.ts";
import type { FailureCount } from "../../../core/node/failures.ts";
import type { StandingHold } from "../../../core/node/holds.ts";

/** A hold that only the operator's resume ends. */
export interface StoredHold {
  reason: string;
  atMs: number;
}

/** What the last look at the chain showed; amounts in wei as decimal strings. */
export interface ChainView {
  atMs: number;
  registered: boolean;
  active: boolean;
  lastHeartbeatSec: number;
  ethWei: string;
  blindWei: string | null;
  /** Null where the RPC did not say. */
  gasPriceWei: string | null;
  stake: { staked: string; unbonding: string; consecutiveFailures: number; active: boolean } | null;
}

/** What the payment service last said. */
export interface EarningsView {
  atMs: number;
  totalBlind: number;
  jobsCount: number;
}

interface Documents {
  address: string;
  certificate: NodeCertificate;
  /** The models the certificate was asked for: the coordinator picks nodes by them. */
  attestedModels: string[];
  holds: Partial<Record<StandingHold, StoredHold>>;
  failures: FailureCount;
  breakers: Breakers;
  /** That no other copy of this node was seen when this deployment began. */
  alone: true;
  draining: boolean;
  permit: string;
  chain: ChainView;
  earnings: EarningsView;
  /** What was last said of each paid job that the payment service lists, so that only news is written. */
  paidJobs: [jobId: string, says: string][];
}

export class NodeStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec("CREATE TABLE IF NOT EXISTS documents (name TEXT PRIMARY KEY, json TEXT NOT NULL)");
  }

  get<K extends keyof Documents>(name: K): Documents[K] | null {
    const [row] = this.#sql.exec<{ json: string }>("SELECT json FROM documents WHERE name = ?", name).toArray();
    return row === undefined ? null : (JSON.parse(row.json) as Documents[K]);
  }

  set<K extends keyof Documents>(name: K, value: Documents[K]): void {
    this.#sql.exec(
      "INSERT INTO documents (name, json) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET json = excluded.json",
      name,
      JSON.stringify(value),
    );
  }

  clear(name: keyof Documents): void {
    this.#sql.exec("DELETE FROM documents WHERE name = ?", name);
  }
}
