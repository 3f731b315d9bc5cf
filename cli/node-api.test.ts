import { afterEach, beforeEach, describe, expect, it } from "vitest";
import * as z from "zod";
import { Secret } from "../core/secret.ts";
import { ADMIN_TOKEN, type FakeNode, NODE, SPEND_TOKEN, startFakeNode } from "./fake-node.ts";
import { createNodeApi, LOCAL_URL } from "./node-api.ts";

let node: FakeNode;
beforeEach(async () => {
  node = await startFakeNode();
});
afterEach(() => node.close());

/** Settings as `Environment` gives them. */
function envOf(settings: Readonly<Record<string, string>>) {
  const get = (name: string) => settings[name];
  return {
    get,
    secret: async (name: string) => {
      const text = get(name);
      return text === undefined ? null : new Secret(text);
    },
  };
}
const api = (settings: Readonly<Record<string, string>> = node.env, options = {}) =>
  createNodeApi(envOf(settings), options);
const shape = z.looseObject({ fine: z.boolean() });

describe("the address", () => {
  const set = { BLF_NODE_URL: "https://set.example" };
  it.each([
    [set, { url: "https://option.example" }, "https://option.example", "--url"],
    [set, {}, "https://set.example", "BLF_NODE_URL"],
    [{}, {}, LOCAL_URL, "default"],
  ])("with %j and %j is %s", (settings, options, url, chosenBy) => {
    expect(api(settings, options)).toMatchObject({ url, chosenBy });
  });

  it.each([
    ["ftp://node.example", {}, /--url/],
    ["node.example", {}, /--url/],
    ["http://node.example", {}, /plain http to another machine/],
    ["http://10.0.0.1:8787", { BLF_ALLOW_HTTP: "false" }, /plain http to another machine/],
  ])("%s is refused before anything is sent", (url, settings, message) => {
    expect(() => api(settings, { url })).toThrow(message);
  });

  it.each([
    ["http://127.0.0.1:9000", {}],
    ["http://localhost:9000", {}],
    ["http://10.0.0.1:8787", { BLF_ALLOW_HTTP: "true" }],
  ])("%s may be plain http with %j", (url, settings) => {
    expect(api(settings, { url }).url).toBe(url);
  });
});

describe("the token", () => {
  it("goes in the header only, the admin's for what is looked at, the other for what is spent", async () => {
    node.answer("GET /api/status", { body: { fine: true } });
    node.answer("POST /api/transactions", { body: { fine: true } });
    await api(node.env, { node: NODE }).get("/api/status", shape, { limit: "5", empty: undefined });
    await api().send("POST", "/api/transactions", { a: 1 }, shape, "spend");
    expect(node.asked).toMatchObject([
      { query: { node: NODE, limit: "5" }, headers: { authorization: `Bearer ${ADMIN_TOKEN}` }, body: null },
      { query: {}, headers: { authorization: `Bearer ${SPEND_TOKEN}` }, body: { a: 1 } },
    ]);
    expect(JSON.stringify(node.asked.map(({ path, query, body }) => [path, query, body]))).not.toContain("token");
  });

  it("is wanted before the node is asked", async () => {
    const without = { BLF_NODE_URL: node.url };
    await expect(api(without).get("/api/status", shape)).rejects.toMatchObject({
      exit: "usage",
      message: expect.stringMatching(/BLF_ADMIN_TOKEN is not set here/),
    });
    await expect(api(without).send("POST", "/x", {}, shape, "spend")).rejects.toThrow(/BLF_SPEND_TOKEN/);
    expect(node.asked).toEqual([]);
  });

  it("does not follow a redirect to elsewhere", async () => {
    const other = await startFakeNode();
    try {
      node.answer("GET /api/status", { status: 307, headers: { location: `${other.url}/api/status` } });
      await expect(api().get("/api/status", shape)).rejects.toThrow(/answered 307/);
      expect(other.asked).toEqual([]);
    } finally {
      await other.close();
    }
  });

  it("is not repeated where it is refused", async () => {
    const wrong = { ...node.env, BLF_ADMIN_TOKEN: "the-wrong-token-of-a-test" };
    const refused = await api(wrong)
      .get("/api/status", shape)
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ exit: "usage", fix: expect.stringContaining("BLF_ADMIN_TOKEN") });
    expect(`${String(refused)}${JSON.stringify(refused)}`).not.toContain("the-wrong-token-of-a-test");
  });
});

describe("an answer", () => {
  it.each([
    [400, { error: "limit: must be 1 to 200" }, "usage", /limit: must be 1 to 200\.$/],
    [403, { error: "set BLF_ADMIN_TOKEN" }, "refused", /answered 403: set BLF_ADMIN_TOKEN\.$/],
    [404, { error: "no such assignment" }, "failed", /no such assignment/],
    [409, { error: "id: it was used" }, "refused", /it was used/],
    [422, { error: { code: "refused", message: "too little BLIND.", hint: "Get some." } }, "refused", /BLIND\.$/],
    [429, { error: "too many requests" }, "unreachable", /too many/],
    [500, { error: { code: "internal", message: "broken", hint: "Look." } }, "failed", /broken/],
    [502, "<html>bad gateway</html>", "unreachable", /answered 502: an answer that is not a node's\.$/],
    [503, { error: { message: "D1 does not answer" } }, "unreachable", /D1/],
    [301, "", "failed", /301/],
  ])("of %i with %j ends as it should, with a way out", async (status, body, exit, message) => {
    node.answer("GET /api/status", { status, body });
    await expect(api().get("/api/status", shape)).rejects.toMatchObject({
      exit,
      message: expect.stringMatching(message),
      fix: expect.stringMatching(/./),
    });
  });

  it.each([["not JSON"], [[]], [{ fine: "perhaps" }], [null]])(
    "of 200 with %j is not taken for a node's",
    async (body) => {
      node.answer("GET /api/status", { body });
      await expect(api().get("/api/status", shape)).rejects.toThrow(/not what this version understands/);
    },
  );

  it("of a command that a node could not carry out is the caller's to read", async () => {
    node.answer("POST /api/attest", { status: 502, body: { fine: false, more: 1 } });
    expect(await api().send("POST", "/api/attest", {}, shape)).toEqual({ fine: false, more: 1 });
  });

  it("that does not come says whom was asked and what chose the address", async () => {
    const away = { ...node.env, BLF_NODE_URL: "http://127.0.0.1:1" };
    await expect(api(away).get("/api/status", shape)).rejects.toMatchObject({
      exit: "unreachable",
      message: expect.stringContaining("http://127.0.0.1:1"),
      fix: expect.stringContaining("BLF_NODE_URL"),
    });
  });
});

describe("health", () => {
  it("is read without a token, also while a setting is at fault", async () => {
    const codes = [{ setting: "BLF_RPC_URL", code: "missing" }];
    node.answer("GET /healthz", { status: 503, body: { status: "misconfigured", version: "0.1.0", codes } });
    expect(await api({ BLF_NODE_URL: node.url }).health()).toEqual({
      status: "misconfigured",
      version: "0.1.0",
      codes,
    });
    expect(node.asked[0]?.headers.authorization).toBeUndefined();
  });

  it("is null where nothing answers, or something that is no node", async () => {
    node.answer("GET /healthz", { body: "hello" });
    expect(await api().health()).toBeNull();
    expect(await api({ BLF_NODE_URL: "http://127.0.0.1:1" }).health()).toBeNull();
  });
});
