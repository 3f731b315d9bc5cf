/**
 * What rules across settings work with: the values read so far and a place to report to. A rule says nothing about a
 * setting whose own value is at fault already: the operator mends that first.
 */
import type { Fault, FaultCode, Note } from "./fault.ts";
import type { SettingName, Values } from "./schema.ts";

export interface RuleContext {
  values: Values;
  /** True when the environment holds the setting, whatever its value. */
  given: (name: SettingName) => boolean;
  /** True when the setting's own value could not be read. */
  faulty: (name: SettingName) => boolean;
}

export interface Findings {
  fault: (setting: SettingName, code: FaultCode, message: string, fix: string) => void;
  warning: (setting: SettingName, code: FaultCode, message: string, fix: string) => void;
  note: (setting: SettingName, message: string) => void;
}

export type Rule = (context: RuleContext, findings: Findings) => void;

/** Findings that append to the lists given. */
export function collectInto(faults: Fault[], notes: Note[]): Findings {
  return {
    fault: (setting, code, message, fix) => faults.push({ code, setting, message, fix, severity: "fault" }),
    warning: (setting, code, message, fix) => faults.push({ code, setting, message, fix, severity: "warning" }),
    note: (setting, message) => notes.push({ setting, message }),
  };
}
