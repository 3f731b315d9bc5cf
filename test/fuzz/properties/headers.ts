/** What servers say in headers: Retry-After, and where a redirect leads. */
import fc from "fast-check";
import { parseRetryAfter } from "../../../core/http.ts";
import { fetchFollowing } from "../../../core/redirects.ts";
import { mutatedText } from "../mutate.ts";
import { must, property } from "../property.ts";

const NOW_MS = Date.parse("Fri, 15 Jan 2027 08:00:00 GMT");
const RETRIES = ["120", "0.5", "Fri, 15 Jan 2027 08:00:30 GMT", "Friday, 15-Jan-27 08:00:30 GMT", "", "1e9"];
const PLACES = [
  "https://b.test/ipfs/x",
  "http://c.test/",
  "//d.test/y",
  "/ipfs/z?format=raw",
  "http://127.0.0.1:9/",
  "ftp://e",
];
const PIECES = [
  "http:",
  "https:",
  "//",
  "@",
  "user:pw@",
  "127.0.0.1",
  "[::1]",
  "localhost",
  "\\",
  "%00",
  " ",
  "#",
  "?",
];

/** Follows the locations one after another and gives what was asked. */
async function followed(start: string, locations: readonly string[]): Promise<Request[]> {
  const asked: Request[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const location = locations[asked.length];
    asked.push(new Request(input, init));
    return new Response(null, location === undefined ? {} : { status: 302, headers: { location } });
  };
  const request = new Request(start, { headers: { accept: "a/b", authorization: "Bearer SWALLOWED" } });
  await fetchFollowing(fetch, request, { signal: new AbortController().signal, redirect: "manual" });
  return asked;
}

const location = mutatedText(PLACES, PIECES).map((text) => text.replace(/[^\x20-\x7e]/g, "").trim());

export const headers = [
  property(
    "reads a Retry-After as a time within the hour, or not at all",
    4_000,
    mutatedText(RETRIES, ["9", "-", " ", ".", "GMT", "Z", "9".repeat(400)]),
    (text) => {
      const delayMs = parseRetryAfter(text, NOW_MS);
      must(delayMs === null || (delayMs >= 0 && delayMs <= 3_600_000), "a delay is between nothing and an hour");
      if (/^\d{1,3}$/.test(text)) must(delayMs === Number(text) * 1000, "seconds are seconds");
    },
  ),
  property(
    "follows a redirect to nowhere that is less safe, and takes nothing along",
    3_000,
    fc.tuple(
      fc.constantFrom("https://a.test/ipfs/x", "http://a.test/x", "http://127.0.0.1:8/x"),
      fc.array(location, { maxLength: 8 }),
    ),
    async ([start, locations]) => {
      const asked = await followed(start, locations);
      must(asked.length <= 6, "five redirects are enough");
      asked.slice(1).forEach(({ url, headers: sent }, index) => {
        const { protocol, hostname, username, password } = new URL(url);
        const before = asked[index]?.url ?? "";
        must(sent.get("authorization") === null, "no token goes along");
        must(username === "" && password === "", "no credentials come from a redirect");
        must(protocol === "https:" || (protocol === "http:" && !before.startsWith("https:")), "https stays https");
        const local = /^(localhost|\[::1\]|127\..*)$/.test(hostname);
        if (protocol === "http:" && start.startsWith("http://127"))
          must(local, "this machine sends to no other in http");
      });
    },
  ),
];
