import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { createWalletClient, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { approveCall, heartbeatCall } from "../../core/chain/calls.ts";
import { TransactionQueue, type TransactionRow } from "../../core/chain/queue.ts";
import { type ChainClient, createChainClient } from "../../core/chain/rpc.ts";
import { type GuardedSigner, guardSigner } from "../../core/chain/signing-policy.ts";
import { nextNonce } from "../../core/chain/transaction.ts";
import { type Clock, systemClock } from "../../core/ports.ts";

const rig = inject("rigUrl");
/** An account of its own, so that no node shares its nonces; it holds devnet ETH only. */
const SENDER = privateKeyToAccount("0x47c99abed3324a2707c28affff1267e45918ec8c3f20b65aa6c6d7f8e5a5f0a5");

let client: ChainClient;
let rpcUrl: string;
let token: `0x${string}`;
let registry: `0x${string}`;
let staking: `0x${string}`;
let signer: GuardedSigner;
let changes: TransactionRow[];

beforeAll(async () => {
  const settings = (await (await fetch(`${rig}/settings`)).json()) as Record<string, string>;
  rpcUrl = settings.BLF_RPC_URL ?? "";
  token = settings.BLF_TOKEN_ADDRESS as `0x${string}`;
  registry = settings.BLF_NODE_REGISTRY_ADDRESS as `0x${string}`;
  staking = settings.BLF_STAKING_ADDRESS as `0x${string}`;
  const contracts = { token, staking, nodeRegistry: registry };
  signer = guardSigner(SENDER, { chainId: 31337, contracts, maxFeePerGasWei: 10n ** 10n });
  client = createChainClient({ rpcUrls: [rpcUrl], chainId: 31337, fetch: chainFetch });
  await client.request({
    method: "anvil_setBalance" as never,
    params: [SENDER.address, "0x56bc75e2d63100000"] as never,
  });
});

beforeEach(() => {
  changes = [];
  losing = 0;
  sent.splice(0);
});

/** A queue on an object's own SQLite, as after each start of the object. */
function withQueue<T>(
  name: string,
  work: (queue: TransactionQueue) => Promise<T>,
  clock: Clock = systemClock,
): Promise<T> {
  return runInDurableObject(env.NODE.getByName(name), (_object, state) =>
    work(
      new TransactionQueue(state.storage.sql, {
        client,
        signer,
        clock,
        log: () => undefined,
        onChange: (row) => changes.push(row),
      }),
    ),
  );
}

/** Questions about receipts that the chain still answers as if it had lost the transaction. */
let losing = 0;
/** What was broadcast. */
const sent: string[] = [];

interface Question {
  id: number;
  method: string;
  params: string[];
}

const chainFetch: typeof fetch = async (input, init) => {
  const { id, method, params } = JSON.parse(typeof init?.body === "string" ? init.body : "") as Question;
  if (method === "eth_sendRawTransaction") sent.push(params[0] ?? "");
  if (method === "eth_getTransactionReceipt" && losing > 0) {
    losing -= 1;
    return Response.json({ jsonrpc: "2.0", id, result: null });
  }
  return fetch(input, init);
};

/** A clock whose sleeps pass at once. */
function quickClock(): Clock & { pass(ms: number): void } {
  let nowMs = Date.now();
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { now: () => nowMs, sleep: async (ms) => pass(ms), pass };
}

/** Harmless, and it always succeeds. */
const call = (purpose: string) => approveCall(token, purpose, staking, 1n);

describe("an account's transactions", () => {
  it("are one for each purpose, however often and by whomever they are asked for", async () => {
    const before = await nextNonce(client, SENDER.address);
    for (let start = 0; start < 3; start++) {
      await withQueue("tx-once", async (queue) => {
        queue.enqueue(call("once"), null);
        await Promise.all([queue.run(), queue.run()]);
      });
    }
    const row = await withQueue("tx-once", async (queue) => {
      // Asked for with other content, it is still the first.
      queue.enqueue(approveCall(token, "once", staking, 2n), null);
      return queue.get("once");
    });
    expect(row).toMatchObject({ state: "confirmed", nonce: before });
    expect(await nextNonce(client, SENDER.address)).toBe(before + 1);
  });

  it("go out one after another, each confirmed before the next is signed", async () => {
    await withQueue("tx-order", async (queue) => {
      for (const purpose of ["a", "b", "c"]) queue.enqueue(call(purpose), null);
      await queue.run();
    });
    expect(changes.map(({ purpose, state }) => `${purpose} ${state}`)).toEqual([
      "a signed",
      "a confirmed",
      "b signed",
      "b confirmed",
      "c signed",
      "c confirmed",
    ]);
  });

  it("are found again after a crash between sending and the receipt, instead of being sent anew", async () => {
    const before = await nextNonce(client, SENDER.address);
    // Dies at the first wait, which is after the broadcast.
    const dying: Clock = { now: systemClock.now, sleep: () => Promise.reject(new Error("killed")) };
    await withQueue(
      "tx-crash",
      async (queue) => {
        queue.enqueue(call("crash"), null);
        await queue.run();
      },
      dying,
    );
    const signed = changes.find(({ state }) => state === "signed");
    await withQueue("tx-crash", (queue) => queue.run());
    const row = await withQueue("tx-crash", async (queue) => queue.get("crash"));
    expect(row).toMatchObject({ state: "confirmed", hash: signed?.hash, nonce: before });
    expect(await nextNonce(client, SENDER.address)).toBe(before + 1);
  });

  it("are signed anew only when another sender really took the nonce", async () => {
    await withQueue("tx-taken", async (queue) => {
      queue.enqueue(call("taken"), null);
      const nonce = await nextNonce(client, SENDER.address);
      // Somebody else with the same key, between our signature and our broadcast.
      const other = createWalletClient({ account: SENDER, chain: client.chain, transport: http(rpcUrl) });
      const original = client.request;
      let stolen = false;
      const thief: typeof client.request = async (args, options) => {
        if (args.method === "eth_sendRawTransaction" && !stolen) {
          stolen = true;
          await other.sendTransaction({ to: SENDER.address, value: 1n, nonce });
        }
        return original(args as never, options);
      };
      Object.assign(client, { request: thief });
      try {
        await queue.run();
      } finally {
        Object.assign(client, { request: original });
      }
      expect(queue.get("taken")).toMatchObject({ state: "confirmed", nonce: nonce + 1 });
    });
  });

  it("are looked for again later, and their same bytes go out again when the chain has lost them", async () => {
    const before = await nextNonce(client, SENDER.address);
    const clock = quickClock();
    await withQueue(
      "tx-reorganised",
      async (queue) => {
        queue.enqueue(call("reorganised"), null);
        await queue.run();
        const first = queue.get("reorganised");
        clock.pass(31_000);
        losing = 2;
        await queue.run();
        expect(queue.get("reorganised")).toMatchObject({ state: "confirmed", hash: first?.hash, nonce: before });
      },
      clock,
    );
    expect(changes.map(({ state }) => state)).toEqual(["signed", "confirmed", "signed", "confirmed"]);
    expect(sent).toHaveLength(2);
    expect(new Set(sent).size).toBe(1);
    expect(await nextNonce(client, SENDER.address)).toBe(before + 1);
  });

  it("are left alone once they were found again twice", async () => {
    const clock = quickClock();
    await withQueue(
      "tx-settled",
      async (queue) => {
        queue.enqueue(call("settled"), null);
        await queue.run();
        for (const afterMs of [31_000, 181_000]) {
          clock.pass(afterMs);
          await queue.run();
        }
        clock.pass(3_600_000);
        losing = 1;
        await queue.run();
        expect(losing).toBe(1);
        expect(queue.get("settled")).toMatchObject({ state: "confirmed" });
      },
      clock,
    );
  });

  it("that came to nothing keep their purpose, until it is given another chance after a while", async () => {
    const clock = quickClock();
    await withQueue(
      "tx-another-chance",
      async (queue) => {
        queue.enqueue(heartbeatCall(registry, 1), null);
        await queue.run();
        queue.retryFailed("heartbeat:1", 60_000);
        expect(queue.get("heartbeat:1")).toMatchObject({ state: "failed" });
        clock.pass(60_001);
        queue.retryFailed("heartbeat:1", 60_000);
        expect(queue.get("heartbeat:1")).toBeNull();
        queue.enqueue(call("kept"), null);
        await queue.run();
        clock.pass(60_001);
        queue.retryFailed("kept", 60_000);
        expect(queue.get("kept")).toMatchObject({ state: "confirmed" });
      },
      clock,
    );
  });

  it("that would revert are not sent, and say why", async () => {
    const before = await nextNonce(client, SENDER.address);
    await withQueue("tx-revert", async (queue) => {
      queue.enqueue(heartbeatCall(registry, 0), null);
      queue.enqueue(call("after"), null);
      await queue.run();
      expect(queue.get("heartbeat:0")).toMatchObject({ state: "failed", hash: null });
      expect(queue.get("heartbeat:0")?.error).toMatch(/transaction-reverted/);
      expect(queue.get("after")).toMatchObject({ state: "confirmed" });
    });
    expect(await nextNonce(client, SENDER.address)).toBe(before + 1);
  });
});
