/**
 * Whether a model answers the same prompt with the same text each time, as a quorum needs: the very request that the node
 * sends (protocol §5), the answers compared as commitments compare them (protocol §4). Says where two differ first.
 */
import { answerDigest, normalizeOutput } from "../core/crypto/commitment.ts";
import type { Backend } from "../core/inference/backend.ts";

/** Long enough to be answered in several sentences: short answers agree by chance. */
export const DEFAULT_PROMPT = "Explain in three sentences why the sky is blue, and name the effect.";
export const DEFAULT_RUNS = 3;
/** Characters shown before and after the first difference. */
const CONTEXT = 30;

export interface Difference {
  /** The run that gave another answer than the first one, from 1. */
  run: number;
  /** Characters from the answers' start, after normalising. */
  position: number;
  first: string;
  other: string;
}

export interface DeterminismReport {
  model: string;
  runs: number;
  same: boolean;
  /** The first answer's, as the commitment takes it: 64 hex digits. */
  digest: string;
  characters: number;
  difference: Difference | null;
}

/** Runs one after the other, as a provider's caches and limits would have it. Throws what the backend throws. */
export async function testDeterminism(options: {
  backend: Backend;
  model: string;
  prompt: string;
  runs: number;
  /** Told of each run with the part that is behind. */
  say?: (now: string, part: number) => void;
}): Promise<DeterminismReport> {
  const { backend, model, prompt, runs, say } = options;
  const answers: string[] = [];
  for (let run = 1; run <= runs; run++) {
    say?.(`run ${run} of ${runs}`, (run - 1) / runs);
    answers.push(normalizeOutput(await backend.infer(model, prompt)));
  }
  const [first = ""] = answers;
  const other = answers.findIndex((answer) => answer !== first);
  return {
    model,
    runs,
    same: other === -1,
    digest: await answerDigest(first),
    characters: first.length,
    difference: other === -1 ? null : { run: other + 1, ...firstDifference(first, answers[other] ?? "") },
  };
}

function firstDifference(first: string, other: string): Omit<Difference, "run"> {
  let position = 0;
  while (first[position] === other[position]) position++;
  const near = (text: string) => text.slice(Math.max(0, position - CONTEXT), position + CONTEXT);
  return { position, first: near(first), other: near(other) };
}
