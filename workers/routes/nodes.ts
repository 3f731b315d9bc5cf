/** Which nodes a request means, and their objects. An object is named only by an address that is ours. */
import type { Context } from "hono";
import { getAddress, isAddress } from "viem";
import { wire } from "../wiring.ts";
import type { App } from "./app.ts";

/** The nodes named by `node` (an address, any case), or all of them. Null when it names none of ours. */
export function chosenNodes(c: Context<App>, node: unknown): string[] | null {
  const ours = [...(wire(c.env).configured?.nodes ?? [])];
  if (node === undefined || node === null || node === "") return ours;
  if (typeof node !== "string" || !isAddress(node, { strict: false })) return null;
  const address = getAddress(node);
  return ours.includes(address) ? [address] : null;
}

/** The answer where `chosenNodes` gives null. */
export function notOurs(c: Context<App>) {
  return c.json({ error: "node: not one of this deployment's addresses" }, 404);
}

/** The answer where there is no node at all, because a setting is at fault. */
export function unconfigured(c: Context<App>) {
  return c.json({ error: "no node is configured: see GET /api/settings" }, 503);
}

export function nodeObject(c: Context<App>, address: string) {
  return c.env.NODE.getByName(address);
}
