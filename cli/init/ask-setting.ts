/**
 * One setting: asked for, read by the settings' own rules as it is typed, tried against its service, and asked for again
 * where that says no. A secret is typed hidden. An empty answer leaves the setting as it was, or out.
 */
import { Secret } from "../../core/secret.ts";
import type { SettingName } from "../../core/settings/schema.ts";
import type { Finding } from "../doctor/finding.ts";
import { isSecretSetting } from "../env-file.ts";
import { problemWith } from "../lenient-settings.ts";
import type { Ask } from "./ask.ts";

export interface Known {
  ask: Ask;
  /** What is set so far; answers go in here. */
  texts: Partial<Record<SettingName, string>>;
  allowHttp: boolean;
  skipTests: boolean;
}

export interface Question {
  name: SettingName;
  message: string;
  /** Null where there is nothing to try. */
  test: (text: string) => Promise<Finding | null>;
}

export async function askSetting(known: Known, question: Question): Promise<void> {
  const { ask, texts } = known;
  const { name } = question;
  let text = texts[name];
  const problem = text === undefined ? null : problemWith(name, text, known.allowHttp);
  if (problem !== null) ask.say(problem, "warn");
  if (text !== undefined && problem === null) {
    const again = await ask.yes(`${name} is set already. Keep it?`, true);
    if (!again) text = await typed(known, question);
  } else text = await typed(known, question);
  for (;;) {
    if (text === undefined) {
      delete texts[name];
      return;
    }
    const next = await tried(known, question, text);
    if (next === "keep") {
      texts[name] = text;
      return;
    }
    text = next === "out" ? undefined : await typed(known, question);
  }
}

/** Undefined for an empty answer. */
async function typed({ ask, allowHttp }: Known, { name, message }: Question): Promise<string | undefined> {
  const check = (answer: string) => (answer.trim() === "" ? null : problemWith(name, answer, allowHttp));
  const answer = isSecretSetting(name)
    ? await ask.hidden(message, check)
    : new Secret(await ask.text(message, { check }));
  return answer.reveal().trim() || undefined;
}

async function tried(known: Known, { name, test }: Question, text: string): Promise<"keep" | "again" | "out"> {
  const { ask, skipTests } = known;
  const finding = skipTests ? null : await ask.work(`Trying ${name}`, () => test(text));
  if (finding === null) return "keep";
  ask.say(finding.detail, finding.status === "ok" ? "good" : "warn");
  if (finding.status !== "failure") return "keep";
  if (finding.fix !== null) ask.say(finding.fix);
  return ask.choose(
    `${name} did not work. What now?`,
    [
      { value: "again", label: "type it again" },
      { value: "keep", label: "keep it all the same" },
      { value: "out", label: "leave it out" },
    ],
    "again",
  );
}
