/**
 * The node's account where its key lives on the sidecar. It signs what a node signs and nothing else: requests to the
 * coordinator, and transactions, which the sidecar's own policy judges again. Signatures of requests without a body are
 * fetched for some minutes ahead, so that a poll every five seconds is not a call to the sidecar every five seconds.
 */
import {
  type Address,
  type Hex,
  parseTransaction,
  recoverTransactionAddress,
  type TransactionSerializable,
} from "viem";
import { toAccount } from "viem/accounts";
import { NodeError } from "../errors.ts";
import type { RequestSignature, Signer } from "../signer.ts";
import type { SidecarClient } from "./client.ts";
import type { SignRequest } from "./sign-wire.ts";

/** Polls come every five seconds; the coordinator takes a time that is some seconds old (protocol §1). */
const STEP_SEC = 5;
/** Three minutes: a clock that is corrected meanwhile is followed soon. */
const AHEAD = 36;

type Transaction = Extract<SignRequest, { kind: "transaction" }>["transaction"];

/** @param address EIP-55, of a node whose key the sidecar holds. Does no I/O until something is to be signed. */
export function createSidecarSigner(client: Pick<SidecarClient, "sign">, address: Address): Signer {
  const refused = () => Promise.reject(refusal("this kind of signature is never asked of the sidecar"));
  const account = toAccount({
    address,
    signMessage: refused,
    signTypedData: refused,
    signTransaction: (transaction) => signTransaction(client, address, transaction),
  });
  return Object.assign(account, { signRequest: requestSigner(client, address) });
}

function requestSigner(client: Pick<SidecarClient, "sign">, node: Address) {
  /** Of an empty body, ascending. */
  let ahead: RequestSignature[] = [];

  const fetchSignatures = async (body: string, timestampsSec: number[]): Promise<RequestSignature[]> => {
    const reply = await client.sign({ kind: "icl", node, body, timestampsSec });
    if (reply.kind !== "icl") throw unusable("another kind of signature");
    return timestampsSec.map((timestampSec) => {
      const found = reply.signatures.find((one) => one.timestampSec === timestampSec);
      const signature = found?.headers["X-Signature"];
      if (signature === undefined) throw unusable("fewer signatures than were asked for");
      return { timestampSec, signature };
    });
  };

  return async (body: string, timestampSec: number): Promise<RequestSignature> => {
    if (body !== "") return first(await fetchSignatures(body, [timestampSec]));
    const fits = ({ timestampSec: at }: RequestSignature) => at <= timestampSec && at > timestampSec - STEP_SEC;
    const known = ahead.find(fits);
    if (known !== undefined) return known;
    const wanted = Array.from({ length: AHEAD }, (_, index) => timestampSec + index * STEP_SEC);
    ahead = await fetchSignatures("", wanted);
    return first(ahead);
  };
}

async function signTransaction(
  client: Pick<SidecarClient, "sign">,
  node: Address,
  transaction: TransactionSerializable,
): Promise<Hex> {
  const wanted = plain(transaction);
  const reply = await client.sign({ kind: "transaction", node, transaction: wanted });
  if (reply.kind !== "transaction") throw unusable("another kind of signature");
  await check(reply.serialized, wanted, node);
  return reply.serialized;
}

/** With the fields of a node's transactions and no others (core/chain/signing-policy.ts). */
function plain(transaction: TransactionSerializable): Transaction {
  const { type, chainId, nonce, to, data = "0x", value = 0n, gas, maxFeePerGas, maxPriorityFeePerGas } = transaction;
  const complete = chainId !== undefined && nonce !== undefined && gas !== undefined && to != null;
  if (type !== "eip1559" || !complete || maxFeePerGas === undefined || maxPriorityFeePerGas === undefined) {
    throw refusal("it is not a complete EIP-1559 transaction");
  }
  return { type: "eip1559", chainId, nonce, to, data, value, gas, maxFeePerGas, maxPriorityFeePerGas };
}

/** What comes back is saved and sent as it is, so it must be what was asked for, signed by this node. */
async function check(serialized: Hex, wanted: Transaction, node: Address): Promise<void> {
  let same = false;
  try {
    const { r: _r, s: _s, v: _v, yParity: _y, ...signed } = parseTransaction(serialized);
    const fields = { ...wanted, to: wanted.to.toLowerCase() };
    same = Object.entries(fields).every(([name, value]) =>
      equal(name, (signed as Record<string, unknown>)[name], value),
    );
    same &&= (await recoverTransactionAddress({ serializedTransaction: serialized as `0x02${string}` })) === node;
  } catch {
    same = false;
  }
  if (!same) throw unusable("another transaction than the one to sign");
}

/** Empty fields and zeros are left out of what is serialised. */
function equal(name: string, signed: unknown, wanted: unknown): boolean {
  if (signed === undefined) return wanted === "0x" || Number(wanted) === 0;
  return name === "to" && typeof signed === "string" ? signed.toLowerCase() === wanted : signed === wanted;
}

function first(signatures: readonly RequestSignature[]): RequestSignature {
  const [one] = signatures;
  if (one === undefined) throw unusable("no signature");
  return one;
}

function refusal(reason: string): NodeError {
  return new NodeError("signing-refused", reason, {
    retry: "never",
    hint: "This is a bug in the node: report it.",
  });
}

function unusable(what: string): NodeError {
  return new NodeError("sidecar-malformed", `the sidecar gave ${what}`, {
    retry: "later",
    hint: "Bring the Worker and the sidecar to the same version.",
  });
}
