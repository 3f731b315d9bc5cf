/**
 * Structured logging: one JSON object a line, `{time, level, event, …fields}`. It decides nothing about the sink. As a
 * last guard it blots out every known secret; callers still never pass any. Invariant: a line is bounded and is one line.
 */
import type { Clock, Log, LogFields, LogLevel } from "./ports.ts";
import type { Secret } from "./secret.ts";

export interface LogOptions {
  /** Events below this level are dropped. */
  level: LogLevel;
  clock: Pick<Clock, "now">;
  /** Fields of every line; a call's own fields win. */
  base?: LogFields;
  /** Blotted out wherever they occur, in any case and also without their 0x. */
  secrets?: readonly (Secret | string)[];
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
/** Enough for any message of ours; it keeps a stray blob from filling the log. */
const TEXT_MAX = 512;
/** A shorter "secret" would blot out ordinary words. */
const SECRET_MIN = 8;
const RESERVED: ReadonlySet<string> = new Set(["time", "level", "event"]);

/** A log that hands finished lines, without line break, to `sink`. Fields that are undefined are left out. */
export function createLog(sink: (line: string) => void, options: LogOptions): Log {
  const { level: least, clock, base = {}, secrets = [] } = options;
  const blot = blotter(secrets);
  const tidy = (text: string) => clip(blot(text));

  return (level, event, fields = {}) => {
    if (RANK[level] < RANK[least]) return;
    const entries: [string, unknown][] = [
      ["time", new Date(clock.now()).toISOString()],
      ["level", level],
      ["event", tidy(event)],
    ];
    for (const [name, value] of Object.entries({ ...base, ...fields })) {
      if (value === undefined) continue;
      // A field must not pass itself off as the line's own time, level or event.
      const key = RESERVED.has(name) ? `${name}_` : tidy(name);
      entries.push([key, typeof value === "string" ? tidy(value) : value]);
    }
    sink(JSON.stringify(Object.fromEntries(entries)));
  };
}

/**
 * The one redactor: gives a text with every one of these secrets replaced. A text is clipped afterwards, if at all: a
 * secret cut in half would no longer be recognised.
 */
export function blotter(secrets: readonly (Secret | string)[]): (text: string) => string {
  const forms = secrets
    .map((secret) => (typeof secret === "string" ? secret : secret.reveal()).replace(/^0x/i, ""))
    .filter((form) => form.length >= SECRET_MIN)
    .sort((a, b) => b.length - a.length);
  if (forms.length === 0) return (text) => text;
  const pattern = new RegExp(`(?:0x)?(?:${forms.map(escapePattern).join("|")})`, "gi");
  return (text) => text.replace(pattern, "[redacted]");
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
}

function clip(text: string): string {
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX - 1)}…` : text;
}
