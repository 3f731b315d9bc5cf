import { expect, it } from "vitest";
import { answerDigest } from "../core/crypto/commitment.ts";
import type { Backend } from "../core/inference/backend.ts";
import { testDeterminism } from "./determinism.ts";

/** A model that gives these answers one after the other. */
function answering(...answers: string[]): Backend & { asked: string[] } {
  const asked: string[] = [];
  return {
    name: "groq",
    asked,
    async infer(model, prompt) {
      asked.push(`${model} ${prompt}`);
      return answers[(asked.length - 1) % answers.length] ?? "";
    },
  };
}

it("finds equal answers the same, and gives the digest that a commitment takes", async () => {
  const backend = answering("Blue light\n scatters more. ", "Blue light scatters more.");
  const report = await testDeterminism({ backend, model: "groq:m", prompt: "why", runs: 4 });
  expect(report).toMatchObject({ model: "groq:m", runs: 4, same: true, difference: null, characters: 25 });
  expect(report.digest).toBe(await answerDigest("Blue light\n scatters more. "));
  expect(backend.asked).toEqual(Array.from({ length: 4 }, () => "groq:m why"));
});

it("shows the first difference with a little before and after it", async () => {
  const same = "x".repeat(100);
  const backend = answering(`${same}A and so on${same}`, `${same}A and so on${same}`, `${same}B and so on${same}`);
  const report = await testDeterminism({ backend, model: "groq:m", prompt: "why", runs: 3 });
  expect(report.same).toBe(false);
  expect(report.difference).toEqual({
    run: 3,
    position: 100,
    first: `${"x".repeat(30)}A and so on${"x".repeat(19)}`,
    other: `${"x".repeat(30)}B and so on${"x".repeat(19)}`,
  });
});

it("finds an answer that breaks off different where the other goes on", async () => {
  const report = await testDeterminism({ backend: answering("abcdef", "abc"), model: "m", prompt: "p", runs: 2 });
  expect(report.difference).toEqual({ run: 2, position: 3, first: "abcdef", other: "abc" });
});

it("says how far it is, and passes on what the model throws", async () => {
  const said: string[] = [];
  const backend = answering("a");
  await testDeterminism({ backend, model: "m", prompt: "p", runs: 2, say: (now) => said.push(now) });
  expect(said).toEqual(["run 1 of 2", "run 2 of 2"]);
  const broken: Backend = { name: "groq", infer: () => Promise.reject(new Error("no key")) };
  await expect(testDeterminism({ backend: broken, model: "m", prompt: "p", runs: 2 })).rejects.toThrow("no key");
});
