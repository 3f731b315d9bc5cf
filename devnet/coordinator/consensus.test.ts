import { describe, expect, it } from "vitest";
import { decide, equalHashes, requiredMatches, type Vote } from "./consensus.ts";

/** `a`, `b`: a hash; `.`: none yet; `x`: failed. The leader first. */
function parse(text: string): Vote[] {
  return Array.from(text).map((one) => ({ hash: /[a-z]/.test(one) && one !== "x" ? one : null, failed: one === "x" }));
}

describe("consensus", () => {
  it.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 4],
    [6, 4],
    [7, 5],
  ])("of %i nodes %i must match", (nodes, needed) => {
    expect(requiredMatches(nodes)).toBe(needed);
  });

  it.each([
    ["...", null, 0, "nobody has answered"],
    [".aa", null, 0, "two verifiers agree, but without the leader there is no answer"],
    ["a..", null, 1, "only the leader has answered"],
    ["aa.", "accepted", 2, "two of three match"],
    ["aab", "accepted", 2, "one dissenter does not matter"],
    ["aaa", "accepted", 3, "all match"],
    ["ab.", null, 1, "the third can still decide"],
    ["abb", "rejected", 1, "verifiers that agree against the leader accept nothing"],
    ["abc", "rejected", 1, "all differ"],
    ["abx", "rejected", 1, "the third failed, so nothing can match any more"],
    ["ax.", null, 1, "one failed, the other can still match"],
    ["axx", "rejected", 1, "nobody is left to confirm"],
    ["x..", "timedout", 0, "the leader failed"],
    ["xaa", "timedout", 0, "the leader failed, whatever the verifiers found"],
    ["aabb.", "rejected", 2, "two of five, and the last one cannot make it four"],
    ["aabbb", "rejected", 2, "two of five"],
    ["aaa.b", null, 3, "the last of five decides"],
    ["aaaab", "accepted", 4, "four of five"],
    ["a", "accepted", 1, "a leader alone needs only itself"],
  ] as const)("%s: %s with %i equal, because %s", (text, outcome, equal, _why) => {
    const votes = parse(text);
    expect(decide(votes)).toBe(outcome);
    expect(equalHashes(votes)).toBe(equal);
  });
});
