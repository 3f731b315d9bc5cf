import { describe, expect, it } from "vitest";
import { Secret } from "../../core/secret.ts";
import { BINDING, HOST, NONCE } from "../../test/swtpm/claims.ts";
import { createAttester } from "./attesters.ts";
import type { ToolOutcome } from "./run-tool.ts";

const missing = async (): Promise<ToolOutcome> => ({ kind: "missing" });
const parts = { host: HOST, tpm: { log: () => undefined, run: missing }, tsm: { base: "/nowhere/tsm" } };

describe("the attester", () => {
  it.each(["mock", "tpm", "sev", "tdx"] as const)("for %s is of that backend", (backend) => {
    expect(createAttester(backend, parts).backendType).toBe(backend);
  });

  it.each(["tpm", "sev", "tdx"] as const)(
    "for %s falls back to nothing where the hardware is missing",
    async (backend) => {
      const quote = createAttester(backend, parts).quote(NONCE, BINDING);
      await expect(quote).rejects.toMatchObject({ code: "settings", hint: expect.stringContaining("mock") });
    },
  );

  it("for the mock quotes under the operator's key", async () => {
    const quotes = [createAttester("mock", parts), createAttester("mock", { ...parts, mockKey: new Secret("k") })];
    const [a, b] = await Promise.all(quotes.map((attester) => attester.quote(NONCE, BINDING)));
    expect(a?.quote).not.toBe(b?.quote);
  });
});
