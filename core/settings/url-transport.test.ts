import { describe, expect, it } from "vitest";
import { SETTINGS } from "./schema.ts";
import { readSettings } from "./settings.ts";

/** Every setting that names where something is sent. */
const URLS = SETTINGS.map(({ name }) => name).filter((name) => /_(URL|ENDPOINT)$/.test(name));

function faultsOf(env: Record<string, string>, setting: string): string[] {
  return readSettings(env).faults.flatMap((fault) => (fault.setting === setting ? [fault.code] : []));
}

describe("a setting that is a URL", () => {
  it("is one of those below: a new one must be on the list of the rule for plain http, too", () => {
    expect(URLS).toEqual([
      "BLF_SIDECAR_URL",
      "BLF_ICL_ENDPOINT",
      "BLF_PAYMENT_SERVICE_URL",
      "BLF_RPC_URL",
      "BLF_COFHE_ENDPOINT",
      "BLF_COFHE_URL",
      "BLF_COFHE_VERIFIER_URL",
      "BLF_COFHE_TN_URL",
      "GROQ_BASE_URL",
      "GEMINI_BASE_URL",
      "OPENAI_BASE_URL",
      "PINATA_API_URL",
      "PINATA_GATEWAY_URL",
    ]);
  });

  it("is the only kind that has a URL for its default", () => {
    const others = SETTINGS.filter(({ name }) => !URLS.includes(name));
    expect(others.filter(({ default: fallback }) => /^https?:/.test(fallback ?? ""))).toEqual([]);
  });

  it.each(URLS)("%s must be https, unless it stays on this machine or BLF_ALLOW_HTTP is set", (name) => {
    expect(faultsOf({ [name]: "http://192.0.2.1:8080/x" }, name)).toEqual(["not-https"]);
    expect(faultsOf({ [name]: "HTTP://localhost.example/x" }, name)).toEqual(["not-https"]);
    expect(faultsOf({ [name]: "http://127.0.0.1:8080/x" }, name)).toEqual([]);
    expect(faultsOf({ [name]: "https://192.0.2.1/x" }, name)).toEqual([]);
    expect(faultsOf({ [name]: "http://192.0.2.1:8080/x", BLF_ALLOW_HTTP: "true" }, name)).toEqual([]);
  });

  it.each(["BLF_RPC_URL", "BLF_COFHE_ENDPOINT"])("%s must be https in every place of its list", (name) => {
    expect(faultsOf({ [name]: "https://a.example,http://b.example" }, name)).toEqual(["not-https"]);
  });

  it.each(URLS)("%s has a default that needs no permission, if it has one", (name) => {
    const fallback = SETTINGS.find((setting) => setting.name === name)?.default ?? "https://none.example";
    expect(fallback).toMatch(/^https:\/\/[a-z.-]+/);
  });

  it.each(URLS)("%s is refused with a scheme that is no web address", (name) => {
    for (const text of [
      "ftp://a.example",
      "javascript:alert(1)",
      "data:text/html;x",
      "file:///etc/passwd",
      "ws://a.example",
    ]) {
      expect(faultsOf({ [name]: text }, name)).toEqual(["malformed"]);
    }
  });
});
