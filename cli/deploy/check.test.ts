import { describe, expect, it } from "vitest";
import { checkSettings } from "./check.ts";

const sound = {
  BLF_PRIVATE_KEY: "2b".repeat(32),
  BLF_RPC_URL: "https://rpc.example/v2/k",
  BLF_MODELS: "mock:demo",
  BLF_ROLES: "verifier",
};

function checked(settings: Record<string, string>) {
  const notes: string[] = [];
  try {
    checkSettings(settings, (line) => notes.push(line));
    return { error: null, text: notes.join("\n") };
  } catch (error) {
    return { error, text: notes.join("\n") };
  }
}

describe("the settings of a deployment", () => {
  it("pass when only warnings are found, which are shown", () => {
    const { error, text } = checked({ ...sound, BLF_ROLE: "leader" });
    expect(error).toBeNull();
    expect(text).toContain("warning: BLF_ROLE:");
  });

  it("are refused with every fault at once, each with its fix", () => {
    const { error, text } = checked({
      ...sound,
      BLF_RPC_URL: "http://localhost:8545",
      BLF_MAX_CONCURRENT_JOBS: "many",
    });
    expect(error).toMatchObject({ exit: "usage", message: expect.stringContaining("2 settings are at fault") });
    expect(text).toMatch(/^fault: BLF_RPC_URL: .*\n {2}fix: .+/m);
    expect(text).toMatch(/^fault: BLF_MAX_CONCURRENT_JOBS: .*\n {2}fix: .+/m);
  });
});
