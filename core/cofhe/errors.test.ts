import { describe, expect, it } from "vitest";
import { NodeError } from "../errors.ts";
import { guarded, isPermitRefusal, toCofheError } from "./errors.ts";

const PLAINTEXT = "1512366075204170929049582354406559215";

/** An SDK error as it comes: the plaintext in its message, its context and its cause. */
function sdkError(code: string, message: string, status?: number): Error {
  const cause = new Error(`args: (${PLAINTEXT})`);
  return Object.assign(new Error(`${message} | Caused by: ${cause.message}`, { cause }), {
    name: "CofheError",
    code,
    context: { items: [PLAINTEXT], status },
  });
}

const SEAL = "SEAL_OUTPUT_FAILED";

describe("an SDK error", () => {
  const cases: [string, Error, string, string, string][] = [
    [
      "of the mocks: no access",
      sdkError(SEAL, "mocks call failed: NotAllowed"),
      "cofhe-refused",
      "later",
      "NotAllowed",
    ],
    ["of the network: no access", sdkError(SEAL, "failed: not allowed", 403), "cofhe-refused", "later", "NotAllowed"],
    ["of the network: 403 without a word", sdkError(SEAL, "failed", 403), "cofhe-refused", "later", "HTTP 403"],
    [
      "of a forged permit",
      sdkError(SEAL, "failed: PermissionInvalid_IssuerSignature", 403),
      "cofhe-refused",
      "never",
      "PermissionInvalid_IssuerSignature",
    ],
    [
      "of an expired permit",
      sdkError(SEAL, "PermissionInvalid_Expired"),
      "cofhe-refused",
      "never",
      "PermissionInvalid_Expired",
    ],
    ["of a malformed request", sdkError(SEAL, "failed", 400), "cofhe-refused", "never", "HTTP 400"],
    ["of a busy network", sdkError(SEAL, "failed", 429), "cofhe-unavailable", "later", "SEAL_OUTPUT_FAILED, HTTP 429"],
    [
      "of a broken network",
      sdkError(SEAL, "failed", 500),
      "cofhe-unavailable",
      "later",
      "SEAL_OUTPUT_FAILED, HTTP 500",
    ],
    [
      "of a failed encryption",
      sdkError("ZK_MOCKS_INSERT_CT_HASHES_FAILED", "failed"),
      "cofhe-unavailable",
      "later",
      "ZK_MOCKS_INSERT_CT_HASHES_FAILED",
    ],
    ["with a code that is text", sdkError(`${PLAINTEXT} failed`, "failed"), "cofhe-unavailable", "later", "CofheError"],
    ["that is a plain one", new Error(PLAINTEXT), "cofhe-unavailable", "later", "Error"],
  ];
  it.each(cases)("%s", (_what, thrown, code, retry, reason) => {
    const error = toCofheError(thrown, "decrypting a key half");
    expect(error).toMatchObject({ code, retry });
    expect(error.message).toContain(`(${reason})`);
    const { message, hint, stack, cause } = error;
    expect(cause).toBeUndefined();
    expect(`${message} ${hint} ${stack} ${String(error)} ${JSON.stringify(error)}`).not.toContain(PLAINTEXT);
  });
});

it("takes only refused permits for worth replacing", () => {
  expect(isPermitRefusal(sdkError(SEAL, "failed: PermissionInvalid_Disabled"))).toBe(true);
  expect(isPermitRefusal(sdkError(SEAL, "failed: NotAllowed"))).toBe(false);
  expect(isPermitRefusal(undefined)).toBe(false);
});

it("lets a NodeError of ours through, however deep the SDK buried it", async () => {
  const own = new NodeError("insufficient-funds", "no ether", { retry: "later", hint: "" });
  const thrown = Object.assign(new Error(PLAINTEXT, { cause: own }), { name: "CofheError", code: SEAL });
  await expect(guarded("encrypting an output key", () => Promise.reject(thrown))).rejects.toBe(own);
});
