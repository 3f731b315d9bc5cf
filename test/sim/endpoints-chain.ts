/** The chain's further calls: its id, fees, the hourly look, CoFHE's contracts, and the probe of an RPC node that failed. */
import { type Endpoint, leader, type Outcome, verifier } from "./endpoint.ts";
import { COFHE, RPC } from "./fault-codes.ts";
import { FAULTS, type FaultName, type Json } from "./fault-modes.ts";

export const result = (value: Json): Json => ({ jsonrpc: "2.0", id: 1, result: value });
export const HUGE = `0x${"f".repeat(80)}`;

/** What every row of the RPC node shares. */
export const rpc = {
  ...leader,
  door: "rpc",
  method: "POST",
  few: 5,
  codes: RPC,
  wrongTypes: result({ a: [true] }),
  absentFields: { jsonrpc: "2.0", id: 1 },
  outOfRange: result(HUGE),
} as const;

const duty = { name: "chain", from: "start", beforeJobSec: 40, always: "accepted" } as const;
const look = { ...rpc, duty } as const;
/** A call without a result reads as one to an address without a contract. */
const read = { ...look, codes: { ...RPC, "absent fields": "settings" } } as const;

export const CHAIN_LOOKS: readonly Endpoint[] = [
  {
    ...look,
    name: "RPC eth_getBalance",
    purpose: "the gas money, each hour and before a transaction is signed",
    path: "^/eth_getBalance$",
    // Any number is a balance; a transaction that cannot be paid for is told by the chain.
    duty: { ...duty, always: "deadline rpc-unavailable", harmless: ["out of range"] },
    except: { always: { hang: "deadline" } },
    note: "The failure that is logged is the look's; a transaction waits for the answer as well.",
  },
  {
    ...look,
    name: "RPC eth_gasPrice",
    purpose: "what gas costs, to tell whether the money is enough",
    path: "^/eth_gasPrice$",
    duty: { ...duty, harmless: FAULTS },
    note: "Without it the node does not judge its gas money.",
  },
  {
    ...read,
    name: "RPC registration",
    purpose: "the node's registration and its last heartbeat on chain",
    path: "^/eth_call$",
  },
  { ...read, name: "RPC stake", purpose: "the stake, and failures in a row", path: "^/eth_call/{staking}$" },
  {
    ...read,
    name: "RPC BLIND balance",
    purpose: "the tokens",
    path: "^/eth_call/{token}$",
    duty: { ...duty, harmless: ["out of range"] },
  },
];

/** Every fault with the same outcome, but for one. */
const all = (outcome: Outcome, but?: FaultName) =>
  Object.fromEntries(FAULTS.filter((fault) => fault !== but).map((fault) => [fault, outcome]));

export const CHAIN_BASICS: readonly Endpoint[] = [
  {
    ...rpc,
    name: "RPC eth_chainId",
    purpose: "that it is the right chain, before a job's first call",
    path: "^/eth_chainId$",
    codes: COFHE,
    note: "The id of another chain is a fault of the settings; an answer without an id is none.",
  },
  {
    ...rpc,
    name: "RPC eth_maxPriorityFeePerGas",
    purpose: "the tip",
    path: "^/eth_maxPriorityFeePerGas$",
    except: { always: all("accepted", "out of range") },
    note: "Without an answer the tip comes of the gas price and the base fee.",
  },
  {
    ...rpc,
    name: "RPC eth_blockNumber",
    purpose: "whether the RPC node is back, after three failures in a row",
    path: "^/eth_blockNumber$",
    given: [{ door: "rpc", method: "POST", path: "^/eth_getTransactionCount$", status: 503, count: 100 }],
    except: { always: all("accepted") },
    note: "A probe that fails keeps the node from taking jobs that need the chain; the one that it holds goes on.",
  },
];

export const COFHE_CONTRACTS: readonly Endpoint[] = [
  {
    ...rpc,
    role: verifier.role,
    name: "CoFHE access control",
    purpose: "the contract that a permit is signed for",
    // The last: what it is told when the answer is out of range.
    path: "^/eth_call/({taskManager}|{acl}|0xf{40})$",
    codes: COFHE,
  },
  {
    ...rpc,
    name: "CoFHE mock account",
    purpose: "who sends a mock encryption; on the devnet only",
    path: "^/eth_accounts$",
    except: { few: { "out of range": "deadline rpc-unavailable" } },
    note: "A job asks for it once, and goes by what it was told.",
  },
  {
    ...rpc,
    name: "CoFHE mock transaction",
    purpose: "a mock encryption; on the devnet only",
    path: "^/eth_sendTransaction",
    except: { always: { "wrong types": "accepted", "absent fields": "accepted", "out of range": "accepted" } },
    note: "The mock asks for no receipt: what is no refusal counts as sent.",
  },
];
