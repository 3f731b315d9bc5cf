import { describe, expect, it } from "vitest";
import { NodeError, toFailure } from "./errors.ts";

describe("an error as plain data", () => {
  it("keeps what a NodeError says, and nothing of its cause", () => {
    const cause = new Error("a prompt in plain text");
    const error = new NodeError("model", "the model failed", { retry: "later", hint: "wait", retryAfterMs: 5, cause });
    expect(toFailure(error)).toEqual({
      code: "model",
      message: "the model failed",
      hint: "wait",
      retry: "later",
      admitted: "no",
      retryAfterMs: 5,
    });
  });

  it.each<[string, unknown]>([
    ["an error of another library", new TypeError("a key in plain text")],
    ["a text", "a key in plain text"],
    ["nothing", undefined],
    ["an error that calls itself something else", Object.assign(new Error(""), { name: "a key in plain text" })],
  ])("tells the kind only of %s", (_what, thrown) => {
    const failure = toFailure(thrown);
    expect(failure.code).toBe("internal");
    expect(JSON.stringify(failure)).not.toContain("plain text");
  });
});
