import { encodeErrorResult, type Hex, parseAbi } from "viem";
import { describe, expect, it } from "vitest";
import { NodeError } from "../errors.ts";
import { stakingAbi, tokenAbi } from "./abi.ts";
import { chainCall, toChainError } from "./errors.ts";

const SECRET = "https://rpc.test/key-123";
const ACCOUNT = "0x000000000000000000000000000000000000dEaD";
const standard = parseAbi(["error Error(string message)", "error Panic(uint256 code)"]);

/** An error as viem throws it: what matters deep inside, wrapped twice, with a URL in every message. */
function wrapped(inner: object): Error {
  return Object.assign(
    new Error(SECRET, { cause: Object.assign(new Error(SECRET, { cause: inner }), { name: "CallError" }) }),
    {
      name: "EstimateGasExecutionError",
      metaMessages: [SECRET],
    },
  );
}

const require = (message: string) => encodeErrorResult({ abi: standard, errorName: "Error", args: [message] });

describe("a revert", () => {
  const reverts: [string, Hex, string][] = [
    ["with the text of require", require("already registered"), "already registered"],
    ["with an empty text", require(""), "no reason given"],
    ["with a text that is long and strange", require(`\u001b[31m${"x".repeat(500)}`), `?[31m${"x".repeat(115)}`],
    ["with a panic", encodeErrorResult({ abi: standard, errorName: "Panic", args: [0x11n] }), "panic 17"],
    [
      "with an error of the token",
      encodeErrorResult({ abi: tokenAbi, errorName: "ERC20InsufficientAllowance", args: [ACCOUNT, 0n, 1n] }),
      "ERC20InsufficientAllowance",
    ],
    [
      "with an error of a contract",
      encodeErrorResult({ abi: stakingAbi, errorName: "OwnableUnauthorizedAccount", args: [ACCOUNT] }),
      "OwnableUnauthorizedAccount",
    ],
    ["with an error nobody knows", "0xdeadbeef", "error 0xdeadbeef"],
  ];
  it.each(reverts)("%s keeps the contract's reason", (_how, data, reason) => {
    for (const inner of [{ code: 3, data }, { data: { data } }, { name: "RawContractError", data }]) {
      const error = toChainError(wrapped(inner), "staking");
      expect(error).toMatchObject({ code: "transaction-reverted", retry: "never", admitted: "no" });
      expect(error.message).toBe(`staking: the contract refused (${reason})`);
    }
  });

  it("without data is still a revert", () => {
    const error = toChainError(wrapped({ name: "ExecutionRevertedError", details: "execution reverted" }), "staking");
    expect(error.message).toBe("staking: the contract refused (no reason given)");
  });
});

describe("everything else", () => {
  const others: [string, object, string, string][] = [
    [
      "too little ether (geth)",
      { details: "insufficient funds for gas * price + value" },
      "insufficient-funds",
      "cannot pay",
    ],
    [
      "too little ether (anvil)",
      { details: "Insufficient funds for gas * price + value" },
      "insufficient-funds",
      "cannot pay",
    ],
    ["no contract", { name: "AbiDecodingZeroDataError" }, "settings", "no such contract"],
    ["an HTTP error", { name: "HttpRequestError", status: 502 }, "rpc-unavailable", "HTTP 502"],
    ["a time-out", { name: "TimeoutError" }, "rpc-unavailable", "in time"],
    ["an RPC error", { name: "RpcRequestError", code: -32602 }, "rpc-unavailable", "error -32602"],
    ["no connection", { name: "TypeError" }, "rpc-unavailable", "could not be reached"],
  ];
  it.each(others)("%s", (_what, inner, code, words) => {
    const error = toChainError(wrapped(inner), "asking");
    expect(error).toMatchObject({ code, message: expect.stringContaining(words) });
    expect(`${error.message} ${error.hint} ${error.stack} ${JSON.stringify(error)}`).not.toContain(SECRET);
    expect(error.cause).toBeUndefined();
  });

  it("that is a NodeError of ours inside viem's wrapping comes out as it was", async () => {
    const own = new NodeError("settings", "wrong chain", { retry: "never", hint: "" });
    await expect(chainCall("asking", () => Promise.reject(wrapped(own)))).rejects.toBe(own);
  });

  it("survives a cause that points at itself", () => {
    const loop: { name: string; cause?: unknown } = { name: "Loop" };
    loop.cause = loop;
    expect(toChainError(loop, "asking").code).toBe("rpc-unavailable");
  });
});
