/**
 * Every guard of the node, how it is taken out (a text in the sources and what replaces it), and where a test must fail
 * for it. `npm run test:guards-off` goes through the table; a guard that nobody misses is not guarded.
 */
export interface Guard {
  name: string;
  file: string;
  find: string;
  replace: string;
  project: "unit" | "workers" | "sim";
  tests: readonly string[];
}

const unit = (...tests: string[]) => ({ project: "unit", tests }) as const;
const sim = (...tests: string[]) => ({ project: "sim", tests }) as const;
const workers = (...tests: string[]) => ({ project: "workers", tests }) as const;

export const GUARDS: readonly Guard[] = [
  // One commitment, and nothing backwards.
  {
    name: "commit guard: a second, different commitment is refused",
    file: "workers/objects/node/commit-guard.ts",
    find: "if (row.commitment === entry.commitment) return ok(null);",
    replace: "return ok(null);",
    ...workers("test/workers/nodes.test.ts"),
  },
  {
    name: "commit guard: asked before anything is submitted",
    file: "core/jobs/effects.ts",
    find: "  if (!recorded.ok) {",
    replace: "  if (recorded.ok === null) {",
    ...unit("core/jobs"),
  },
  {
    name: "job machine: a final state never changes",
    file: "core/jobs/machine.ts",
    find: "const applied = isFinal(job) ? job : expire(apply(job, event, nowMs), nowMs);",
    replace: "const applied = expire(apply(job, event, nowMs), nowMs);",
    ...unit("core/jobs"),
  },
  {
    name: "job machine: an event that does not fit the state changes nothing",
    file: "core/jobs/machine.ts",
    find: 'if (job.state !== "claimed") return job;',
    replace: "",
    ...unit("core/jobs"),
  },
  {
    name: "job machine: handles of 0 are no key",
    file: "core/jobs/machine.ts",
    find: "if (BigInt(event.keyHandles.high) === 0n || BigInt(event.keyHandles.low) === 0n) {",
    replace: "if (BigInt(event.keyHandles.high) < 0n) {",
    ...unit("core/jobs"),
  },
  {
    name: "job machine: attempts are bounded",
    file: "core/jobs/machine.ts",
    find: "(attempts >= MAX_ATTEMPTS || notBeforeMs >= end)",
    replace: "(notBeforeMs >= end)",
    ...unit("core/jobs"),
  },
  {
    name: "job machine: a job past its deadline ends",
    file: "core/jobs/machine.ts",
    find: "if (end === null || nowMs < end) return job;",
    replace: "return job;",
    ...unit("core/jobs"),
  },
  {
    name: "driver: what belongs to a change is stored together with it",
    file: "core/jobs/driver.ts",
    find: "if (!store.save(next, job.version, alongside)) {",
    replace: "if (!store.save(next, job.version)) {",
    ...unit("core/jobs"),
  },
  {
    name: "claim: that it leaves is saved before it does",
    file: "core/jobs/effects.ts",
    find: "  ports.recordClaimSent();\n",
    replace: "",
    ...unit("core/jobs"),
  },
  // Transactions.
  {
    name: "transactions: one for each purpose",
    file: "core/chain/transaction-store.ts",
    find: "INSERT OR IGNORE INTO transactions",
    replace: "INSERT OR REPLACE INTO transactions",
    ...workers("test/workers/transactions.test.ts"),
  },
  {
    name: "transactions: only the saved bytes are ever broadcast",
    file: "core/chain/queue.ts",
    find: 'if (row.state === "signed") return this.#sender.follow(row);',
    replace:
      'if (row.state === "signed") this.#store.save({ ...row, state: "queued", raw: null, hash: null, nonce: null });',
    ...unit("devnet/chain/queue.test.ts"),
  },
  {
    name: "transactions: replacements are saved before they are sent",
    file: "core/chain/sender.ts",
    find: "this.#store.addAttempt(row, attempt);",
    replace: "",
    ...unit("devnet/chain/queue.test.ts"),
  },
  {
    name: "transactions: all the bytes of one purpose share a nonce",
    file: "core/chain/replacement.ts",
    find: "nonce: last.nonce, above: last",
    replace: "nonce: last.nonce + 1, above: last",
    ...unit("devnet/chain/queue.test.ts"),
  },
  {
    name: "transactions: looked for again after a reorganisation",
    file: "core/chain/queue.ts",
    find: "if (await this.#lookAgain()) await this.#drain();",
    replace: "",
    ...workers("test/workers/transactions.test.ts"),
  },
  {
    name: "signing policy: the settings' chain alone",
    file: "core/chain/signing-policy.ts",
    find: "return chainId === expected ? null",
    replace: "return expected > 0 ? null",
    ...unit("core/chain"),
  },
  {
    name: "signing policy: no fee above the cap",
    file: "core/chain/signing-policy.ts",
    find: "if (maxFeePerGas > cap) {",
    replace: "if (cap < 0n) {",
    ...unit("core/chain"),
  },
  {
    name: "API: the admin token does not spend",
    file: "workers/routes/auth.ts",
    find: 'if (c.get("maySpend") === true) return next();',
    replace: 'if (c.get("isAdmin") !== undefined) return next();',
    ...workers("test/workers/transactions-api.test.ts"),
  },
  // Before the claim.
  ...(
    [
      ["a hold stops claiming", "if (held !== undefined) return", "if (held === null) return"],
      ["draining takes nothing new", "if (capacity.draining) return", "if (capacity.draining === null) return"],
      [
        "only the roles of the settings",
        "if (!capacity.roles.includes(offer.role)) return",
        "if (!capacity.roles) return",
      ],
      [
        "only models it can run",
        "if (!capacity.servesModel(offer.modelId)) return",
        "if (!capacity.servesModel) return",
      ],
      ["enough time is left", "if (offer.deadline * 1000 - CLAIM_LEAD_MS <= nowMs)", "if (offer.deadline < 0)"],
      [
        "a CID that can be checked",
        "if (!parseCid(offer.promptCid).ok) return",
        "if (parseCid(offer.promptCid) === null) return",
      ],
      ["an output key can be made", "!capacity.canEncryptOutputKey)", "capacity.canEncryptOutputKey === null)"],
      ["a leader's transaction can be paid", "leading !== undefined)", "leading === null)"],
      ["no dependency is down", "if (broken !== null) return", "if (broken === undefined) return"],
      [
        "one at a time on probation",
        "if (capacity.onProbation && capacity.unfinishedJobs > 0)",
        "if (capacity.unfinishedJobs < 0)",
      ],
      ["a slot is free", "if (capacity.freeSlots <= 0) return", "if (capacity.freeSlots === null) return"],
    ] as const
  ).map(([what, find, replace]) => ({
    name: `admission: ${what}`,
    file: "core/node/admission.ts",
    find,
    replace,
    ...unit("core/node"),
  })),
  // The stake.
  {
    name: "slash guard: two failures in a row stop claiming",
    file: "core/node/failures.ts",
    find: "return inARow >= PAUSE_AT && inARow > count.accepted;",
    replace: "return false;",
    ...unit("core/node"),
  },
  {
    name: "slash guard: the chain's count wins where it is higher",
    file: "core/node/failures.ts",
    find: "return Math.max(count.inARow, chain.consecutiveFailures);",
    replace: "return count.inARow;",
    ...unit("core/node"),
  },
  {
    name: "slash guard: one at a time after a failure",
    file: "core/node/failures.ts",
    find: "return inARow > 0;",
    replace: "return false;",
    ...unit("core/node"),
  },
  {
    name: "slash guard: a repeated report counts once",
    file: "workers/objects/node/job-index.ts",
    find: "if (known === null || isFinalState(known.state)) return false;",
    replace: "if (known === null) return false; if (isFinalState(known.state)) return true;",
    ...sim("test/sim/guards.test.ts"),
  },
  {
    name: "breaker: three failures open it",
    file: "core/node/breakers.ts",
    find: 'breaker.state === "closed" && next.failures >= OPEN_AT',
    replace: 'breaker.state === "closed" && next.failures > 1e9',
    ...unit("core/node"),
  },
  {
    name: "breaker: half-open lets one job through at a time",
    file: "core/node/breakers.ts",
    find: '(state === "half-open" && busy(name))',
    replace: "false",
    ...unit("core/node"),
  },
  {
    name: "second copy: foreign heartbeats are noticed",
    file: "core/node/second-copy.ts",
    find: "secondCopy: next.foreign.length >= FOREIGN_AT",
    replace: "secondCopy: false",
    ...unit("core/node"),
  },
  {
    name: "hold: an expired certificate",
    file: "core/node/holds.ts",
    find: "certificateExpiresMs <= nowMs",
    replace: "certificateExpiresMs < 0",
    ...unit("core/node"),
  },
  {
    name: "hold: heartbeats failing",
    file: "core/node/holds.ts",
    find: "nowMs - heartbeatSinceMs > HEARTBEATS_FAILING_MS",
    replace: "nowMs < 0",
    ...unit("core/node"),
  },
  {
    name: "hold: no gas",
    file: "core/node/holds.ts",
    find: "gas.balanceWei < gas.neededWei",
    replace: "gas.balanceWei < 0n",
    ...unit("core/node"),
  },
  {
    name: "hold: a transaction that does not move",
    file: "core/node/holds.ts",
    find: "nowMs - waitingSinceMs > TRANSACTION_STUCK_MS",
    replace: "nowMs < 0",
    ...unit("core/node"),
  },
  // Secrets.
  {
    name: "vault: an envelope is bound to its row",
    file: "core/vault.ts",
    find: "JSON.stringify([VERSION, purpose, identity])",
    replace: "JSON.stringify([VERSION, purpose])",
    ...unit("core/vault.node.test.ts"),
  },
  {
    name: "Secret: not in strings",
    file: "core/secret.ts",
    find: "  toString(): string {\n    return REDACTED;",
    replace: "  toString(): string {\n    return this.#value;",
    ...unit("core/secret.node.test.ts"),
  },
  {
    name: "Secret: not in JSON",
    file: "core/secret.ts",
    find: "  toJSON(): string {\n    return REDACTED;",
    replace: "  toJSON(): string {\n    return this.#value;",
    ...unit("core/secret.node.test.ts"),
  },
  {
    name: "log: known secrets are blotted out",
    file: "core/log.ts",
    find: 'return (text) => text.replace(pattern, "[redacted]");',
    replace: "return (text) => (pattern ? text : text);",
    ...unit("core/log.test.ts"),
  },
  {
    name: "errors: a foreign message is never passed on",
    file: "core/errors.ts",
    find: 'const name = /^\\w{1,60}$/.test(given) ? given : "error";',
    replace: "const name = error instanceof Error ? error.message : String(error);",
    ...unit("core/errors.test.ts"),
  },
  // Content.
  {
    name: "IPFS: content that the CID does not prove is not taken",
    file: "core/ipfs/cid.ts",
    find: "return digest.length === expected.length && digest.every((byte, index) => byte === expected[index]);",
    replace: "return digest.length === expected.length;",
    ...unit("core/ipfs"),
  },
  {
    name: "IPFS: a CID that cannot be checked is refused",
    file: "core/ipfs/cid.ts",
    find: "if (DIGEST_BYTES.get(cid.multihash.code) !== cid.multihash.digest.length) {",
    replace: "if (cid.multihash.digest.length < 0) {",
    ...unit("core/ipfs"),
  },
  {
    name: "coordinator: handles are parsed without rounding",
    file: "core/icl/call.ts",
    find: "json = parseLossless(text);",
    replace: "json = JSON.parse(text);",
    ...unit("core/icl"),
  },
  {
    name: "coordinator: a notably different clock is corrected in signatures",
    file: "core/icl/call.ts",
    find: "(isNotableSkew(clockSkewMs) ? clockSkewMs : 0)",
    replace: "(isNotableSkew(clockSkewMs) ? 0 : 0)",
    ...unit("core/icl"),
  },
  {
    name: "verifier: the hash sent is the verifier's own",
    file: "core/jobs/effects.ts",
    find: 'commitment_hash: held(job.commitment, "commitment"),\n        verdict',
    replace: 'commitment_hash: job.leaderCommitment ?? "",\n        verdict',
    ...unit("core/jobs"),
  },
  {
    name: "settings: plain http to other than loopback is refused",
    file: "core/settings/rules-network.ts",
    find: 'if (url.startsWith("https:") || isLoopback(url)) continue;',
    replace: 'if (url.startsWith("http") || isLoopback(url)) continue;',
    ...unit("core/settings"),
  },
  // What wakes, what waits, what is kept.
  {
    name: "alarms: a lost one of the Node object is set again by the cron",
    file: "workers/objects/node.ts",
    find: "if (isAlarmLost(alarm, Date.now())) await this.#arm();",
    replace: "",
    ...sim("test/sim/guards.test.ts"),
  },
  {
    name: "alarms: a lost one of a job is set again by the Node object",
    file: "workers/objects/assignment.ts",
    find: "if (lost && !done) await",
    replace: "if (lost && done) await",
    ...sim("test/sim/guards.test.ts"),
  },
  {
    name: "second copy: a new deployment looks before it makes itself heard",
    file: "workers/objects/node/second-copy.ts",
    find: 'if (store.get("certificate") !== null || waitMs === 0) return true;',
    replace: "return waitMs >= 0;",
    ...sim("test/sim/guards.test.ts"),
  },
  {
    name: "clock: deadlines come in the coordinator's time",
    file: "workers/objects/node/duties/poll.ts",
    find: "offer.deadline - correctionSec",
    replace: "offer.deadline",
    ...sim("test/sim/odd-cases.test.ts"),
  },
  {
    name: "rows: one of a newer schema is left alone",
    file: "core/jobs/upgrade.ts",
    find: "if (schema > JOB_SCHEMA) return newer(schema, JOB_SCHEMA);",
    replace: "",
    ...unit("core/jobs/upgrade.test.ts"),
  },
  {
    name: "retention: a job that is not finished is never deleted",
    file: "workers/adapters/retention.ts",
    find: "updated_at < ?1 AND state IN ('settled', 'failed')",
    replace: "updated_at < ?1",
    ...workers("test/workers/retention.test.ts"),
  },
  {
    name: "failpoints: out of the release bundle",
    file: "wrangler.toml",
    find: '__FAILPOINTS__ = "false"',
    replace: '__FAILPOINTS__ = "true"',
    ...unit("test/unit/failpoints.test.ts"),
  },
  {
    name: "API: the token is compared",
    file: "workers/routes/auth.ts",
    find: "return crypto.subtle.timingSafeEqual(a, b);",
    replace: "return a.byteLength === b.byteLength;",
    ...workers("test/workers/settings.test.ts"),
  },
  {
    name: "guard import: a job with two commitments takes neither",
    file: "workers/objects/node/commit-guard.ts",
    find: "if (rivals.length > 0) return",
    replace: "if (rivals.length < 0) return",
    ...workers("test/workers/guard.test.ts"),
  },
  {
    name: "guard import: a file for other nodes is refused whole",
    file: "workers/routes/guard.ts",
    find: "if (foreign.length > 0)",
    replace: "if (foreign.length < 0)",
    ...workers("test/workers/guard.test.ts"),
  },
  {
    name: "API: who guesses tokens is shut out",
    file: "workers/routes/auth.ts",
    find: "if (limiter.isShutOut(c)) return",
    replace: "if (limiter === null) return",
    ...workers("test/workers/api-limits.test.ts"),
  },
  {
    name: "API: bodies are bounded",
    file: "workers/routes/body.ts",
    find: "if (length > maxBytes) {",
    replace: "if (length < 0) {",
    ...workers("test/workers/api-limits.test.ts"),
  },
  {
    name: "API: a stranger's 500 carries no detail",
    file: "workers/routes/app.ts",
    find: 'if (c.get("isAdmin") !== true)',
    replace: 'if (c.get("isAdmin") === null)',
    ...workers("test/workers/api.test.ts"),
  },
  {
    name: "RPC: answers are bounded",
    file: "core/chain/rpc.ts",
    find: "maxResponseBodySize: MAX_ANSWER_BYTES",
    replace: "maxResponseBodySize: 2 ** 30",
    ...unit("core/chain/rpc.test.ts"),
  },
  {
    name: "executor: a leader's output key is opened before the model is asked",
    file: "core/executor/edge-executor.ts",
    find: 'const outputKey = request.role === "leader" ? await openOutputKey(parts, request) : null;',
    replace: "const outputKey = null;",
    ...unit("core/executor/edge-executor.test.ts"),
  },
  {
    name: "failures: a word that was never taken clears no count",
    file: "core/node/failures.ts",
    find: 'return delivered ? "success" : "neutral";',
    replace: 'return "success";',
    ...unit("core/node/failures.test.ts"),
  },
  {
    name: "claim: a repeat that is refused goes on where the first may have been taken",
    file: "core/jobs/effects.ts",
    find: "if (job.claimSentAtMs === null) {",
    replace: "if (job.claimSentAtMs !== undefined) {",
    ...unit("core/jobs/effects.test.ts"),
  },
];
