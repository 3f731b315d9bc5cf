/** An error whose message is meant for the operator: what happened, why, what to do. */
export class CliError extends Error {
  override readonly name = "CliError";
}
