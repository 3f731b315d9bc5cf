/** Faults that are no single call's: what happens, and what must come of it. Run by test/sim/odd-cases.test.ts. */
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
  "gas price spike": {
    when: "the base fee rises above what a signed transaction offers, and falls again after 30 s",
    node: "the same bytes go out again until they are taken",
    job: "accepted",
  },
  "lasting gas price spike": {
    when: "the base fee stays above what a signed transaction offers",
    node: "nothing is led until it is mined (hold `transactions`), and no second transaction is signed for the purpose",
    job: "deadline",
  },
  "D1 away": {
    when: "D1 fails for an hour",
    node: "jobs are not delayed, and the history catches up when it returns",
    job: "accepted",
  },
} as const satisfies Record<string, OddCase>;

export type OddCaseName = keyof typeof ODD_CASES;
