/**
 * The wizard's questions. Hidden ones are never echoed; whatever is asked, Ctrl-C ends it as "stopped, nothing was done".
 * Everything goes to standard error: standard output is for data.
 */
import { type CANCEL_SYMBOL, confirm, isCancel, log, multiselect, password, select, text } from "@clack/prompts";
import { Secret } from "../../core/secret.ts";
import { stopped } from "../errors.ts";
import type { Io } from "../io.ts";

export interface Choice<T extends string = string> {
  value: T;
  label: string;
  hint?: string;
}

/** Why an answer cannot be taken; null where it can. */
type Check = (answer: string) => string | null;

export interface Ask {
  say(line: string, kind?: "info" | "good" | "warn"): void;
  text(message: string, options?: { initial?: string; placeholder?: string; check?: Check }): Promise<string>;
  hidden(message: string, check?: Check): Promise<Secret>;
  choose<T extends string>(message: string, choices: readonly Choice<T>[], initial?: T): Promise<T>;
  several(message: string, choices: readonly Choice[], initial: readonly string[]): Promise<string[]>;
  yes(message: string, initial?: boolean): Promise<boolean>;
  work<T>(what: string, work: () => Promise<T>): Promise<T>;
}

export function terminalAsk(io: Io): Ask {
  const output = process.stderr;
  const validate = (check?: Check) => (answer: string | undefined) => check?.(answer ?? "") ?? undefined;
  return {
    say(line, kind = "info") {
      const tell = { info: log.info, good: log.success, warn: log.warn }[kind];
      tell(line, { output });
    },
    text: async (message, { initial, placeholder, check } = {}) =>
      answered(
        await text({
          message,
          output,
          validate: validate(check),
          ...(initial === undefined ? {} : { initialValue: initial }),
          ...(placeholder === undefined ? {} : { placeholder }),
        }),
      )?.trim() ?? "",
    hidden: async (message, check) =>
      new Secret(answered(await password({ message, output, validate: validate(check), clearOnError: true })) ?? ""),
    choose: async (message, choices, initial) => {
      const options = choices.map((choice) => ({ ...choice }));
      const chosen = answered(
        await select<string>({ message, output, options, ...(initial === undefined ? {} : { initialValue: initial }) }),
      );
      const found = choices.find(({ value }) => value === chosen);
      if (found === undefined) throw new Error("an answer that was not offered");
      return found.value;
    },
    several: async (message, choices, initial) =>
      answered(
        await multiselect<string>({
          message,
          output,
          options: choices.map((choice) => ({ ...choice })),
          initialValues: [...initial],
          required: false,
        }),
      ),
    yes: async (message, initial = true) => answered(await confirm({ message, output, initialValue: initial })),
    work: (what, work) => io.progress(what, work),
  };
}

function answered<T extends string | boolean | string[] | undefined>(answer: T | typeof CANCEL_SYMBOL): T {
  if (isCancel(answer)) throw stopped();
  return answer;
}
