/**
 * The keystore's password: BLF_KEY_PASSWORD, else asked for, never taken from a command line. A new one must be long enough
 * to outlast a stolen file, and be without white space around it, which settings lose on their way.
 */
import { password as ask, isCancel } from "@clack/prompts";
import { Secret } from "../../core/secret.ts";
import { stopped, usageError } from "../errors.ts";
import type { Io } from "../io.ts";

/** With scrypt's standard cost some 10^9 guesses a year on one machine: a random word or two more outlast that. */
export const PASSWORD_MIN = 10;

/** Why a password cannot be a new one's; null where it can. */
export function passwordProblem(text: string): string | null {
  if (text !== text.trim()) return "The password must not begin or end with a blank.";
  return text.length < PASSWORD_MIN ? `The password must have at least ${PASSWORD_MIN} characters.` : null;
}

/** @param given BLF_KEY_PASSWORD. Throws CliError (`usage`) where there is none and nobody can be asked. */
export async function passwordOf(io: Io, given: string | undefined, path: string): Promise<Secret> {
  if (given !== undefined) return new Secret(given);
  if (!io.interactive) {
    throw usageError(`The password of ${path} is needed.`, "Set BLF_KEY_PASSWORD, or run this on a terminal.");
  }
  const answer = await ask({ message: `Password of ${path}`, output: process.stderr });
  if (isCancel(answer)) throw stopped();
  return new Secret(answer);
}
