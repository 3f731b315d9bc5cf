import { env } from "cloudflare:workers";
import { createTestClient, http } from "viem";
import { beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../eventually.ts";
import { asAdmin, call, deployedWith, deployment, expectHardened, from, type Init, settings, third } from "./client.ts";

const TOKEN = "a-spend-token-of-the-test";
const deployed = deployedWith({ BLF_SPEND_TOKEN: TOKEN });
// The object reads the same bindings as the Worker.
Object.assign(env, { BLF_SPEND_TOKEN: TOKEN });

interface Row {
  purpose: string;
  state: string;
  hash: string | null;
  node?: string;
  blocked: { code: string } | null;
}
interface Answer {
  node: string;
  id: string;
  transactions: Row[];
  error: string | { code: string; message: string; hint: string };
}

const spend = (body: unknown, token = TOKEN): Init =>
  from("10.1.0.1", {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { authorization: `Bearer ${token}` },
  });

async function asked(body: object): Promise<{ status: number; json: Answer }> {
  const response = await call("/api/transactions", spend({ node: third, ...body }), deployed);
  expectHardened(response);
  return { status: response.status, json: await response.json() };
}

const live = async (id: string): Promise<Answer> =>
  (await call(`/api/transactions?node=${third}&id=${id}`, from("10.1.0.2", asAdmin()), deployed)).json();

async function ended(id: string): Promise<Row[]> {
  return eventually(`the end of ${id}`, async () => {
    const { transactions } = await live(id);
    return transactions.every(({ state }) => state !== "queued" && state !== "signed") ? transactions : undefined;
  });
}

describe("spending", () => {
  it("is closed while no spend token is set, and says what to set", async () => {
    const without = deployedWith({ BLF_SPEND_TOKEN: undefined });
    const body = { method: "POST", body: JSON.stringify({ id: "closed-1234", action: "unstake" }) };
    const answer = await call("/api/transactions", from("10.1.0.3", asAdmin(body)), without);
    expect(answer.status).toBe(403);
    expect(await answer.json()).toEqual({ error: expect.stringContaining("BLF_SPEND_TOKEN") });
  });

  it("is not the admin token's business", async () => {
    const body = { method: "POST", body: JSON.stringify({ id: "admin-1234", action: "unstake" }) };
    const answer = await call("/api/transactions", from("10.1.0.4", asAdmin(body)), deployed);
    expect(answer.status).toBe(403);
    expect(await answer.json()).toEqual({ error: expect.stringContaining("does not spend") });
    expect((await call(`/api/transactions?id=admin-1234`, from("10.1.0.4", asAdmin()), deployed)).status).toBe(404);
  });

  it("opens nothing else", async () => {
    for (const path of ["/api/status", "/api/guard", "/api/nothing"]) {
      const answer = await call(path, from("10.1.0.5", { headers: { authorization: `Bearer ${TOKEN}` } }), deployed);
      expect(answer.status).toBe(403);
    }
    const history = await call(
      "/api/transactions",
      from("10.1.0.5", { headers: { authorization: `Bearer ${TOKEN}` } }),
      deployed,
    );
    expect(history.status).toBe(200);
  });

  it("by guessing the token ends as guessing the admin token does", async () => {
    const guess = from("10.1.0.6", { method: "POST", body: "{}", headers: { authorization: "Bearer a-guess" } });
    const statuses = [];
    for (let tries = 0; tries < 22; tries++) statuses.push((await call("/api/transactions", guess, deployed)).status);
    expect(statuses.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 401));
    expect(statuses.at(-1)).toBe(429);
  });

  it.each([
    ["no JSON", "x"],
    ["a list", "[]"],
    ["no id", { action: "stake" }],
    ["a short id", { id: "1234567", action: "stake" }],
    ["an unknown action", { id: "12345678", action: "transfer" }],
    ["a destination", { id: "12345678", action: "stake", to: "0x000000000000000000000000000000000000dEaD" }],
    ["an amount that is none", { id: "12345678", action: "stake", amount: "1e3" }],
    ["an amount to withdraw", { id: "12345678", action: "withdraw", amount: "1" }],
    ["no node where there are several", { id: "12345678", action: "stake" }],
  ])("is refused with 400 by %s", async (_what, body) => {
    const answer = await call("/api/transactions", spend(body), deployed);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({ error: expect.stringMatching(/\w/) });
  });

  it("for a node of somebody else is 404", async () => {
    const body = { id: "12345678", action: "stake", node: "0x000000000000000000000000000000000000dEaD" };
    expect((await call("/api/transactions", spend(body), deployed)).status).toBe(404);
  });
});

