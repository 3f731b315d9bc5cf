/**
 * Readers for URLs. They refuse credentials in a URL, unfilled examples and mainnet hosts; whether plain http is allowed
 * is a rule across settings (rules-network.ts). Messages name hosts at most: an RPC URL carries its key in the path.
 */
import { ok } from "../result.ts";
import { type Problem, problem, type Reading } from "./setting.ts";
import { placeholder, splitList } from "./text.ts";

const ALCHEMY = "https://dashboard.alchemy.com/";
const REAL_KEY = `Create a free key at ${ALCHEMY} (or with another provider of the chain) and write its full URL here.`;

/** The base URL of a service: http or https, no query, no trailing slash. */
export function readUrl(text: string): Reading<string> {
  const url = parse(text);
  if (!url.ok) return url;
  if (url.value.search !== "") return problem("malformed", "must be a base URL without a query");
  return ok(trimmed(url.value));
}

/** One or several RPC URLs, the preferred one first; a query may carry the key. */
export function readRpcUrls(text: string): Reading<string[]> {
  const items = splitList(text);
  if (items.length === 0) return problem("malformed", "holds no URL");
  const urls = new Set<string>();
  const problems: Problem[] = [];
  items.forEach((item, index) => {
    const reading = readRpcUrl(item);
    if (reading.ok) urls.add(reading.value);
    else problems.push(...reading.refusal.map((found) => ordinal(found, index, items.length)));
  });
  return problems.length > 0 ? { ok: false, refusal: problems } : ok([...urls]);
}

/** True for 127.0.0.0/8, ::1 and localhost: traffic that never leaves the machine. */
export function isLoopback(url: string): boolean {
  const host = new URL(url).hostname;
  return host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

function readRpcUrl(text: string): Reading<string> {
  const demo = /\/v[23]\/demo\/*$/i.test(text) || /alchemy\.com\/v2\/*$/i.test(text);
  if (demo || placeholder(text) !== null) {
    return problem(
      "placeholder",
      "ends in a placeholder (guides show the default Alchemy key): set a real key",
      REAL_KEY,
    );
  }
  const url = parse(text);
  if (!url.ok) return url;
  if (/(^|[-.])mainnet([-.]|$)/.test(url.value.hostname)) {
    return problem("mainnet", `points at a mainnet (${url.value.hostname}), and this node runs on testnets only`);
  }
  return ok(trimmed(url.value));
}

function parse(text: string): Reading<URL> {
  const example = placeholder(text);
  if (example !== null) return example;
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return problem("malformed", "must be a full URL that begins with https://");
  }
  if (url.username !== "" || url.password !== "") {
    return problem("malformed", "must not carry a user name or password", "Remove the part before the @ from the URL.");
  }
  if (url.hash !== "") return problem("malformed", "must not carry a fragment (#)");
  return ok(url);
}

function trimmed(url: URL): string {
  return url.search === "" ? url.href.replace(/\/+$/, "") : url.href;
}

function ordinal(found: Problem, index: number, count: number): Problem {
  return count === 1 ? found : { ...found, message: `(URL ${index + 1} of ${count}) ${found.message}` };
}
