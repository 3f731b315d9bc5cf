import { describe, expect, it } from "vitest";
import type { Fetch } from "./ports.ts";
import { fetchFollowing } from "./redirects.ts";

const INIT = { signal: new AbortController().signal, redirect: "manual" } as const;

/** A web in which every address of `web` redirects to the one beside it, and all others answer. */
function webOf(web: Record<string, string>, status = 302) {
  const visited: { url: string; headers: Record<string, string>; redirect: string }[] = [];
  const fetch: Fetch = async (input, init) => {
    const { url, headers, redirect } = new Request(input, init);
    visited.push({ url, headers: Object.fromEntries(headers), redirect });
    const location = web[url];
    return location === undefined ? new Response("here") : new Response(null, { status, headers: { location } });
  };
  const go = (url: string, headers: Record<string, string> = {}) =>
    fetchFollowing(fetch, new Request(url, { headers }), INIT);
  return { go, visited };
}

describe("a redirect", () => {
  it.each([
    ["to another https host", "https://a.example/x", "https://b.example/x"],
    ["from plain http to https", "http://a.example/x", "https://b.example/x"],
    ["to a path of the same host", "https://a.example/x", "/ipfs/y"],
    ["on this machine", "http://127.0.0.1:1/x", "http://localhost:2/x"],
    ["between hosts where plain http is allowed already", "http://a.example/x", "http://b.example/x"],
  ])("%s is followed", async (_name, from, to) => {
    const { go, visited } = webOf({ [from]: to });
    expect(await (await go(from)).text()).toBe("here");
    expect(visited.map(({ url }) => url)).toEqual([from, new URL(to, from).href]);
  });

  it.each([
    ["from https to plain http", "https://a.example/x", "http://a.example/x"],
    ["from https to plain http on this machine", "https://a.example/x", "http://127.0.0.1:1/x"],
    ["from this machine to a host in plain http", "http://127.0.0.1:1/x", "http://a.example/x"],
    ["to another scheme", "https://a.example/x", "ftp://a.example/x"],
    ["to data", "https://a.example/x", "data:text/plain,x"],
    ["with a password in it", "https://a.example/x", "https://user:pass@b.example/x"],
    ["to nowhere", "https://a.example/x", "https://"],
  ])("%s is handed back as it is", async (_name, from, to) => {
    const { go, visited } = webOf({ [from]: to });
    expect((await go(from)).status).toBe(302);
    expect(visited).toHaveLength(1);
  });

  it("takes no header along but what is accepted, and never leaves a step to the platform", async () => {
    const { go, visited } = webOf({ "https://a.example/x": "https://b.example/x" });
    await go("https://a.example/x", { accept: "image/png", authorization: "Bearer t", cookie: "c=1", "x-key": "k" });
    expect(visited[1]?.headers).toEqual({ accept: "image/png" });
    expect(visited.map(({ redirect }) => redirect)).toEqual(["manual", "manual"]);
  });

  it("in a circle ends after five", async () => {
    const { go, visited } = webOf({ "https://a.example/": "https://a.example/" });
    expect((await go("https://a.example/")).status).toBe(302);
    expect(visited).toHaveLength(6);
  });

  it.each([300, 304])("that is none, a %i, is handed back", async (status) => {
    const { go, visited } = webOf({ "https://a.example/": "https://b.example/" }, status);
    expect((await go("https://a.example/")).status).toBe(status);
    expect(visited).toHaveLength(1);
  });
});
