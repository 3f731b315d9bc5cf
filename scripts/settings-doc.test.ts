import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { FAULT_CODES } from "../core/settings/fault.ts";
import { SETTINGS, SIDECAR_SETTINGS } from "../core/settings/schema.ts";
import { renderSettings } from "./settings-doc.ts";

it("the operator's page is what the schema says", () => {
  expect(readFileSync(new URL("../docs/operate/settings.md", import.meta.url), "utf8")).toBe(renderSettings());
});

it("the page has a row for every setting and every fault code, with its default and its aliases", () => {
  const rows = renderSettings().split("\n");
  for (const { name, aliases = [], secret = false, default: text } of [...SETTINGS, ...SIDECAR_SETTINGS]) {
    const row = rows.filter((line) => line.startsWith(`| \`${name}\``));
    expect(row, name).toHaveLength(1);
    for (const part of [...aliases, ...(text === undefined ? [] : [text])]) expect(row[0]).toContain(`\`${part}\``);
    expect(row[0]?.includes("**secret**")).toBe(secret);
  }
  for (const code of Object.keys(FAULT_CODES)) expect(rows.some((line) => line.startsWith(`| \`${code}\``))).toBe(true);
});

it("every cell stays a cell: no stray pipe, no line break", () => {
  for (const row of renderSettings()
    .split("\n")
    .filter((line) => line.startsWith("|"))) {
    expect([3, 4]).toContain(row.replaceAll("\\|", "").split("|").length - 1);
  }
});
