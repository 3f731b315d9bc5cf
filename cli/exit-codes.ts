/** How a command ends, for scripts. Documented in docs/operate/cli.md from this table. */
export const EXIT_CODES = {
  ok: { code: 0, meaning: "done" },
  failed: { code: 1, meaning: "it was tried and failed, or a check found a failure" },
  usage: { code: 2, meaning: "the command line, a file or a setting is wrong; nothing was done" },
  unreachable: { code: 3, meaning: "the node, the chain or a service did not answer" },
  refused: {
    code: 4,
    meaning: "a condition is not met (balance, unbonding time, a guard), or you declined; nothing was sent",
  },
  interrupted: { code: 130, meaning: "stopped by Ctrl-C" },
} as const;

export type ExitReason = keyof typeof EXIT_CODES;
