/** Checks the settings as a deployment needs them. Shows every finding at once and refuses while there is a fault. */
import type { Fault } from "../../core/settings/fault.ts";
import { readSettings } from "../../core/settings/settings.ts";
import { usageError } from "../errors.ts";
import { unreachableFrom } from "./bindings.ts";

/** @param note takes one line. Throws CliError (`usage`) */
export function checkSettings(settings: Readonly<Record<string, string>>, note: (line: string) => void): void {
  const { faults, notes } = readSettings(settings);
  const found: Fault[] = [...faults, ...unreachableFrom(settings)];
  for (const { message } of notes) note(`note: ${message}`);
  for (const { severity, setting, message, fix } of found) note(`${severity}: ${setting}: ${message}\n  fix: ${fix}`);
  const count = found.filter(({ severity }) => severity === "fault").length;
  if (count === 0) return;
  throw usageError(
    `${count === 1 ? "A setting is" : `${count} settings are`} at fault, so a deployed node would claim nothing. Nothing was done.`,
    "Mend what is listed above, then run this again.",
  );
}
