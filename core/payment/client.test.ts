import { describe, expect, it } from "vitest";
import { systemClock } from "../ports.ts";
import { scriptedFetch } from "../scripted-fetch.ts";
import { fetchEarnings, fetchStats } from "./client.ts";

const STATS = { total_jobs: 3, success: 2, failed: 1, slashed: 0, slash_count: 0, total_earned_blind: "0.6000" };
const answering = (json: unknown) => ({ endpoint: "https://pay.test", clock: systemClock, ...scriptedFetch({ json }) });

describe("a figure of the payment service", () => {
  it("is a number or its digits", async () => {
    const service = answering({ total_blind_earned: "1.5", jobs_count: 2 });
    expect(await fetchEarnings(service, "0x01")).toEqual({ totalBlind: 1.5, jobsCount: 2 });
  });

  it.each([null, "", "None", [], true, -1])("that is %j is unknown, not 0", async (total_blind_earned) => {
    const asked = fetchEarnings(answering({ total_blind_earned, jobs_count: 2 }), "0x01");
    await expect(asked).rejects.toMatchObject({ code: "payment-unavailable" });
  });

  it("that is absent is not shown as text", async () => {
    await expect(fetchStats(answering(STATS), "0x01")).rejects.toMatchObject({ code: "payment-unavailable" });
    const told = await fetchStats(answering({ ...STATS, current_stake_blind: "1000.0000" }), "0x01");
    expect(told.currentStakeBlind).toBe("1000.0000");
  });
});
