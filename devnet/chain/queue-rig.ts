/**
 * The transaction queue on a real chain and real SQLite, as its tests take it: an account of its own, a clock whose sleeps
 * pass at once, and a process that may die at any moment.
 */
import { DatabaseSync } from "node:sqlite";
import { createPublicClient, createTestClient, custom, http, parseEther, publicActions } from "viem";
import { generatePrivateKey } from "viem/accounts";
import { createChainClient } from "../../core/chain/rpc.ts";
import { type GuardedSigner, guardSigner, type SigningPolicy } from "../../core/chain/signing-policy.ts";
import type { Sql } from "../../core/chain/sql.ts";
import type { Clock } from "../../core/ports.ts";
import { Secret } from "../../core/secret.ts";
import { localSigner } from "../../core/signer.ts";

export interface QuickClock extends Clock {
  pass(ms: number): void;
}

export function quickClock(): QuickClock {
  let nowMs = Date.now();
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { now: () => nowMs, sleep: async (ms) => pass(ms), pass };
}

export function sqlOf(database: DatabaseSync): Sql {
  return {
    exec(statement, ...bindings) {
      const rows = database.prepare(statement).all(...bindings);
      return { toArray: () => rows };
    },
  };
}

export const memorySql = (): Sql => sqlOf(new DatabaseSync(":memory:"));

export const testChain = (rpcUrl: string) =>
  createTestClient({ mode: "anvil", transport: http(rpcUrl), cacheTime: 0 }).extend(publicActions);

/** A new account behind the policy, with one ether. */
export async function fundedSigner(rpcUrl: string, policy: SigningPolicy): Promise<GuardedSigner> {
  const signer = guardSigner(localSigner(new Secret(generatePrivateKey())), policy);
  await testChain(rpcUrl).setBalance({ address: signer.address, value: parseEther("1") });
  return signer;
}

/** Ports of one process, which dies at its n-th touch of the world outside: from then on nothing answers. */
export function mortal(rpcUrl: string, chainId: number, sql: Sql, clock: Clock, diesAt: number) {
  let touches = 0;
  const live = () => {
    touches += 1;
    if (touches > diesAt) throw new Error("the process is gone");
  };
  const { chain, request } = createChainClient({ rpcUrls: [rpcUrl], chainId });
  const mortalRequest = async (question: Parameters<typeof request>[0]): Promise<unknown> => {
    live();
    const answer: unknown = await request(question);
    // The request arrived, and its answer is never read.
    live();
    return answer;
  };
  return {
    // Without retries: a dead process has no patience.
    client: createPublicClient({
      chain,
      transport: custom({ request: mortalRequest }, { retryCount: 0 }),
      cacheTime: 0,
    }),
    sql: {
      exec: (statement, ...bindings) => {
        live();
        return sql.exec(statement, ...bindings);
      },
    } satisfies Sql,
    clock,
    died: () => touches > diesAt,
  };
}
