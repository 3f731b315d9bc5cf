import { describe, expect, it } from "vitest";
import { isLoopback, readRpcUrls, readUrl } from "./url.ts";

function outcome(reading: ReturnType<typeof readUrl> | ReturnType<typeof readRpcUrls>) {
  return reading.ok ? reading.value : reading.refusal.map(({ code }) => code).join();
}

describe("a service's URL", () => {
  it.each([
    ["https://icl.blindference.xyz", "https://icl.blindference.xyz"],
    ["https://Host.example/", "https://host.example"],
    ["https://host.example/v1///", "https://host.example/v1"],
    ["http://127.0.0.1:8080", "http://127.0.0.1:8080"],
    ["host.example", "malformed"],
    ["ftp://host.example", "malformed"],
    ["https://", "malformed"],
    ["https://user@host.example", "malformed"],
    ["https://user:pass@host.example", "malformed"],
    ["https://host.example/#part", "malformed"],
    ["https://host.example/?key=1", "malformed"],
    ["https://YOUR_GATEWAY.mypinata.cloud/ipfs", "placeholder"],
  ])("%s is read as %s", (text, expected) => {
    expect(outcome(readUrl(text))).toBe(expected);
  });
});

describe("an RPC URL", () => {
  it.each([
    ["https://rpc.example/v2/AbC_123/", ["https://rpc.example/v2/AbC_123"]],
    ["https://rpc.example/?apikey=k", ["https://rpc.example/?apikey=k"]],
    [" https://a.example , https://b.example/,https://a.example/", ["https://a.example", "https://b.example"]],
    [",", "malformed"],
    ["https://arb-sepolia.g.alchemy.com/v2/demo", "placeholder"],
    ["https://arb-sepolia.g.alchemy.com/v2/demo/", "placeholder"],
    ["https://arb-sepolia.g.alchemy.com/v2/", "placeholder"],
    ["https://arb-sepolia.g.alchemy.com/v2/YOUR_KEY", "placeholder"],
    ["https://arb-sepolia.g.alchemy.com/v2/<key>", "placeholder"],
    ["https://sepolia.example/v3/demo", "placeholder"],
    ["https://arb-mainnet.g.alchemy.com/v2/abc", "mainnet"],
    ["https://mainnet.example", "mainnet"],
    ["https://rpc.example/demo-mainnetwork", ["https://rpc.example/demo-mainnetwork"]],
    ["https://a.example,nonsense,https://arb-mainnet.example/v2/x", "malformed,mainnet"],
  ])("%s is read as %j", (text, expected) => {
    expect(outcome(readRpcUrls(text))).toEqual(expected);
  });

  it("with a placeholder sends the operator to where real keys are made", () => {
    const reading = readRpcUrls("https://arb-sepolia.g.alchemy.com/v2/demo");
    expect(reading.ok ? [] : reading.refusal).toEqual([
      {
        code: "placeholder",
        message: expect.stringMatching(/default Alchemy key.*set a real key/),
        fix: expect.stringContaining("https://dashboard.alchemy.com/"),
      },
    ]);
  });

  it("is named by its place in the list when there are several", () => {
    const reading = readRpcUrls("https://a.example,nonsense");
    expect(reading.ok ? "" : reading.refusal[0]?.message).toMatch(/^\(URL 2 of 2\) /);
  });
});

describe("loopback", () => {
  it.each([
    ["http://127.0.0.1:1", true],
    ["http://127.255.0.9", true],
    ["http://2130706433", true],
    ["http://[::1]:1", true],
    ["http://localhost:1", true],
    ["http://127.0.0.1.example", false],
    ["http://localhost.example", false],
    ["http://128.0.0.1", false],
    ["http://0.0.0.0", false],
    ["http://[::2]", false],
  ])("%s: %s", (url, expected) => {
    expect(isLoopback(url)).toBe(expected);
  });
});
