/** Faults that are no single call's: what happens, and what must come of it. Run by test/sim/odd-cases*.test.ts. */
import type { Route } from "./endpoint.ts";

export interface OddCase {
  /** What happens; a clause. */
  when: string;
  /** What the node does; a clause. */
  node: string;
  /** What becomes of the job. */
  job: string;
}

export const ODD_CASES = {
  "lying gateway, once": {
    when: "the gateway sends other bytes than the CID names, three times",
    node: "they are refused, and it is asked again",
    job: "accepted",
  },
  "lying gateway": {
    when: "the gateway goes on sending other bytes than the CID names",
    node: "nothing is answered that is not proven to be the prompt",
    job: "deadline ipfs-mismatch",
  },
  "duplicate offers": {
    when: "an offer comes twice in one list, and again in the next ones",
    node: "it is claimed once",
    job: "accepted",
  },
  "changed offer": {
    when: "an offer comes back with another prompt and deadline after it was taken",
    node: "the first one counts",
    job: "accepted",
  },
  "flipped role": {
    when: "an offer comes back with the other role after it was taken",
    node: "the first one counts, and the operator is told (`offer.left`, reason `changed`)",
    job: "accepted",
  },
  "past deadline": {
    when: "an offer's deadline is in the past",
    node: "it is left alone (`offer.left`, reason `no-time`)",
    job: "not claimed",
  },
  "clock behind": {
    when: "the node's clock is 10 minutes behind the coordinator's",
    node: "the coordinator's time is used towards the coordinator, and the operator is told (`clock.off`)",
    job: "accepted",
  },
  "clock ahead": {
    when: "the node's clock is 10 minutes ahead of the coordinator's",
    node: "the coordinator's time is used towards the coordinator, and the operator is told (`clock.off`)",
    job: "accepted",
  },
  "reorganised chain": {
    when: "the chain drops the block with the output key's transaction after its receipt was seen",
    node: "the receipt is looked for again, and the same bytes go out again",
    job: "accepted",
  },
  "early reorganisation": {
    when: "the chain drops that block between the receipt and the result's submission, which the coordinator checks",
    node: "at the refusal the receipt is looked for again; the same bytes go out again, and then the result",
    job: "accepted",
  },
  "reverted transaction": {
    when: "the output key's transaction is mined and reverts",
    node: "it is not sent again, and the reason is asked for",
    job: "failed transaction-reverted",
  },
  "reverted in silence": {
    when: "it reverts, and the RPC node does not say why",
    node: "the same, with the reason `unknown`",
    job: "failed transaction-reverted",
  },
  "no figures": {
    when: "the payment service has no figures, in any way, when the operator asks (`GET /api/earnings`)",
    node: "the answer has none, and the last known ones with their date",
    job: "accepted",
  },
  "gas price spike": {
    when: "the base fee rises above what a signed transaction offers, and falls again after 30 s",
    node: "the same bytes go out again until they are taken",
    job: "accepted",
  },
  "lasting gas price spike": {
    when: "the base fee stays above what a signed transaction offers, and above what the settings let it offer",
    node: "nothing is led until it is mined (hold `transactions`), and no dearer one takes its place",
    job: "deadline gas-price",
  },
  "D1 away": {
    when: "D1 fails for an hour",
    node: "jobs are not delayed, and the history catches up when it returns",
    job: "accepted",
  },
} as const satisfies Record<string, OddCase>;

export type OddCaseName = keyof typeof ODD_CASES;

/** Calls that only these cases bring about. */
export const ODD_CALLS: readonly (Route & { for: OddCaseName })[] = [
  { for: "reverted transaction", door: "rpc", method: "POST", path: "^/eth_getTransactionByHash$" },
  { for: "reverted transaction", door: "rpc", method: "POST", path: "^/eth_call/{promptKeyStore}$" },
  { for: "no figures", door: "payment", method: "GET", path: "^/v1/nodes/[^/]+/stats$" },
];
