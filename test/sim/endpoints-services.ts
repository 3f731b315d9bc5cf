/** Calls beside the jobs: what was earned, which models a server has and whether it takes the key, room in a context. */
import { type Endpoint, verifier } from "./endpoint.ts";
import { MODEL, PAYMENT } from "./fault-codes.ts";
import { LIES, STATUSES } from "./fault-modes.ts";

const payment = {
  ...verifier,
  door: "payment",
  method: "GET",
  codes: PAYMENT,
  duty: { name: "earnings", from: "start", beforeJobSec: 20, always: "accepted" },
  absentFields: {},
} as const;

/** What a server answers that counts no tokens, or knows another call by that name. */
const NO_COUNT = ["400", "401", "404", "html", "wrong types", "absent fields", "out of range"] as const;

export const PAYMENTS: readonly Endpoint[] = [
  {
    ...payment,
    name: "Payment earnings",
    purpose: "what was earned in all, for the status",
    path: "^/v1/nodes/[^/]+/earnings$",
    wrongTypes: { total_blind_earned: "much", jobs_count: [] },
    outOfRange: { total_blind_earned: -1, jobs_count: 1.5 },
  },
  {
    ...payment,
    name: "Payment jobs",
    purpose: "what each job brought, for the history",
    path: "^/v1/nodes/[^/]+/jobs$",
    wrongTypes: { jobs: 7 },
    outOfRange: { jobs: [{ job_id: "x".repeat(600), role: "leader", status: "COMPLETED" }] },
  },
];

const list = { ...verifier, method: "GET", codes: MODEL, absentFields: {} } as const;
/** Only a refused key and silence are answers to the question about the key. */
const keyOnly = {
  ...list,
  purpose: "whether the key is taken",
  duty: {
    name: "models",
    from: "start",
    beforeJobSec: 20,
    always: "accepted",
    harmless: [...STATUSES, ...LIES.filter((lie) => lie !== "10 MB")],
  },
  except: { both: { "401": "not claimed" } },
  note: "401 takes the provider's models out of the certificate until its next look, ten minutes later; nothing else says anything about the key.",
} as const;

export const MODEL_LISTS: readonly Endpoint[] = [
  {
    ...keyOnly,
    name: "Groq models",
    door: "groq",
    model: "groq:llama-3.3-70b-versatile",
    path: "^/openai/v1/models$",
    wrongTypes: { data: 7 },
    outOfRange: { data: [{ id: "x".repeat(600) }] },
  },
  {
    ...keyOnly,
    name: "Gemini models",
    door: "gemini",
    model: "gemini:gemini-2.5-flash",
    path: "^/v1beta/models$",
    wrongTypes: { models: 7 },
    outOfRange: { models: [{ name: "x".repeat(600) }] },
  },
  {
    ...list,
    name: "OpenAI models",
    purpose: "which models the local server has",
    door: "openai",
    model: "facebook/opt-125m",
    path: "^/v1/models$",
    duty: { name: "models", from: "start", beforeJobSec: 160, always: "not claimed" },
    wrongTypes: { data: 7 },
    outOfRange: { data: [{ id: "x".repeat(600) }] },
    note: "A model counts only while the server lists it; after a failure it is asked again in 30 s.",
  },
  {
    ...verifier,
    name: "OpenAI tokenize",
    purpose: "how much room the prompt leaves, where a server refuses the network's 2048 tokens",
    door: "openai",
    method: "POST",
    model: "facebook/opt-125m",
    path: "^/tokenize$",
    codes: MODEL,
    contextTokens: 1_024,
    except: { both: Object.fromEntries(NO_COUNT.map((fault) => [fault, "failed model"])) },
    note: "Where the server knows no such question its 400 stands.",
    wrongTypes: { count: "many", max_model_len: [] },
    absentFields: {},
    outOfRange: { count: -1, max_model_len: 1e15 },
  },
];
