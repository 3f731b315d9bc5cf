import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createWalletClient, encodeFunctionData, http, parseEther, parseGwei } from "viem";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { tokenAbi } from "../../core/chain/abi.ts";
import { DEVNET } from "../../core/chain/addresses.ts";
import { approveCall, heartbeatCall, registerCall } from "../../core/chain/calls.ts";
import { feesOf } from "../../core/chain/fees.ts";
import { TransactionQueue, type TransactionRow } from "../../core/chain/queue.ts";
import { type ChainClient, createChainClient } from "../../core/chain/rpc.ts";
import type { GuardedSigner } from "../../core/chain/signing-policy.ts";
import type { Sql } from "../../core/chain/sql.ts";
import type { Clock, Fetch } from "../../core/ports.ts";
import { type Anvil, startAnvil } from "./anvil.ts";
import { deployNetwork, type NetworkAddresses } from "./deploy.ts";
import { fundedSigner, memorySql, mortal, type QuickClock, quickClock, testChain } from "./queue-rig.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let anvil: Anvil;
let client: ChainClient;
let at: NetworkAddresses;
let signer: GuardedSigner;
let sql: Sql;
let clock: QuickClock;
let changes: TransactionRow[];
let events: string[];
/** What was broadcast. */
let sent: string[];

const CAP = parseGwei("10");
const chain = () => testChain(anvil.rpcUrl);
const mine = () => chain().mine({ blocks: 1 });
const spentNonces = () => client.getTransactionCount({ address: signer.address });
/** Harmless, and it always succeeds. */
const call = (purpose: string) => approveCall(at.token, purpose, at.staking, 1n);

const transfer = (purpose: string) => ({
  purpose,
  to: at.token,
  data: encodeFunctionData({ abi: tokenAbi, functionName: "transfer", args: [at.staking, 0n] }),
});

interface Question {
  id: number;
  method: string;
  params: string[];
}
const questionOf = (init: RequestInit | undefined): Question =>
  JSON.parse(typeof init?.body === "string" ? init.body : "") as Question;

/** Remembers what is broadcast. */
const watched: Fetch = async (input, init) => {
  const { method, params } = questionOf(init);
  if (method === "eth_sendRawTransaction") sent.push(params[0] ?? "");
  return fetch(input, init);
};

function queue(parts: { client?: ChainClient; sql?: Sql; clock?: Clock } = {}): TransactionQueue {
  return new TransactionQueue(parts.sql ?? sql, {
    client: parts.client ?? client,
    signer,
    clock: parts.clock ?? clock,
    log: (_level, event) => events.push(event),
    onChange: (row) => changes.push(row),
  });
}

/** Goes on until a no-op takes the nonce. */
async function untilCancelling(one: TransactionQueue): Promise<void> {
  for (let round = 0; round < 20; round++) {
    await one.run();
    const { toArray } = sql.exec("SELECT kind FROM transaction_hashes WHERE kind = 'cancel'");
    if (toArray().length > 0) return;
  }
  throw new Error("nothing was cancelled");
}

const baseFee = async (gwei: string) => {
  await chain().setNextBlockBaseFeePerGas({ baseFeePerGas: parseGwei(gwei) });
  await mine();
};

beforeAll(async () => {
  anvil = await startAnvil();
  at = (await deployNetwork({ rpcUrl: anvil.rpcUrl })).addresses;
  client = createChainClient({ rpcUrls: [anvil.rpcUrl], chainId: DEVNET, fetch: watched });
});
afterAll(() => anvil?.stop());
beforeEach(async () => {
  await chain().setAutomine(true);
  await baseFee("1");
  signer = await fundedSigner(anvil.rpcUrl, { chainId: DEVNET, contracts: at, maxFeePerGasWei: CAP });
  sql = memorySql();
  clock = quickClock();
  changes = [];
  events = [];
  sent = [];
});

