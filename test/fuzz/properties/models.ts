/** Model servers and the payment service: the answer that stands in the reply, to the letter, or an error without a word of it. */
import fc from "fast-check";
import type { Backend } from "../../../core/inference/backend.ts";
import { createGeminiBackend } from "../../../core/inference/gemini.ts";
import { createGroqBackend } from "../../../core/inference/groq.ts";
import { createOpenaiBackend, listModels } from "../../../core/inference/openai-completions.ts";
import { fetchEarnings, fetchPaidJobs, fetchStats } from "../../../core/payment/client.ts";
import type { Clock, Fetch } from "../../../core/ports.ts";
import { Secret } from "../../../core/secret.ts";
import { mutatedJson } from "../mutate.ts";
import { CANARY, came, must, property } from "../property.ts";
import { behaviourWith, passingClock, serverOf } from "../server.ts";

const CODES = ["model", "model-key", "model-rate-limited", "model-unavailable", "model-refused"];
const PROMPT = `a prompt: ${CANARY}`;

interface Ports {
  fetch: Fetch;
  clock: Clock;
}

const config = (ports: Ports) => ({ ...ports, baseUrl: "https://models.test/v1", apiKey: new Secret("key-SWALLOWED") });

const BACKENDS: Record<
  string,
  { make(ports: Ports): Backend; model: string; samples: unknown[]; path: (string | number)[] }
> = {
  Groq: {
    make: (ports) => createGroqBackend(config(ports)),
    model: "groq:llama",
    samples: [
      {
        id: "x",
        choices: [{ index: 0, message: { role: "assistant", content: "An answer." }, finish_reason: "stop" }],
      },
      { choices: [{ message: { content: null, tool_calls: [] } }, { message: { content: "second" } }] },
    ],
    path: ["choices", 0, "message", "content"],
  },
  Gemini: {
    make: (ports) => createGeminiBackend(config(ports)),
    model: "gemini:gemini-2.5-flash",
    samples: [
      { candidates: [{ content: { parts: [{ text: "An answer." }], role: "model" }, finishReason: "STOP" }] },
      { candidates: [{ finishReason: "MAX_TOKENS" }], promptFeedback: { blockReason: CANARY } },
    ],
    path: ["candidates", 0, "content", "parts", 0, "text"],
  },
  "an OpenAI-compatible server": {
    make: (ports) => createOpenaiBackend(config(ports)),
    model: "facebook/opt-125m",
    samples: [
      { choices: [{ text: "An answer.", index: 0, finish_reason: "length" }] },
      { count: 30, max_model_len: 2048, tokens: [1, 2] },
    ],
    path: ["choices", 0, "text"],
  },
};

function at(text: string, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined),
    JSON.parse(text),
  );
}

const backends = Object.entries(BACKENDS).map(([name, { make, model, samples, path }]) =>
  property(
    `hands on what the model of ${name} said, or says that there is nothing`,
    4_000,
    fc.array(behaviourWith(mutatedJson(samples)), { minLength: 1, maxLength: 3 }),
    async (behaviours) => {
      const clock = passingClock();
      const { fetch, urls } = serverOf(behaviours, clock);
      const backend = make({ fetch, clock });
      const { value } = await came(CODES, () => backend.infer(model, PROMPT));
      if (value !== undefined) {
        const last = behaviours[(urls.length - 1) % behaviours.length];
        const text = last !== undefined && "body" in last ? new TextDecoder().decode(last.body) : "null";
        must(at(text, path) === value, "the answer is the reply's, to the letter");
      }
      await came(CODES, async () => backend.checkKey?.());
    },
  ),
);

const lists = property(
  "lists the models that a server names",
  2_000,
  behaviourWith(mutatedJson([{ object: "list", data: [{ id: "facebook/opt-125m" }, { id: "b", object: "model" }] }])),
  async (behaviour) => {
    const clock = passingClock();
    const { value = [] } = await came(CODES, () => listModels(config({ clock, ...serverOf([behaviour], clock) })));
    must(
      new Set(value).size === value.length && value.every((id) => id !== "" && id.length <= 512),
      "each once, each an id",
    );
  },
);

const EARNINGS = { total_blind_earned: 1.5, jobs_count: 2 };
const JOB = {
  job_id: "j",
  role: "leader",
  status: "COMPLETED",
  amount_blind_earned: 0.6,
  model_id: null,
  completed_at: 5,
};
const STATS = {
  total_jobs: 3,
  success: 2,
  failed: 1,
  slashed: 0,
  slash_count: 0,
  current_stake_blind: "1000.0000",
  total_earned_blind: "0.6000",
};

/** A figure is there because the service gave it as a number or in digits: nothing else may pass for 0, or for text. */
function figure(given: unknown, read: number | string): void {
  const text = typeof given === "string" || typeof given === "number" ? String(given).trim() : null;
  must(
    text !== null && text !== "" && Number(text) === Number(read),
    `a figure is the service's own, not made of ${typeof given}`,
  );
}

const payments = property(
  "reads earnings as the service gives them, and never makes up a 0",
  4_000,
  fc.tuple(
    behaviourWith(mutatedJson([EARNINGS])),
    behaviourWith(mutatedJson([STATS])),
    behaviourWith(mutatedJson([{ jobs: [JOB, JOB] }])),
  ),
  async ([earnings, stats, jobs]) => {
    const clock = passingClock();
    const service = (behaviour: typeof earnings) => ({
      endpoint: "https://pay.test",
      clock,
      ...serverOf([behaviour], clock),
    });
    const bodyOf = (behaviour: typeof earnings) =>
      "body" in behaviour ? new TextDecoder().decode(behaviour.body) : "null";
    const earned = await came(["payment-unavailable"], () => fetchEarnings(service(earnings), "0x01"));
    if (earned.value !== undefined) {
      figure(at(bodyOf(earnings), ["total_blind_earned"]), earned.value.totalBlind);
      figure(at(bodyOf(earnings), ["jobs_count"]), earned.value.jobsCount);
    }
    const told = await came(["payment-unavailable"], () => fetchStats(service(stats), "0x01"));
    if (told.value !== undefined) {
      figure(at(bodyOf(stats), ["slash_count"]), told.value.slashCount);
      figure(at(bodyOf(stats), ["current_stake_blind"]), told.value.currentStakeBlind);
    }
    const paid = await came(["payment-unavailable"], () => fetchPaidJobs(service(jobs), "0x01"));
    for (const { amountBlind } of paid.value ?? [])
      must(amountBlind === null || amountBlind >= 0, "an amount is not negative");
  },
);

export const models = [...backends, lists, payments];
