import { parseTransaction, recoverMessageAddress, recoverTransactionAddress, recoverTypedDataAddress } from "viem";
import { describe, expect, it } from "vitest";
import { heartbeatCall } from "../core/chain/calls.ts";
import { guardSigner } from "../core/chain/signing-policy.ts";
import { Secret } from "../core/secret.ts";
import type { SignRequest } from "../core/sidecar/sign-wire.ts";
import { localSigner } from "../core/signer.ts";
import { sign } from "./sign.ts";

const REGISTRY = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const OTHER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";
const SEALING_KEY = `0x${"cd".repeat(32)}`;
const NOW_SEC = Date.UTC(2026, 0, 6, 12) / 1000;
const clock = { now: () => NOW_SEC * 1000 };
const signer = guardSigner(localSigner(new Secret(`0x${"11".repeat(32)}`)), {
  chainId: 421_614,
  contracts: { nodeRegistry: REGISTRY },
  maxFeePerGasWei: 10n ** 10n,
});
const node = signer.address;
const account = { signer, sealingKeys: async () => [SEALING_KEY] };
const ask = (request: SignRequest) => sign(request, account, clock);

describe("A request to the coordinator", () => {
  const icl = (body: string, ...timestampsSec: number[]) => ask({ kind: "icl", node, body, timestampsSec });

  it("is signed for every time that is asked for, as the coordinator checks it", async () => {
    const times = [NOW_SEC, NOW_SEC + 5, NOW_SEC + 300];
    const reply = await icl("", ...times);
    if (reply.kind !== "icl") throw new Error("another kind");
    expect(reply.signatures.map(({ timestampSec }) => timestampSec)).toEqual(times);
    for (const { timestampSec, headers } of reply.signatures) {
      const signature = headers["X-Signature"] as `0x${string}`;
      expect(await recoverMessageAddress({ message: String(timestampSec), signature })).toBe(node);
      expect(headers).toMatchObject({ "X-Node-Address": node, "X-Timestamp": String(timestampSec) });
    }
  });

  it.each(["text", "[1]", '"text"', "null", "example.com wants you to sign in", "{"])("%j is no body", async (body) => {
    await expect(icl(body, NOW_SEC)).rejects.toMatchObject({ code: "signing-refused", retry: "never" });
  });

  it.each([-121, 901])("%i s from now is not signed, but may be later", async (off) => {
    await expect(icl("{}", NOW_SEC, NOW_SEC + off)).rejects.toMatchObject({ code: "signing-refused", retry: "later" });
  });

  it("with a JSON object and a time in bounds is signed", async () => {
    expect(await icl('{"a":1}', NOW_SEC - 120, NOW_SEC + 900)).toMatchObject({ kind: "icl" });
  });
});

describe("A permit", () => {
  const typedData = (change: object = {}) => ({
    domain: { name: "ACL", version: "1", chainId: 421_614, verifyingContract: OTHER },
    types: {
      PermissionedV2IssuerSelf: [
        { name: "issuer", type: "address" },
        { name: "expiration", type: "uint64" },
        { name: "recipient", type: "address" },
        { name: "validatorId", type: "uint256" },
        { name: "validatorContract", type: "address" },
        { name: "sealingKey", type: "bytes32" },
      ],
    },
    primaryType: "PermissionedV2IssuerSelf",
    message: {
      issuer: node,
      expiration: 2_000_000_000,
      recipient: `0x${"0".repeat(40)}`,
      validatorId: 0,
      validatorContract: `0x${"0".repeat(40)}`,
      sealingKey: SEALING_KEY,
      ...change,
    },
  });

  it("for a sealing key of the sidecar's is signed", async () => {
    const reply = await ask({ kind: "typed-data", node, typedData: typedData() });
    if (reply.kind !== "typed-data") throw new Error("another kind");
    expect(await recoverTypedDataAddress({ ...typedData(), signature: reply.signature } as never)).toBe(node);
  });

  it.each([{ sealingKey: `0x${"ef".repeat(32)}` }, { issuer: OTHER }, { recipient: OTHER }])(
    "with %j is not",
    async (change) => {
      await expect(ask({ kind: "typed-data", node, typedData: typedData(change) })).rejects.toMatchObject({
        code: "signing-refused",
        retry: "never",
      });
    },
  );
});

describe("A transaction", () => {
  const { to, data } = heartbeatCall(REGISTRY, 1);
  const transaction = {
    type: "eip1559",
    chainId: 421_614,
    nonce: 7,
    to,
    data,
    value: 0n,
    gas: 100_000n,
    maxFeePerGas: 10n ** 9n,
    maxPriorityFeePerGas: 0n,
  } as const;

  it("of a node's own is signed as it is", async () => {
    const reply = await ask({ kind: "transaction", node, transaction });
    if (reply.kind !== "transaction") throw new Error("another kind");
    expect(parseTransaction(reply.serialized)).toMatchObject({ nonce: 7, to: to.toLowerCase(), gas: 100_000n });
    expect(await recoverTransactionAddress({ serializedTransaction: reply.serialized as `0x02${string}` })).toBe(node);
  });

  it.each([{ to: OTHER }, { chainId: 1 }, { value: 1n }, { maxFeePerGas: 10n ** 12n }] as const)(
    "with other than the policy's fields (%#) is refused",
    async (change) => {
      const asked = ask({ kind: "transaction", node, transaction: { ...transaction, ...change } });
      await expect(asked).rejects.toMatchObject({ code: "signing-refused" });
    },
  );
});