describe("bytes without a receipt", () => {
  beforeEach(() => chain().setAutomine(false));

  it("go out three times a second apart in one go, and no others", async () => {
    const one = queue();
    one.enqueue(call("waiting"), null);
    await one.run();
    expect(sent).toHaveLength(3);
    expect(new Set(sent).size).toBe(1);
    expect(one.get("waiting")).toMatchObject({ state: "signed", nonce: 0 });
  });

  it("are replaced at their nonce with an eighth more on both fees, and whichever is mined counts", async () => {
    const one = queue();
    one.enqueue(call("stuck"), "job");
    for (let round = 0; round < 2; round++) await one.run();
    const [first, second] = [...new Set(sent)].map((raw) => feesOf(raw as `0x${string}`));
    expect(new Set(sent).size).toBe(2);
    expect(second?.maxFeePerGas).toBeGreaterThanOrEqual(((first?.maxFeePerGas ?? 0n) * 9n) / 8n);
    expect(second?.maxPriorityFeePerGas).toBeGreaterThanOrEqual(((first?.maxPriorityFeePerGas ?? 0n) * 9n) / 8n);
    expect(events.filter((event) => event === "transaction.replaced")).toHaveLength(1);
    await mine();
    await one.run();
    expect(one.get("stuck")).toMatchObject({ state: "confirmed", nonce: 0, hash: changes.at(-1)?.hash });
    expect(await spentNonces()).toBe(1);
  });

  it("of an earlier version, kept in the transaction's own row, are followed and replaced too", async () => {
    const one = queue();
    one.enqueue(call("old"), null);
    await one.run();
    sql.exec("DELETE FROM transaction_hashes");
    await queue().run();
    expect(sql.exec("SELECT kind FROM transaction_hashes").toArray()).toHaveLength(2);
    await mine();
    await queue().run();
    expect(queue().get("old")).toMatchObject({ state: "confirmed" });
  });

  it("after four replacements give way to a no-op, so that what follows goes on", async () => {
    const one = queue();
    one.enqueue(call("hopeless"), null);
    one.enqueue(call("next"), null);
    await untilCancelling(one);
    const kinds = sql.exec("SELECT kind, nonce FROM transaction_hashes").toArray();
    expect(kinds.map(({ kind }) => kind)).toEqual(["call", "call", "call", "call", "call", "cancel"]);
    expect(kinds.every(({ nonce }) => nonce === 0)).toBe(true);
    await mine();
    await chain().setAutomine(true);
    await one.run();
    expect(one.get("hopeless")).toMatchObject({ state: "cancelled", error: expect.stringContaining("no-op") });
    expect(one.get("next")).toMatchObject({ state: "confirmed", nonce: 1 });
    expect(await spentNonces()).toBe(2);
  });

  it("are never raised above the cap: then they are kept and sent as they are", async () => {
    await baseFee("4");
    const one = queue();
    one.enqueue(call("capped"), null);
    for (let round = 0; round < 8; round++) await one.run();
    expect(one.blocked).toMatchObject({ code: "gas-price", retry: "later" });
    for (const raw of new Set(sent)) expect(feesOf(raw as `0x${string}`).maxFeePerGas).toBeLessThanOrEqual(CAP);
    await mine();
    await one.run();
    expect(one.get("capped")).toMatchObject({ state: "cancelled" });
    expect(await spentNonces()).toBe(1);
  });
});

describe("a fee spike", () => {
  it("above the cap holds a transaction back unsigned, and lets it go when it is over", async () => {
    await baseFee("100");
    const one = queue();
    one.enqueue(call("dear"), null);
    await one.run();
    expect(one.blocked).toMatchObject({ code: "gas-price", message: expect.stringMatching(/10\d(\.\d+)? gwei/) });
    expect(one.get("dear")).toMatchObject({ state: "queued", hash: null });
    await baseFee("1");
    await one.run();
    expect(one.get("dear")).toMatchObject({ state: "confirmed" });
    expect(one.blocked).toBeNull();
  });

  it("after signing, below the cap, has the bytes replaced at once", async () => {
    const one = queue({ clock: { ...clock, sleep: () => Promise.reject(new Error("killed")) } });
    await chain().setAutomine(false);
    one.enqueue(call("spiked"), null);
    await one.run();
    await chain().dropTransaction({ hash: one.get("spiked")?.hash as `0x${string}` });
    await chain().setAutomine(true);
    await baseFee("5");
    const startedMs = clock.now();
    await queue().run();
    expect(queue().get("spiked")).toMatchObject({ state: "confirmed", nonce: 0 });
    expect(clock.now() - startedMs).toBeLessThan(10_000);
    expect(await spentNonces()).toBe(1);
  });

  it("after signing, above the cap, changes nothing, and the same bytes are taken when it is over", async () => {
    const one = queue({ clock: { ...clock, sleep: () => Promise.reject(new Error("killed")) } });
    await chain().setAutomine(false);
    one.enqueue(call("waited"), null);
    await one.run();
    const hash = one.get("waited")?.hash as `0x${string}`;
    await chain().dropTransaction({ hash });
    await chain().setAutomine(true);
    await baseFee("100");
    const two = queue();
    for (let round = 0; round < 20; round++) await two.run();
    expect(two.blocked).toMatchObject({ code: "gas-price" });
    await baseFee("1");
    await two.run();
    expect(two.get("waited")).toMatchObject({ state: "confirmed", hash });
  });
});

