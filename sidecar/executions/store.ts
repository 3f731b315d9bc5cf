/**
 * The executions' rows, one a (node, job, role): the request as it came, and what came of it. A row holds handles, a CID, a
 * wrapped key, a digest and a sealed answer, and never anything else. Invariant: a row that is `done` stays as it is until
 * it is forgotten.
 */
import type { DatabaseSync } from "node:sqlite";
import type { ExecuteRequest } from "../../core/executor/executor.ts";
import { type ExecutionId, executeBody, type StartedExecution, startReply } from "../../core/sidecar/wire.ts";

export type RowState = StartedExecution["state"];

export interface ExecutionRow {
  id: ExecutionId;
  /** Of the request's content. */
  digest: string;
  /** As it came. */
  request: ExecuteRequest;
  /** Whether it waits for a slot is not here: that ends with the process. */
  reply: StartedExecution;
  /** When it was last started. */
  createdMs: number;
}

export interface ExecutionStore {
  get(id: ExecutionId): ExecutionRow | null;
  /** A row that begins, or begins anew. */
  begin(request: ExecuteRequest, digest: string, nowMs: number): void;
  /** How it ended. */
  end(id: ExecutionId, reply: Exclude<StartedExecution, { state: "running" }>, nowMs: number): void;
  /** As if it had never been started. */
  forget(id: ExecutionId): void;
  /** What a process before this one left running, the oldest first. */
  unfinished(): ExecutionRow[];
  /** Forgets what ended before, and the oldest beyond `rowsMax`. */
  prune(beforeMs: number, rowsMax: number): number;
  count(): Record<RowState, number>;
}

const RUNNING = { state: "running", queued: true } as const;
const KEY = "node = ? and job_id = ? and role = ?";
const COLUMNS = "node, job_id as jobId, role, digest, request, state, reply, created_ms as createdMs";

export function createExecutionStore(db: DatabaseSync): ExecutionStore {
  const get = db.prepare(`select ${COLUMNS} from executions where ${KEY}`);
  const begin = db.prepare(`
    insert into executions (node, job_id, role, digest, request, state, reply, created_ms, updated_ms)
    values (?, ?, ?, ?, ?, 'running', null, ?, ?)
    on conflict (node, job_id, role) do update set
      digest = excluded.digest, request = excluded.request, state = 'running', reply = null,
      created_ms = excluded.created_ms, updated_ms = excluded.updated_ms where state <> 'done'`);
  const end = db.prepare(
    `update executions set state = ?, reply = ?, updated_ms = ? where ${KEY} and state = 'running'`,
  );
  const forget = db.prepare(`delete from executions where ${KEY} and state <> 'done'`);
  const unfinished = db.prepare(
    `select ${COLUMNS} from executions where state = 'running' order by created_ms, job_id`,
  );
  const prune = db.prepare("delete from executions where state <> 'running' and updated_ms < ?");
  const cut = db.prepare(`
    delete from executions where rowid in (
      select rowid from executions where state <> 'running' order by updated_ms desc limit -1 offset ?)`);
  const count = db.prepare("select state, count(*) as count from executions group by state");
  const drop = db.prepare(`delete from executions where ${KEY}`);
  const key = ({ node, jobId, role }: ExecutionId) => [node, jobId, role] as const;

  /** Another version's row says nothing to this one: it is dropped, and its execution may be started again. */
  function readable(row: Record<string, unknown>): ExecutionRow | null {
    const found = rowOf(row);
    if (found === null) drop.run(String(row.node), String(row.jobId), String(row.role));
    return found;
  }

  return {
    get(id) {
      const row = get.get(...key(id));
      return row === undefined ? null : readable(row);
    },
    begin(request, digest, nowMs) {
      const text = JSON.stringify(executeBody.encode(request));
      begin.run(...key(request), digest, text, nowMs, nowMs);
    },
    end: (id, reply, nowMs) => void end.run(reply.state, JSON.stringify(startReply.encode(reply)), nowMs, ...key(id)),
    forget: (id) => void forget.run(...key(id)),
    unfinished: () => unfinished.all().flatMap((row) => readable(row) ?? []),
    prune: (beforeMs, rowsMax) => Number(prune.run(beforeMs).changes) + Number(cut.run(rowsMax).changes),
    count() {
      const counts: Record<RowState, number> = { running: 0, done: 0, failed: 0 };
      for (const row of count.all()) {
        if (row.state === "running" || row.state === "done" || row.state === "failed") {
          counts[row.state] = Number(row.count);
        }
      }
      return counts;
    },
  };
}

function rowOf(row: Record<string, unknown>): ExecutionRow | null {
  const request = executeBody.safeParse(parseJson(row.request));
  const reply =
    row.reply === null ? { success: true as const, data: RUNNING } : startReply.safeParse(parseJson(row.reply));
  if (!request.success || !reply.success) return null;
  const { node, jobId, role } = request.data;
  return {
    id: { node, jobId, role },
    digest: String(row.digest),
    request: request.data,
    reply: reply.data,
    createdMs: Number(row.createdMs),
  };
}

function parseJson(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return undefined;
  }
}
