/**
 * viem's errors as NodeErrors. Two copies of viem are about (ours and the CoFHE SDK's), so errors are told apart by
 * name, code and data, never by class. Their messages are never passed on: they hold RPC URLs with API keys, request
 * bodies, and for CoFHE's mocks plaintext. What a contract says in a revert is public and is passed on, shortened.
 */
import { decodeErrorResult, type Hex, isHex, parseAbi } from "viem";
import { NodeError } from "../errors.ts";
import { nodeRegistryAbi, promptKeyStoreAbi, resultRegistryAbi, stakingAbi, tokenAbi } from "./abi.ts";

/** CoFHE's own refusals of encrypted inputs and of access (protocol §8). */
const COFHE_ERRORS = parseAbi([
  "error InvalidSignature()",
  "error InvalidSigner(address signer, address expectedSigner)",
  "error ACLNotAllowed(uint256 handle, address account)",
  "error SenderNotAllowed(address sender)",
]);

const KNOWN_ERRORS = [
  ...[...nodeRegistryAbi, ...stakingAbi, ...tokenAbi, ...promptKeyStoreAbi, ...resultRegistryAbi].filter(
    (item) => item.type === "error",
  ),
  ...COFHE_ERRORS,
];

const REASON_MAX = 120;
/** A cause chain longer than this is a loop. */
const CAUSES_MAX = 12;

/** The parts of viem's errors that are read here. */
interface ErrorLike {
  name?: unknown;
  code?: unknown;
  status?: unknown;
  details?: unknown;
  data?: unknown;
  cause?: unknown;
}

/**
 * What went wrong while `doing` (a few words such as "reading the stake"): `transaction-reverted` (never) with the
 * contract's reason, `insufficient-funds` (later), `settings` (never) for a wrong chain or an address without a contract,
 * else `rpc-unavailable` (later).
 */
export function toChainError(error: unknown, doing: string): NodeError {
  const own = nodeErrorIn(error);
  if (own) return own;
  const reason = revertReason(error);
  if (reason !== null) {
    return new NodeError("transaction-reverted", `${doing}: the contract refused (${reason})`, {
      retry: "never",
      hint: "The contract's reason says which rule was broken; see protocol and chain state.",
    });
  }
  if (detailsOf(error).some((details) => /insufficient funds|insufficient balance|exceeds the balance/.test(details))) {
    return new NodeError("insufficient-funds", `${doing}: the account cannot pay for the transaction`, {
      retry: "later",
      hint: "Send ETH of this chain to the node's address.",
    });
  }
  if (causes(error).some(({ name }: ErrorLike) => name === "AbiDecodingZeroDataError")) {
    return new NodeError("settings", `${doing}: there is no such contract at the configured address`, {
      retry: "never",
      hint: "Check the contract addresses (BLF_*_ADDRESS) and BLF_COFHE_CHAIN_ID.",
    });
  }
  return new NodeError("rpc-unavailable", `${doing}: ${rpcFault(error)}`, {
    retry: "later",
    admitted: "unknown",
    hint: "Check BLF_RPC_URL: that it is reachable, its API key valid and its quota not used up.",
  });
}

/** Runs `work` and throws what it throws as `toChainError` sees it. */
export async function chainCall<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toChainError(error, doing);
  }
}

/** A NodeError of ours that viem wrapped, such as a wrong chain's. */
export function nodeErrorIn(error: unknown): NodeError | undefined {
  return causes(error).find((cause) => cause instanceof NodeError);
}

/** Why a contract reverted: an error's name, the text of `require`, a selector; null where nothing reverted. */
export function revertReason(error: unknown): string | null {
  for (const cause of causes(error)) {
    const { data } = cause as ErrorLike;
    const bytes = isHex(data)
      ? data
      : isHex((data as ErrorLike | undefined)?.data)
        ? (data as { data: Hex }).data
        : "0x";
    if (bytes.length >= 10) return decodeReason(bytes);
  }
  const reverted = causes(error).some(
    ({ name, code }: ErrorLike) =>
      name === "ContractFunctionRevertedError" || name === "ExecutionRevertedError" || code === 3,
  );
  return reverted ? "no reason given" : null;
}

/** What the RPC node said, lower case, for classification only. */
export function detailsOf(error: unknown): string[] {
  return causes(error).flatMap(({ details }: ErrorLike) =>
    typeof details === "string" ? [details.toLowerCase()] : [],
  );
}

function decodeReason(data: Hex): string {
  try {
    const { errorName, args } = decodeErrorResult({ abi: KNOWN_ERRORS, data });
    const [first] = (args ?? []) as readonly unknown[];
    if (errorName === ("Error" as string)) return printable(String(first)) || "no reason given";
    return errorName === ("Panic" as string) ? `panic ${String(first)}` : errorName;
  } catch {
    return `error ${data.slice(0, 10)}`;
  }
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, REASON_MAX);
}

function rpcFault(error: unknown): string {
  const chain: ErrorLike[] = causes(error);
  if (chain.some(({ name }) => name === "TimeoutError" || name === "AbortError"))
    return "the RPC did not answer in time";
  if (chain.some(({ name }) => name === "ResponseBodyTooLargeError"))
    return "the RPC's answer was longer than is taken";
  const status = chain.map((cause) => cause.status).find((value): value is number => typeof value === "number");
  if (status !== undefined) return `the RPC answered HTTP ${status}`;
  const code = chain
    .map((cause) => cause.code)
    .find((value): value is number => typeof value === "number" && value !== -1);
  return code === undefined ? "the RPC could not be reached" : `the RPC answered error ${code}`;
}

function causes(error: unknown): object[] {
  const chain: object[] = [];
  for (let cause = error; typeof cause === "object" && cause !== null; cause = (cause as ErrorLike).cause) {
    if (chain.push(cause) === CAUSES_MAX) break;
  }
  return chain;
}
