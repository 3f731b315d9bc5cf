/** What a node asked of whom, held against the table: a call without a row would be a call whose faults nobody tried. */
import type { NetworkAddresses } from "../../devnet/chain/deploy.ts";
import { patternOf, type Route } from "./endpoint.ts";
import { ENDPOINTS } from "./endpoints.ts";
import { ODD_CALLS } from "./odd-cases.ts";

const ROUTES: readonly Route[] = [...ENDPOINTS, ...ODD_CALLS];

/** The calls (`SERVICE METHOD PATH`) that no row is for. */
export function unlisted(asked: Iterable<string>, contracts: NetworkAddresses): string[] {
  return [...asked].filter((call) => !ROUTES.some((route) => isFor(route, call, contracts)));
}

/** The rows' routes that none of these calls took. */
export function unasked(asked: Iterable<string>, contracts: NetworkAddresses, routes = ROUTES): string[] {
  const calls = [...asked];
  return routes
    .filter((route) => !calls.some((call) => isFor(route, call, contracts)))
    .map(({ door, method, path }) => `${door} ${method} ${path}`);
}

function isFor(route: Route, call: string, contracts: NetworkAddresses): boolean {
  const [door, method, path = ""] = call.split(" ");
  return door === route.door && method === route.method && new RegExp(patternOf(route, contracts)).test(path);
}
