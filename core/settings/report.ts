/** The settings as plain JSON for `GET /api/settings`: what is set, what is wrong, and no secret. */
import type { Fault, Note } from "./fault.ts";
import type { SettingEntry, SettingsResult } from "./settings.ts";

export interface SettingsReport {
  /** False when the node claims nothing because of a fault. */
  ok: boolean;
  settings: SettingEntry[];
  faults: Fault[];
  notes: Note[];
}

export function settingsReport({ settings, entries, faults, notes }: SettingsResult): SettingsReport {
  return {
    ok: settings !== null,
    settings: entries.map((entry) => ({ ...entry })),
    faults: faults.map((fault) => ({ ...fault })),
    notes: notes.map((note) => ({ ...note })),
  };
}
