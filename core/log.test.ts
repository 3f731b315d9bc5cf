import { describe, expect, it } from "vitest";
import { createLog, type LogOptions } from "./log.ts";
import type { LogLevel } from "./ports.ts";
import { Secret } from "./secret.ts";

const NOW = Date.UTC(2026, 10, 24, 6, 0, 0, 123);

function logInto(lines: string[], options: Partial<LogOptions> = {}) {
  return createLog((line) => lines.push(line), { level: "debug", clock: { now: () => NOW }, ...options });
}

function lineOf(options: Partial<LogOptions>, ...call: Parameters<ReturnType<typeof createLog>>): string {
  const lines: string[] = [];
  logInto(lines, options)(...call);
  expect(lines).toHaveLength(1);
  return lines[0] ?? "";
}

describe("a log line", () => {
  it("is one JSON object with time, level and event first, then the base and the call's fields", () => {
    const line = lineOf({ base: { node: "0xA", role: "leader" } }, "info", "job.claimed", {
      jobId: "j",
      role: "verifier",
    });
    expect(line).toBe(
      '{"time":"2026-11-24T06:00:00.123Z","level":"info","event":"job.claimed","node":"0xA","role":"verifier","jobId":"j"}',
    );
  });

  it("stays one line whatever a field holds", () => {
    const line = lineOf({}, "warn", "icl.refused", { message: 'a\r\nb\u2028{"level":"error"}' });
    expect(line).not.toMatch(/[\r\n]/);
    expect(JSON.parse(line)).toMatchObject({ level: "warn", message: 'a\r\nb\u2028{"level":"error"}' });
  });

  it("leaves out undefined fields and keeps null, numbers and booleans", () => {
    const fields = JSON.parse(lineOf({}, "info", "e", { a: undefined, b: null, c: 0, d: false }));
    expect(fields).toEqual({ time: expect.any(String), level: "info", event: "e", b: null, c: 0, d: false });
  });

  it("keeps a field from passing itself off as the level, the time or the event", () => {
    const line = lineOf({}, "error", "e", { level: "debug", event: "fake", time: "then" });
    expect(JSON.parse(line)).toMatchObject({ level: "error", level_: "debug", event_: "fake", time_: "then" });
  });

  it("bounds every text to 512 characters", () => {
    const { event, text, exact } = JSON.parse(
      lineOf({}, "info", "e".repeat(2000), { text: "t".repeat(513), exact: "x".repeat(512) }),
    );
    expect(event).toHaveLength(512);
    expect(text).toBe(`${"t".repeat(511)}…`);
    expect(exact).toBe("x".repeat(512));
  });
});

describe("the level", () => {
  const levels: LogLevel[] = ["debug", "info", "warn", "error"];
  it.each(levels)("%s lets through itself and what is graver", (least) => {
    const lines: string[] = [];
    const log = logInto(lines, { level: least });
    for (const level of levels) log(level, "e");
    expect(lines.map((line) => JSON.parse(line).level)).toEqual(levels.slice(levels.indexOf(least)));
  });
});

describe("the last guard", () => {
  const key = `0x${"Ab12".repeat(16)}`;
  const token = "p4ss.w+rd/(x)";
  const secrets = [new Secret(key), token, "short"];

  it.each([
    ["as it is", key],
    ["without 0x", key.slice(2)],
    ["in lower case", key.toLowerCase()],
    ["in upper case", key.toUpperCase()],
    ["inside other text", `bad key ${key.slice(2)}!`],
    ["with characters that mean something in a pattern", `Bearer ${token}`],
  ])("blots out a secret %s", (_, text) => {
    const line = lineOf({ secrets }, "error", "e", { text });
    expect(line.toLowerCase()).not.toContain(key.slice(2).toLowerCase());
    expect(line).not.toContain(token);
    expect(line).toContain("[redacted]");
  });

  it("also looks at the event, the field names and the base", () => {
    const line = lineOf({ secrets, base: { base: token } }, "info", token, { [token]: 1 });
    expect(line).not.toContain(token);
  });

  it("leaves nothing of a secret that would be cut at the bound", () => {
    const { text } = JSON.parse(lineOf({ secrets }, "info", "e", { text: `${"x".repeat(500)}${key}` }));
    expect(text).toBe(`${"x".repeat(500)}[redacted]`);
  });

  it("blots out a secret that holds another one as a whole", () => {
    const text = JSON.parse(lineOf({ secrets: ["12345678", "1234567890"] }, "info", "e", { text: "1234567890" })).text;
    expect(text).toBe("[redacted]");
  });

  it("leaves ordinary words alone that happen to equal a very short secret", () => {
    expect(lineOf({ secrets }, "info", "e", { text: "a short word" })).toContain("a short word");
  });
});
