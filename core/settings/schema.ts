/**
 * The one schema of all settings. Every field takes text (or nothing) and gives a value; the documentation of each hangs
 * on its schema, and the operator's page is generated from it.
 */
import * as z from "zod";
import { apiShape } from "./api.ts";
import { backendsShape } from "./backends.ts";
import { identityShape } from "./identity.ts";
import { ipfsShape } from "./ipfs.ts";
import { limitsShape } from "./limits.ts";
import { networkShape } from "./network.ts";
import { retentionShape } from "./retention.ts";
import { type SettingDoc, settingDocs } from "./setting.ts";
import { sidecarShape } from "./sidecar-shape.ts";

export const settingsSchema = z.object({
  ...identityShape,
  ...networkShape,
  ...backendsShape,
  ...ipfsShape,
  ...limitsShape,
  ...retentionShape,
  ...apiShape,
});

/** The values by name, before they become `Settings`. */
export type Values = z.output<typeof settingsSchema>;
export type SettingName = keyof Values;

export interface NamedSetting extends SettingDoc {
  name: SettingName;
}

/** Groups in the order of the operator's page. */
export const SETTING_GROUPS: readonly { title: string; settings: readonly NamedSetting[] }[] = [
  { title: "Identity", settings: documented(identityShape) },
  { title: "Network", settings: documented(networkShape) },
  { title: "Models", settings: documented(backendsShape) },
  { title: "IPFS", settings: documented(ipfsShape) },
  { title: "Work", settings: documented(limitsShape) },
  { title: "What is kept", settings: documented(retentionShape) },
  { title: "API, log and command line", settings: documented(apiShape) },
];

export const SETTINGS: readonly NamedSetting[] = SETTING_GROUPS.flatMap((group) => group.settings);

/** What only the sidecar reads: nothing for the Worker, which is never told it. */
export const sidecarSchema = z.object(sidecarShape);
export type SidecarValues = z.output<typeof sidecarSchema>;
export type SidecarSettingName = keyof SidecarValues;

export interface NamedSidecarSetting extends SettingDoc {
  name: SidecarSettingName;
}

export const SIDECAR_SETTINGS: readonly NamedSidecarSetting[] = Object.entries(sidecarShape).map(([name, schema]) => ({
  name: sidecarSchema.keyof().parse(name),
  ...docOf(name, schema),
}));

function documented(shape: Readonly<Record<string, z.ZodType>>): NamedSetting[] {
  const names = settingsSchema.keyof();
  return Object.entries(shape).map(([name, schema]) => ({ name: names.parse(name), ...docOf(name, schema) }));
}

function docOf(name: string, schema: z.ZodType): SettingDoc {
  const doc = settingDocs.get(schema);
  if (doc === undefined) throw new Error(`the setting ${name} has no documentation`);
  return doc;
}
