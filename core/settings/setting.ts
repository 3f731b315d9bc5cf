/**
 * How a setting is declared: a zod schema from text to value, with its documentation in a zod registry, so that each
 * setting stands in one place. A reader says what is wrong with a text and never repeats the text.
 */
import * as z from "zod";
import { type Result, refuse } from "../result.ts";
import { FAULT_CODES, type FaultCode } from "./fault.ts";

export interface SettingDoc {
  /** What it is for, units and accepted forms; whole sentences. */
  description: string;
  /** What to do when it is missing or malformed; one sentence. */
  fix: string;
  secret?: boolean;
  /** Read when the name itself is absent. */
  aliases?: readonly string[];
  /** The default as text; it goes through the same schema as a given value. */
  default?: string;
  /** The default in words, where it depends on other settings. */
  defaultNote?: string;
  /** The value may carry a key in its path: reports show the origin only. */
  show?: "origin";
}

export const settingDocs = z.registry<SettingDoc>();

/** One thing wrong with a text. `message` is a predicate that follows the setting's name. */
export interface Problem {
  code: FaultCode;
  message: string;
  /** Where the setting's own fix does not say enough. */
  fix?: string;
}

export type Reading<T> = Result<T, readonly Problem[]>;

export function problem(code: FaultCode, message: string, fix?: string): { ok: false; refusal: readonly Problem[] } {
  return refuse([fix === undefined ? { code, message } : { code, message, fix }]);
}

/** A schema that takes text and reports every problem of `read` as an issue of its own. */
export function textTo<T>(read: (text: string) => Reading<T>) {
  return z.string().transform((text, context): T => {
    const reading = read(text);
    if (reading.ok) return reading.value;
    for (const { message, ...params } of reading.refusal) {
      context.addIssue({ code: "custom", message, params });
    }
    return z.NEVER;
  });
}

const problemParams = z.object({
  code: z.custom<FaultCode>((code) => typeof code === "string" && Object.hasOwn(FAULT_CODES, code)),
  fix: z.string().optional(),
});

/** The problem behind a zod issue raised by `textTo`. */
export function problemOf(issue: z.core.$ZodIssue): Problem {
  const params = problemParams.safeParse(issue.code === "custom" ? issue.params : undefined);
  if (!params.success) return { code: "malformed", message: "cannot be read" };
  const { code, fix } = params.data;
  return { code, message: issue.message, ...(fix === undefined ? {} : { fix }) };
}

/** A setting without a default; its value is undefined when absent. */
export function optional<S extends z.ZodType>(schema: S, doc: SettingDoc) {
  return documented(schema.optional(), doc);
}

/** A setting with a default, given as text and read like any other text. */
export function defaulted<S extends z.ZodType<unknown, string>>(schema: S, text: z.input<S>, doc: SettingDoc) {
  return documented(schema.prefault(text), { ...doc, default: text });
}

function documented<S extends z.ZodType>(schema: S, doc: SettingDoc): S {
  settingDocs.add<z.ZodType>(schema, doc);
  return schema;
}