describe("nonces", () => {
  const other = () =>
    createWalletClient({ account: signer.address, chain: client.chain, transport: http(anvil.rpcUrl) });

  it("with a gap before another sender's transaction are filled by ours", async () => {
    await chain().impersonateAccount({ address: signer.address });
    await chain().setAutomine(false);
    await other()
      .sendTransaction({ to: at.token, value: 0n, data: "0x", nonce: 1, gas: 50_000n })
      .catch(() => null);
    await chain().setAutomine(true);
    const one = queue();
    for (const purpose of ["a", "b"]) one.enqueue(call(purpose), null);
    await one.run();
    expect(one.get("a")).toMatchObject({ state: "confirmed", nonce: 0 });
    expect(one.get("b")).toMatchObject({ state: "confirmed" });
  });

  it("that an RPC node counted too far leave a gap, which a no-op fills", async () => {
    let lies = 1;
    const lying: Fetch = async (input, init) => {
      const { id, method, params } = questionOf(init);
      if (method !== "eth_getTransactionCount" || params[1] !== "pending" || lies === 0) return fetch(input, init);
      lies -= 1;
      return Response.json({ jsonrpc: "2.0", id, result: "0x1" });
    };
    const one = queue({ client: createChainClient({ rpcUrls: [anvil.rpcUrl], chainId: DEVNET, fetch: lying }) });
    one.enqueue(call("too far"), null);
    for (let round = 0; round < 4; round++) await one.run();
    expect(one.get("too far")).toMatchObject({ state: "confirmed", nonce: 1 });
    expect(sql.exec("SELECT kind FROM transaction_hashes").toArray()).toEqual([{ kind: "call" }, { kind: "filler" }]);
    expect(await spentNonces()).toBe(2);
  });

  it("that seem spent are believed only when the same node counts them as spent", async () => {
    let refusals = 3;
    const refusing: Fetch = async (input, init) => {
      const { id, method } = questionOf(init);
      if (method !== "eth_sendRawTransaction" || refusals === 0) return fetch(input, init);
      refusals -= 1;
      return Response.json({ jsonrpc: "2.0", id, error: { code: -32000, message: "nonce too low" } });
    };
    const one = queue({ client: createChainClient({ rpcUrls: [anvil.rpcUrl], chainId: DEVNET, fetch: refusing }) });
    one.enqueue(call("seems spent"), null);
    for (let round = 0; round < 4; round++) await one.run();
    const hashes = new Set(changes.map(({ hash }) => hash));
    expect(one.get("seems spent")).toMatchObject({ state: "confirmed", nonce: 0 });
    expect(hashes.size).toBe(1);
  });
});

