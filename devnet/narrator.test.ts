import { expect, it } from "vitest";
import { createNarrator } from "./narrator.ts";

it("tells each step with the seconds since the beginning, and nothing once it is closed", () => {
  const lines: string[] = [];
  let nowMs = 5_000;
  const narrator = createNarrator(
    (line) => lines.push(line),
    () => nowMs,
  );
  narrator.say("begun");
  nowMs += 12_340;
  narrator.say("done");
  narrator.close();
  narrator.say("too late");
  expect(lines).toEqual(["   0.0 s  begun", "  12.3 s  done"]);
});