describe("staking through the API", () => {
  beforeAll(async () => {
    const chain = createTestClient({ mode: "anvil", transport: http(settings.BLF_RPC_URL) });
    await chain.setBalance({ address: third as `0x${string}`, value: 10n ** 18n });
  });

  it("that would fail is refused with the reason, and nothing is queued", async () => {
    const { status, json } = await asked({ id: "stake-too-much", action: "stake", amount: "99999999" });
    expect(status).toBe(422);
    expect(json.error).toMatchObject({ code: "action-refused", message: expect.stringContaining("holds") });
    expect((await call(`/api/transactions?id=stake-too-much`, from("10.1.0.7", asAdmin()), deployed)).status).toBe(404);
  });

  it("is done once for an id, goes on by itself, and is shown step by step", async () => {
    const request = { id: "stake-0123456789", action: "stake", amount: "1000.5" };
    const first = await asked(request);
    expect(first.status).toBe(202);
    expect(first.json).toMatchObject({ node: third, id: request.id });
    const purposes = ["action:stake-0123456789:approve", "action:stake-0123456789:stake"];
    expect(first.json.transactions.map(({ purpose }) => purpose)).toEqual(purposes);
    const rows = await ended(request.id);
    expect(rows.map(({ state, node }) => [state, node])).toEqual([
      ["confirmed", third],
      ["confirmed", third],
    ]);
    const again = await asked(request);
    expect(again.status).toBe(202);
    expect(again.json.transactions.map(({ hash }) => hash)).toEqual(rows.map(({ hash }) => hash));
    expect((await asked({ ...request, amount: "1000" })).status).toBe(409);
    expect((await asked({ id: request.id, action: "unstake" })).status).toBe(409);
  });

  it("is done once, also when it is asked for twice at the same moment", async () => {
    const request = { id: "unstake-0123456789", action: "unstake" };
    const answers = await Promise.all([asked(request), asked(request)]);
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    expect(await ended(request.id)).toMatchObject([{ state: "confirmed" }]);
    const early = await asked({ id: "withdraw-0123456789", action: "withdraw" });
    expect(early.status).toBe(422);
    expect(early.json.error).toMatchObject({
      message: expect.stringMatching(/still unbonding: .* in (3 days 23 hours|4 days)/),
    });
  });

  it("waits for the action that is under way", async () => {
    const [one, two] = await Promise.all([
      asked({ id: "stake-one-0123", action: "stake", amount: "1000" }),
      asked({ id: "stake-two-0123", action: "stake", amount: "1000" }),
    ]);
    expect(new Set([one.status, two.status])).toEqual(new Set([202, 422]));
    const taken = one.status === 202 ? "stake-one-0123" : "stake-two-0123";
    const refused = one.status === 202 ? two : one;
    expect(refused.json.error).toMatchObject({ message: expect.stringContaining(taken) });
    await ended(taken);
  });

  it("is in the history like every transaction", async () => {
    await eventually("the history's rows", async () => {
      const page: Answer = await (
        await call(`/api/transactions?node=${third}`, from("10.1.0.8", asAdmin()), deployment)
      ).json();
      const ours = page.transactions.filter(({ purpose }) => purpose.startsWith("action:stake-0123456789:"));
      return ours.length === 2 && ours.every(({ state }) => state === "confirmed") ? ours : undefined;
    });
  });

  it("has its end among the node's events, for those who follow them", async () => {
    const ended = await eventually("the events", async () => {
      const path = `/api/events?node=${third}&limit=500`;
      const page: { events: { type: string; fields: Record<string, unknown> }[] } = await (
        await call(path, from("10.1.0.9", asAdmin()), deployment)
      ).json();
      const ours = page.events.filter(
        ({ type, fields }) =>
          type.startsWith("transaction.") && String(fields.purpose).startsWith("action:stake-0123456789:"),
      );
      return ours.length === 2 ? ours : undefined;
    });
    expect(ended.map(({ type, fields }) => [type, fields.purpose])).toEqual([
      ["transaction.confirmed", "action:stake-0123456789:approve"],
      ["transaction.confirmed", "action:stake-0123456789:stake"],
    ]);
  });
});
