/**
 * What the command prints of others' words goes through here: errors of Node and workerd, and the log. It blots out every
 * secret of the environments that it has been told of, also of settings that are at fault.
 */
import { blotter } from "../core/log.ts";
import type { Secret } from "../core/secret.ts";
import { secretsIn } from "../core/settings/secrets.ts";

export interface Redactor {
  /** From now on this environment's secrets are known too. */
  learn(env: Readonly<Record<string, string | undefined>>): void;
  learnSecrets(...secrets: readonly Secret[]): void;
  redact(text: string): string;
}

export function createRedactor(): Redactor {
  const known: Secret[] = [];
  let redact = blotter(known);
  const learnSecrets = (...secrets: readonly Secret[]) => {
    known.push(...secrets);
    redact = blotter(known);
  };
  return {
    learn: (env) => learnSecrets(...secretsIn(env)),
    learnSecrets,
    redact: (text) => redact(text),
  };
}

/** The command's own: one process, one environment. */
export const redactor = createRedactor();
