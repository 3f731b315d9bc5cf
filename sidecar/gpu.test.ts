import { describe, expect, it } from "vitest";
import type { ToolCall, ToolOutcome } from "./attestation/run-tool.ts";
import { createGpus } from "./gpu.ts";
import { createTestClock } from "./test-parts.ts";

const HOUR_MS = 3_600_000;
const exit = (stdout: string, status = 0): ToolOutcome => ({ kind: "exit", status, stdout, stderr: "" });
const H100 = { name: "NVIDIA H100 80GB HBM3", memoryMib: 81_559, driver: "570.86.15" };

function gpusOf(outcome: () => ToolOutcome) {
  const calls: ToolCall[] = [];
  const clock = createTestClock();
  const gpus = createGpus(clock, async (call) => {
    calls.push(call);
    return outcome();
  });
  return { gpus, calls, clock };
}

describe("The cards", () => {
  it("are what nvidia-smi lists, which is run without the sidecar's settings", async () => {
    const { gpus, calls } = gpusOf(() => exit("NVIDIA H100 80GB HBM3, 81559 MiB, 570.86.15\n"));
    expect(await gpus.report()).toEqual({ gpus: [H100], reason: null });
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({ command: "nvidia-smi", timeoutMs: 8_000 });
    expect(Object.keys(calls[0]?.env ?? {})).toEqual(["PATH", "LC_ALL"]);
  });

  it.each<[ToolOutcome, string]>([
    [{ kind: "missing" }, "nvidia-smi is not installed"],
    [{ kind: "denied" }, "nvidia-smi cannot be run (EACCES)"],
    [{ kind: "timeout" }, "nvidia-smi did not answer within 8 s"],
    [exit("NVIDIA T4, 15360 MiB, 550.90", 9), "nvidia-smi failed (9)"],
    [exit("\n"), "nvidia-smi lists no card"],
    [exit("NVIDIA T4, 15360 MiB, 550.90\n[N/A], [N/A], [N/A]"), "nvidia-smi prints what cannot be read"],
  ])("are not known from %j, with the reason", async (outcome, reason) => {
    expect(await gpusOf(() => outcome).gpus.report()).toEqual({ gpus: [], reason });
  });

  it("are asked for once an hour at most, and may come up late", async () => {
    let outcome: ToolOutcome = { kind: "missing" };
    const { gpus, calls, clock } = gpusOf(() => outcome);
    await Promise.all([gpus.report(), gpus.report()]);
    outcome = exit("NVIDIA H100 80GB HBM3, 81559 MiB, 570.86.15");
    await clock.pass(HOUR_MS);
    expect(await gpus.report()).toMatchObject({ gpus: [] });
    expect(calls).toHaveLength(1);
    await clock.pass(1);
    expect(await gpus.report()).toMatchObject({ gpus: [H100] });
  });
});
