/**
 * Every parser that takes bytes from outside, under mutated and random input: the documented result or the documented
 * error, in bounded time. A quick share runs with the other tests; `npm run test:fuzz` runs everything and counts it.
 */
import { writeSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { chainAnswers } from "./properties/chain.ts";
import { coordinator } from "./properties/coordinator.ts";
import { crypto } from "./properties/crypto.ts";
import { files } from "./properties/files.ts";
import { headers } from "./properties/headers.ts";
import { ipfs } from "./properties/ipfs.ts";
import { json } from "./properties/json.ts";
import { models } from "./properties/models.ts";
import { FULL, type FuzzProperty, SEED } from "./property.ts";

const PARSERS: Record<string, readonly FuzzProperty[]> = {
  "JSON without rounding": json,
  "the coordinator's answers": coordinator,
  "headers of an answer": headers,
  "blobs, envelopes and keys": crypto,
  "names, archives, trees and gateways": ipfs,
  "models and payments": models,
  "the chain and CoFHE": chainAnswers,
  "environments, guard files and rows": files,
};

const TIMEOUT_MS = 900_000;
const FULL_RUN = 100_000;
let cases = 0;

describe.each(Object.entries(PARSERS))("%s", (_parser, properties) => {
  for (const one of properties) {
    it(one.name, { timeout: TIMEOUT_MS }, async () => {
      cases += await one.run();
    });
  }
});

if (FULL)
  describe("a full run", () => {
    it("has at least 100,000 cases", () => {
      expect(cases).toBeGreaterThanOrEqual(FULL_RUN);
    });
  });

// The reporter keeps to itself what a passing test prints.
afterAll(() => {
  writeSync(1, `fuzzing: ${cases} cases from seed ${SEED}\n`);
});
