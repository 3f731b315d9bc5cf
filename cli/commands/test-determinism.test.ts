import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { anchorPrompt } from "../../core/inference/prompt.ts";
import { runCommand } from "../run-command.ts";

vi.setConfig({ testTimeout: 60_000 });

const KEY = "gsk_0123456789abcdefghij";
const asked: { body: { messages: { content: string }[] }; headers: IncomingHttpHeaders }[] = [];
let answers: string[] = [];
let status = 200;
let dir: string;
let url: string;

/** In Groq's place: the answers one after the other, the last one for ever. */
const server = createServer((incoming, reply) => {
  let text = "";
  incoming.on("data", (chunk) => {
    text += chunk;
  });
  incoming.on("end", () => {
    asked.push({ body: JSON.parse(text), headers: incoming.headers });
    const content = answers[Math.min(asked.length, answers.length) - 1];
    reply.writeHead(status).end(JSON.stringify({ choices: [{ message: { content } }] }));
  });
});

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "determinism-"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  url = typeof address === "object" && address !== null ? `http://127.0.0.1:${address.port}` : "";
});
afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await rm(dir, { recursive: true });
});
beforeEach(() => {
  asked.length = 0;
  status = 200;
});

const run = (...args: string[]) =>
  runCommand(["test-determinism", ...args], { GROQ_API_KEY: KEY, GROQ_BASE_URL: url }, dir);

it("sends what the node would send, and ends well where the answers are the same", async () => {
  answers = ["four", " four\n"];
  const { code, stdout, stderr } = await run("--json", "--prompt", "What is 2+2?", "--runs", "2");
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    model: "groq:llama-3.3-70b-versatile",
    runs: 2,
    same: true,
    difference: null,
  });
  expect(asked).toHaveLength(2);
  expect(asked[0]?.body).toMatchObject({
    model: "llama-3.3-70b-versatile",
    temperature: 0,
    seed: 42,
    max_completion_tokens: 512,
  });
  expect(asked[0]?.body.messages[1]?.content).toBe(await anchorPrompt("groq:llama-3.3-70b-versatile", "What is 2+2?"));
  expect(`${stdout}${stderr}`).not.toContain(KEY);
});

it("shows where two answers differ first, and ends with a failure", async () => {
  answers = ["the sky is blue", "the sky was blue"];
  const { code, stdout } = await run("--model", "groq:other");
  expect(code).toBe(1);
  expect(stdout).toMatch(/different {2}groq:other[^\n]*\n[^\n]*run 1 and run 2 differ at character 8/);
  expect(stdout).toContain('run 2: "the sky was blue"');
});

it("tells a service that is away from one that refuses", async () => {
  status = 503;
  expect((await run()).code).toBe(3);
  status = 401;
  const refused = await run();
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/Groq answered 401 to the key[\s\S]*set GROQ_API_KEY/);
});

it("says where a model on a GPU is tested", async () => {
  const { code, stderr } = await run("--model", "facebook/opt-125m");
  expect(code).toBe(2);
  expect(stderr).toMatch(/OPENAI_BASE_URL.*BLF_CUSTOM_BACKENDS/);
});
