import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { Secret } from "./secret.ts";

const VALUE = "correct-horse-battery";
const secret = new Secret(VALUE);

describe("a secret", () => {
  it("gives its value to reveal()", () => {
    expect(secret.reveal()).toBe(VALUE);
  });

  it.each([
    ["String()", () => String(secret)],
    ["joining", () => ["token", secret].join(" ")],
    ["JSON", () => JSON.stringify({ token: secret })],
    ["Node's inspect", () => inspect({ token: secret }, { depth: 9, showHidden: true })],
    ["its own properties", () => JSON.stringify(Object.getOwnPropertyDescriptors(secret))],
  ])("does not show its value through %s", (_, show) => {
    expect(show()).not.toContain(VALUE);
  });

  it("says in its place that something was left out", () => {
    expect(JSON.stringify([secret])).toBe('["[redacted]"]');
    expect(inspect(secret)).toBe("[redacted]");
  });

  it("cannot be copied by a structured clone", () => {
    expect(JSON.stringify(structuredClone(secret))).not.toContain(VALUE);
  });
});
