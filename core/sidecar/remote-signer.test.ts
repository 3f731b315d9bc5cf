import { keccak256, parseTransaction, recoverMessageAddress, type TransactionSerializable } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { expect, it } from "vitest";
import { authHeaders } from "../icl/sign.ts";
import type { SidecarClient } from "./client.ts";
import { createSidecarSigner } from "./remote-signer.ts";
import type { SignReply, SignRequest } from "./sign-wire.ts";

const account = privateKeyToAccount(`0x${"11".repeat(32)}`);
const other = privateKeyToAccount(`0x${"22".repeat(32)}`);
const NOW_SEC = 1_800_000_000;
const TRANSACTION = {
  type: "eip1559",
  chainId: 421_614,
  nonce: 0,
  to: "0x8A791620dd6260079BF849Dc5567aDC3F2FdC318",
  data: "0x12345678",
  value: 0n,
  gas: 300_000n,
  maxFeePerGas: 200_000_000n,
  maxPriorityFeePerGas: 0n,
} as const;

/** A sidecar that holds the key, and every request that it got. */
function sidecar(twist: (reply: SignReply) => SignReply = (reply) => reply) {
  const asked: SignRequest[] = [];
  const client: Pick<SidecarClient, "sign"> = {
    async sign(request) {
      asked.push(request);
      if (request.kind === "icl") {
        const signatures = request.timestampsSec.map(async (timestampSec) => ({
          timestampSec,
          headers: await authHeaders(account, request.body, timestampSec),
        }));
        return twist({ kind: "icl", signatures: await Promise.all(signatures) });
      }
      if (request.kind !== "transaction") throw new Error("not asked for here");
      const { to, data, ...rest } = request.transaction;
      return twist({
        kind: "transaction",
        serialized: await account.signTransaction({ ...rest, to: to as `0x${string}`, data }),
      });
    },
  };
  return { signer: createSidecarSigner(client, account.address), asked };
}

it("signs a request as the key itself would", async () => {
  const { signer } = sidecar();
  expect(await authHeaders(signer, '{"a":1}', NOW_SEC)).toEqual(await authHeaders(account, '{"a":1}', NOW_SEC));
});

it("fetches polls' signatures for minutes ahead, and hands out none that is over five seconds old or in the future", async () => {
  const { signer, asked } = sidecar();
  for (let second = 0; second < 180; second += 1) {
    const headers = await authHeaders(signer, "", NOW_SEC + second);
    const at = Number(headers["X-Timestamp"]);
    expect(at).toBeLessThanOrEqual(NOW_SEC + second);
    expect(at).toBeGreaterThan(NOW_SEC + second - 5);
    const signature = headers["X-Signature"] as `0x${string}`;
    expect(await recoverMessageAddress({ message: `${at}`, signature })).toBe(account.address);
  }
  expect(asked).toHaveLength(1);
  await authHeaders(signer, "", NOW_SEC + 180);
  expect(asked).toHaveLength(2);
  // A clock that was set back.
  expect(Number((await authHeaders(signer, "", NOW_SEC - 600))["X-Timestamp"])).toBe(NOW_SEC - 600);
});

it("signs a request with a body at its own time, every time", async () => {
  const { signer, asked } = sidecar();
  await authHeaders(signer, "{}", NOW_SEC);
  await authHeaders(signer, "{}", NOW_SEC + 1);
  expect(asked.map((request) => (request.kind === "icl" ? request.timestampsSec : null))).toEqual([
    [NOW_SEC],
    [NOW_SEC + 1],
  ]);
});

it.each<[string, TransactionSerializable]>([
  ["a call", TRANSACTION],
  ["a no-op", { ...TRANSACTION, data: "0x", nonce: 7 }],
])("signs %s as the key itself would", async (_name, transaction) => {
  const { signer } = sidecar();
  const raw = await signer.signTransaction(transaction);
  expect(keccak256(raw)).toBe(keccak256(await account.signTransaction(transaction)));
  expect(parseTransaction(raw).nonce ?? 0).toBe(transaction.nonce);
});

it.each<[string, (reply: SignReply) => SignReply | Promise<SignReply>]>([
  ["another destination", () => twisted({ to: other.address })],
  ["another nonce", () => twisted({ nonce: 1 })],
  ["a higher fee", () => twisted({ maxFeePerGas: 900_000_000n })],
  ["other calldata", () => twisted({ data: "0x87654321" })],
  ["another account's signature", () => twisted({}, other)],
  ["no transaction at all", () => ({ kind: "transaction", serialized: "0x02" })],
  ["another kind of signature", () => ({ kind: "typed-data", signature: `0x${"00".repeat(65)}` })],
])("takes no %s in place of what was to be signed", async (_name, twist) => {
  const reply = await twist({ kind: "icl", signatures: [] });
  const { signer } = sidecar(() => reply);
  await expect(signer.signTransaction(TRANSACTION)).rejects.toMatchObject({ code: "sidecar-malformed" });
});

it("takes no answer with fewer signatures than it asked for", async () => {
  const { signer } = sidecar((reply) => (reply.kind === "icl" ? { ...reply, signatures: [] } : reply));
  await expect(authHeaders(signer, "", NOW_SEC)).rejects.toMatchObject({ code: "sidecar-malformed", retry: "later" });
});

it("asks the sidecar for no other kind of signature, and for no other kind of transaction", async () => {
  const { signer, asked } = sidecar();
  await expect(signer.signMessage({ message: "anything" })).rejects.toMatchObject({ code: "signing-refused" });
  await expect(
    signer.signTypedData({ domain: {}, types: { A: [] }, primaryType: "A", message: {} }),
  ).rejects.toMatchObject({ code: "signing-refused" });
  await expect(signer.signTransaction({ ...TRANSACTION, type: "legacy" } as never)).rejects.toMatchObject({
    code: "signing-refused",
  });
  await expect(signer.signTransaction({ ...TRANSACTION, gas: undefined } as never)).rejects.toMatchObject({
    code: "signing-refused",
  });
  expect(asked).toEqual([]);
});

async function twisted(change: Partial<TransactionSerializable>, by = account): Promise<SignReply> {
  const transaction = { ...TRANSACTION, ...change } as TransactionSerializable;
  return { kind: "transaction", serialized: await by.signTransaction(transaction) };
}
