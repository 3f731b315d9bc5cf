import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createIo, type Io } from "../io.ts";
import { followAction, type LiveRow, reportTransactions, throwIfFruitless } from "./follow.ts";
import { asksTheSame } from "./own-queue.ts";

const row = (state: string, change: Partial<LiveRow> = {}): LiveRow => ({
  purpose: "action:1234:stake",
  state,
  hash: null,
  error: null,
  blocked: null,
  ...change,
});

/** What is said and printed, in order. */
function listening() {
  const lines: string[] = [];
  const io: Io = {
    ...createIo(),
    print: (line = "") => void lines.push(line),
    paint: (_style, text) => text,
    progress: (_what, work) => work((now) => void lines.push(now)),
  };
  return { io, lines };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("following an action", () => {
  it("looks until every transaction is over, and says each change once", async () => {
    const { io, lines } = listening();
    const approved = row("confirmed", { purpose: "action:1234:approve", hash: "0xa" });
    const looks = [
      [row("queued", { purpose: "action:1234:approve" }), row("queued")],
      [row("sent", { purpose: "action:1234:approve", hash: "0xa" }), row("queued")],
      [row("sent", { purpose: "action:1234:approve", hash: "0xa" }), row("queued")],
      [approved, row("queued", { blocked: { code: "gas", message: "the fee is too high", hint: "Wait." } })],
      [approved, row("reverted", { hash: "0xb" })],
    ];
    let next = 0;
    const [rows] = await Promise.all([
      followAction(io, async () => looks[next++] ?? [], "Ask again."),
      vi.advanceTimersByTimeAsync(10_000),
    ]);
    expect(rows).toEqual(looks[4]);
    expect(next).toBe(5);
    expect(lines).toEqual(["approve is queued", "approve is sent (0xa)", "stake waits: the fee is too high"]);
  });

  it("gives up after ten minutes with the way on, because the queue goes on without it", async () => {
    const { io } = listening();
    const blocked = { code: "gas", message: "the fee is too high", hint: "Wait." };
    await Promise.all([
      expect(followAction(io, async () => [row("queued", { blocked })], "Ask again.")).rejects.toMatchObject({
        exit: "unreachable",
        message: expect.stringMatching(/Not over after 10 minutes: stake waits/),
        fix: "Wait. Ask again.",
      }),
      vi.advanceTimersByTimeAsync(11 * 60_000),
    ]);
  });

  it("ends with the error of a look", async () => {
    const { io } = listening();
    await expect(followAction(io, () => Promise.reject(new Error("away")), "Ask again.")).rejects.toThrow("away");
  });
});

describe("the report", () => {
  it("has each step's state, with a link where the chain has an explorer", () => {
    const { io, lines } = listening();
    reportTransactions(io, 421_614, [row("confirmed", { hash: "0xa" }), row("cancelled")]);
    reportTransactions(io, 31_337, [row("confirmed", { hash: "0xb" })]);
    expect(lines.map((line) => line.trim())).toEqual([
      "stake: confirmed  https://sepolia.arbiscan.io/tx/0xa",
      "stake: cancelled",
      "stake: confirmed  0xb",
    ]);
  });

  it.each(["reverted", "failed", "cancelled"])("ends as failed where a step is %s, with the reason", (state) => {
    const rows = [row("confirmed"), row(state, { error: "not enough BLIND" })];
    expect(() => throwIfFruitless(rows)).toThrow(`stake came to nothing (${state}): not enough BLIND.`);
    expect(() => throwIfFruitless([row("confirmed")])).not.toThrow();
  });
});

describe("an interrupted command", () => {
  const stake = { id: "the-first-id", action: "stake", amount: "1000" } as const;
  it.each([
    [stake, { ...stake, id: "another-id" }, true],
    [stake, { ...stake, amount: "1000.5" }, false],
    [stake, { id: "another-id", action: "stake" } as const, false],
    [stake, { id: "another-id", action: "unstake" } as const, false],
    [{ id: "the-first-id", action: "unstake" } as const, { id: "another-id", action: "unstake" } as const, true],
  ])("of %j is gone on with by %j: %s", (stored, asked, same) => {
    expect(asksTheSame(JSON.stringify(stored), asked)).toBe(same);
  });

  it("that left no word of what it was is another one", () => {
    expect(asksTheSame(null, stake)).toBe(false);
  });
});