describe("an RPC that fails", () => {
  it("after it took the transaction is followed by the next URL, which knows it: one transaction", async () => {
    const server = createServer((request, response) => {
      const body: Buffer[] = [];
      request.on("data", (part: Buffer) => body.push(part));
      request.on("end", () => {
        const text = Buffer.concat(body).toString();
        const passOn = text.includes("eth_sendRawTransaction") || text.includes("eth_chainId");
        const asked = passOn
          ? fetch(anvil.rpcUrl, { method: "POST", body: text, headers: { "content-type": "application/json" } })
          : Promise.resolve(null);
        void asked.then(async (answer) => {
          const isChain = answer !== null && text.includes("eth_chainId");
          response.writeHead(isChain ? 200 : 503).end(isChain ? await answer.text() : "down");
        });
      });
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const one = queue({ client: createChainClient({ rpcUrls: [url, anvil.rpcUrl], chainId: DEVNET }) });
      one.enqueue(call("failing over"), null);
      await one.run();
      expect(one.get("failing over")).toMatchObject({ state: "confirmed", nonce: 0 });
      expect(await spentNonces()).toBe(1);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it("altogether leaves the queue as it is, and it goes on later", async () => {
    const dead = createChainClient({
      rpcUrls: ["http://127.0.0.1:9"],
      chainId: DEVNET,
      deadlineMs: 200,
      fetch: async () => new Response("down", { status: 503 }),
    });
    const one = queue({ client: dead });
    one.enqueue(call("later"), null);
    await one.run();
    expect(one.blocked).toMatchObject({ code: "rpc-unavailable", retry: "later" });
    await queue().run();
    expect(queue().get("later")).toMatchObject({ state: "confirmed" });
  });
});

describe("an account", () => {
  it("without ether holds its transactions until there is some", async () => {
    await chain().setBalance({ address: signer.address, value: 0n });
    const one = queue();
    one.enqueue(call("poor"), null);
    await one.run();
    expect(one.blocked).toMatchObject({ code: "insufficient-funds", retry: "later" });
    expect(one.get("poor")).toMatchObject({ state: "queued" });
    await chain().setBalance({ address: signer.address, value: parseEther("1") });
    await one.run();
    expect(one.get("poor")).toMatchObject({ state: "confirmed" });
  });

  it("signs nothing that the policy refuses, and the queue goes on", async () => {
    const one = queue();
    one.enqueue(transfer("foreign"), null);
    one.enqueue(approveCall(at.token, "thief", at.resultRegistry, 1n), null);
    one.enqueue(call("fine"), null);
    await one.run();
    for (const purpose of ["foreign", "thief"]) {
      expect(one.get(purpose)).toMatchObject({ state: "failed", error: expect.stringContaining("signing-refused") });
    }
    expect(one.get("fine")).toMatchObject({ state: "confirmed", nonce: 0 });
  });

  it("is told the contract's reason, before sending and after", async () => {
    const registration = { tier: 0, certHash: "0xab", expiresAtSec: 1, models: [], stakeWei: 0n };
    const one = queue();
    one.enqueue(heartbeatCall(at.nodeRegistry, 0), null);
    one.enqueue(registerCall(at.nodeRegistry, "first", registration), null);
    await one.run();
    expect(one.get("heartbeat:0")?.error).toContain("not registered");
    expect(one.get("first")).toMatchObject({ state: "confirmed" });
  });
});

describe("a chain that was reorganised", () => {
  it("after a no-op was mined in a call's place is looked at again", async () => {
    await chain().setAutomine(false);
    const one = queue();
    one.enqueue(call("cancelled"), null);
    await untilCancelling(one);
    const snapshot = await chain().snapshot();
    await mine();
    await one.run();
    expect(one.get("cancelled")).toMatchObject({ state: "cancelled" });
    await chain().revert({ id: snapshot });
    clock.pass(31_000);
    await one.run();
    expect(events).toContain("transaction.reorganised");
    expect(one.get("cancelled")).toMatchObject({ state: "signed" });
    await mine();
    await one.run();
    expect(one.get("cancelled")).toMatchObject({ state: "cancelled" });
    expect(await spentNonces()).toBe(1);
  });
});

describe("a process that dies at any moment", () => {
  /** Runs it with a death at every `step`-th touch in turn, until it lives to its end; then the next one goes on with what is stored. */
  async function dieEverywhere(step: number, live: (one: TransactionQueue) => Promise<void>): Promise<number> {
    for (let diesAt = 1; ; diesAt += step) {
      // The chain's idea of a tip follows what was paid lately: here, for bytes that were replaced.
      const maxFeePerGasWei = CAP * 1_000n;
      signer = await fundedSigner(anvil.rpcUrl, { chainId: DEVNET, contracts: at, maxFeePerGasWei });
      sql = memorySql();
      const world = mortal(anvil.rpcUrl, DEVNET, sql, clock, diesAt);
      try {
        await live(queue(world));
      } catch (error) {
        if (!world.died()) throw error;
      }
      await chain().setAutomine(true);
      await mine();
      const again = queue();
      again.enqueue(call("once"), null);
      await again.run();
      expect([diesAt, again.get("once")?.state]).toEqual([diesAt, "confirmed"]);
      expect([diesAt, await spentNonces()]).toEqual([diesAt, 1]);
      if (!world.died()) return diesAt;
    }
  }

  it("sends one transaction for a purpose", async () => {
    const moments = await dieEverywhere(1, async (one) => {
      one.enqueue(call("once"), null);
      await one.run();
    });
    expect(moments).toBeGreaterThan(20);
  });

  it("sends one, also while its bytes are being replaced", async () => {
    const moments = await dieEverywhere(9, async (one) => {
      await chain().setAutomine(false);
      one.enqueue(call("once"), null);
      for (let round = 0; round < 3; round++) await one.run();
    });
    expect(moments).toBeGreaterThan(40);
  });
});
