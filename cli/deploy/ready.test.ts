import { describe, expect, it } from "vitest";
import type { Clock } from "../../core/ports.ts";
import type { NodeApi } from "../node-api.ts";
import { waitUntilReady } from "./ready.ts";

type Health = Awaited<ReturnType<NodeApi["health"]>>;

const ok = (version: string): Health => ({ status: "ok", version, codes: [] });
const faulty: Health = { status: "faulty", version: "2", codes: [{ setting: "BLF_RPC_URL", code: "missing" }] };

/** A node that answers by the time: from each moment (ms) on another answer; the clock moves only by sleeping. */
function scripted(answers: readonly (readonly [fromMs: number, health: Health])[]) {
  let now = 0;
  const clock: Clock = {
    now: () => now,
    sleep: async (ms) => {
      now += ms;
    },
  };
  const health = async () => answers.findLast(([from]) => from <= now)?.[1] ?? null;
  const said: string[] = [];
  const signal = new AbortController().signal;
  const wait = () => waitUntilReady({ url: "https://n", health }, "2", { clock, signal }, (line) => said.push(line));
  return { wait, said, elapsed: () => now };
}

describe("waiting for a deployed node", () => {
  it("goes on until the new version answers without faults", async () => {
    const node = scripted([
      [0, null],
      [9_000, ok("1")],
      [20_000, faulty],
      [30_000, ok("2")],
    ]);
    await node.wait();
    expect(node.elapsed()).toBe(30_000);
    expect(node.said).toEqual(["no answer yet", "version 1 still answers", "a setting is at fault"]);
  });

  it("ends with the codes where faults stay", async () => {
    const node = scripted([[0, faulty]]);
    await expect(node.wait()).rejects.toMatchObject({
      message: "The node at https://n runs but claims nothing: BLF_RPC_URL (missing).",
      exit: "failed",
    });
    expect(node.elapsed()).toBe(30_000);
  });

  it("counts faults anew after another copy has answered", async () => {
    const node = scripted([
      [0, faulty],
      [20_000, ok("1")],
      [24_000, faulty],
      [50_000, ok("2")],
    ]);
    await node.wait();
    expect(node.elapsed()).toBe(50_000);
  });

  it("says that an address does not answer, or that it leads to another version", async () => {
    const silent = scripted([[0, null]]);
    await expect(silent.wait()).rejects.toMatchObject({ exit: "unreachable" });
    const other = scripted([[0, ok("1")]]);
    await expect(other.wait()).rejects.toMatchObject({
      exit: "failed",
      fix: "Check that https://n leads to this Worker.",
    });
    expect([silent.elapsed(), other.elapsed()]).toEqual([180_000, 180_000]);
  });
});
