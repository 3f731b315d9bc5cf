/** `test-determinism`: one model, the same prompt several times, and where the answers differ first. Ends 1 if they do. */
import type { Command } from "commander";
import { type CommonOptions, contextFor, defineCommand, wholeNumber, withOptions } from "../command.ts";
import { customBackendsOf } from "../custom-backends.ts";
import { DEFAULT_PROMPT, DEFAULT_RUNS, type DeterminismReport, testDeterminism } from "../determinism.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import type { Io, Say } from "../io.ts";
import { chooseModel } from "../local-backend.ts";

interface Options extends CommonOptions {
  model?: string;
  prompt: string;
  runs: number;
}

export function testDeterminismCommand(): Command {
  const command = defineCommand(
    "test-determinism",
    "Ask a model the same several times, as the node would, and compare the answers",
    [
      "test-determinism",
      "test-determinism --model gemini:gemini-2.5-flash --runs 5",
      'test-determinism --prompt "What is 2+2?" --json',
    ],
  )
    .option("--model <id>", "model to ask (default: the first of BLF_MODELS)")
    .option("--prompt <text>", "what to ask", DEFAULT_PROMPT)
    .option("--runs <n>", "how many times, 2 to 20", wholeNumber(2, 20), DEFAULT_RUNS);
  return withOptions(command, "json", "envFile").action(run);
}

async function run(options: Options): Promise<void> {
  const { io, env } = contextFor(options);
  const { model, backend } = chooseModel(await env.unlocked(), options.model, await customBackendsOf(env));
  const work = (say?: Say) =>
    testDeterminism({ backend, model, prompt: options.prompt, runs: options.runs, ...(say ? { say } : {}) });
  const report = await (options.json === true ? work() : io.progress(`Asking ${model}`, work));
  if (options.json === true) io.json(report);
  else show(io, report);
  if (!report.same) process.exitCode = EXIT_CODES.failed.code;
}

function show(io: Io, { model, runs, same, digest, characters, difference }: DeterminismReport): void {
  if (same) {
    io.print(`${io.paint("green", "same")}  ${model} gave the same answer ${runs} times (${characters} characters)`);
    io.print(`      digest ${digest}`);
    return;
  }
  io.print(`${io.paint("red", "different")}  ${model} does not give the same answer to the same request`);
  if (difference === null) return;
  io.print(`  run 1 and run ${difference.run} differ at character ${difference.position}:`);
  io.print(`  run 1: ${JSON.stringify(difference.first)}`);
  io.print(`  run ${difference.run}: ${JSON.stringify(difference.other)}`);
  io.note(
    "A quorum confirms equal answers only: each job with this model may count as a wrong one. Serve another model.",
  );
}
