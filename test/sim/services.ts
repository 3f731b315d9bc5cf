/**
 * The network's services in this process: the devnet's own apps on the services' clock, over one real chain. Each node
 * has its own doors to them, at addresses of its own, so that a service misbehaves towards one node and not towards the
 * others. What is not a door of somebody's cannot be reached.
 */

import { Hono } from "hono";
import { type Address, zeroHash } from "viem";
import type { Clock } from "../../core/ports.ts";
import { DEV_ROLES, devAccount } from "../../devnet/chain/accounts.ts";
import { createRpcProxy } from "../../devnet/chain/rpc-proxy.ts";
import { createCoordinatorChain } from "../../devnet/coordinator/chain.ts";
import { type Coordinator, createCoordinator } from "../../devnet/coordinator/coordinator.ts";
import type { ChainPort } from "../../devnet/coordinator/ports.ts";
import type { CoordinatorSettings } from "../../devnet/coordinator/settings.ts";
import { cutOf } from "../../devnet/cut.ts";
import { type Faults, installFaults } from "../../devnet/faults.ts";
import { createIpfsApp, type IpfsApp } from "../../devnet/ipfs/app.ts";
import { type CompletionsServerOptions, createCompletionsServer } from "../../devnet/models/completions.ts";
import { createGeminiServer } from "../../devnet/models/gemini.ts";
import { createGroqServer } from "../../devnet/models/groq.ts";
import { createPaymentService } from "../../devnet/payment/payment.ts";
import type { SimChain } from "./chain.ts";
import { working } from "./platform/idle.ts";
import { isDead } from "./platform/objects.ts";
import { realPost } from "./platform/real-post.ts";

export const SERVICES = ["icl", "ipfs", "pin", "rpc", "payment", "groq", "gemini", "openai"] as const;
export type Service = (typeof SERVICES)[number];

/** One party's doors: a base URL each, what misbehaves behind it, and what was asked there. */
export interface Doors {
  urls: Record<Service, string>;
  faults: Record<Service, Faults>;
  /** `SERVICE METHOD PATH` of every call, once. Of an RPC node the path is the call's method and contract. */
  asked: ReadonlySet<string>;
}

interface App {
  fetch(request: Request): Response | Promise<Response>;
}

export interface Services {
  coordinator: Coordinator;
  ipfs: IpfsApp;
  /** Doors for the n-th party. */
  doors(party: number): Doors;
  /** Stands for the platform's fetch. */
  fetch: typeof globalThis.fetch;
}

export interface ServiceSettings {
  coordinator: Partial<CoordinatorSettings>;
  completions: Partial<CompletionsServerOptions>;
}

export function createServices(chain: SimChain, clock: Clock, settings: ServiceSettings): Services {
  const toChain: typeof fetch = (input, init) => working(() => realPost(input, init));
  const payment = createPaymentService({ chain: PAYMENT_CHAIN, clock });
  const ipfs = createIpfsApp({ clock });
  const coordinator = createCoordinator({
    chain: coordinatorChain(chain),
    ipfs: { add: (bytes) => ipfs.store.add(bytes) },
    payment,
    clock,
    ...settings.coordinator,
  });
  const apps: Record<Exclude<Service, "rpc">, App> = {
    icl: dated(coordinator.app, clock),
    ipfs: ipfs.app,
    pin: ipfs.app,
    payment: payment.app,
    groq: createGroqServer({ clock }).app,
    gemini: createGeminiServer({ clock }).app,
    openai: createCompletionsServer({ clock, ...settings.completions }).app,
  };
  // The coordinator's own way to the chain, which never misbehaves.
  const hosts = new Map<string, App>([
    ["127.0.0.1", { fetch: async (request) => toChain(request.url, { body: await request.text() }) }],
  ]);
  const rpcProxy = () => createRpcProxy({ rpcUrl: chain.rpcUrl, fetch: toChain, clock });
  return {
    coordinator,
    ipfs,
    doors: (party) => openDoors(party, { hosts, apps, rpcProxy, clock }),
    fetch: (input, init) => (isDead() ? never() : send(hosts, new Request(input, init))),
  };
}

interface DoorParts {
  hosts: Map<string, App>;
  apps: Record<Exclude<Service, "rpc">, App>;
  rpcProxy(): { app: App; faults: Faults };
  clock: Clock;
}

/** Loopback addresses, so that plain http is allowed and no public gateway is asked. */
function openDoors(party: number, { hosts, apps, rpcProxy, clock }: DoorParts): Doors {
  const asked = new Set<string>();
  const opened = SERVICES.map((service, index) => {
    const host = `127.0.${party + 1}.${index + 1}`;
    const door = service === "rpc" ? rpcProxy() : misbehaving(apps[service], clock);
    hosts.set(host, door.app);
    door.faults.onRequest = (method, path) => void asked.add(`${service} ${method} ${path}`);
    return [service, { url: `http://${host}`, faults: door.faults }] as const;
  });
  const pick = <T>(of: (door: { url: string; faults: Faults }) => T) =>
    Object.fromEntries(opened.map(([service, door]) => [service, of(door)])) as Record<Service, T>;
  return { urls: pick(({ url }) => url), faults: pick(({ faults }) => faults), asked };
}

function misbehaving(app: App, clock: Clock): { app: App; faults: Faults } {
  const door = new Hono();
  const faults = installFaults(door, clock);
  door.all("*", (c) => app.fetch(c.req.raw));
  return { app: door, faults };
}

/** As a server's own answers: with the time of its clock. */
function dated(app: App, clock: Clock): App {
  return {
    async fetch(request) {
      const reply = await app.fetch(request);
      const headers = new Headers(reply.headers);
      headers.set("date", new Date(clock.now()).toUTCString());
      return new Response(reply.body, { status: reply.status, headers });
    },
  };
}

async function send(hosts: ReadonlyMap<string, App>, request: Request): Promise<Response> {
  const app = hosts.get(new URL(request.url).hostname);
  request.signal.throwIfAborted();
  if (app === undefined) throw new TypeError("fetch failed");
  const served = working(() => app.fetch(request));
  served.catch(() => undefined);
  const response = await Promise.race([served, aborted(request.signal)]);
  if (cutOf(response)?.length === 0) throw new TypeError("fetch failed");
  return response;
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** A dead process hears of nothing any more. */
function never(): Promise<never> {
  return new Promise(() => undefined);
}

/** Checks what leaders say against the chain; its own transactions are left out, because no node sees them. */
function coordinatorChain(chain: SimChain): ChainPort {
  const { rpcUrl, chainId, contracts } = chain;
  const real = createCoordinatorChain({ rpcUrl, chainId, signer: devAccount(DEV_ROLES.icl), contracts });
  return {
    ...real,
    verifyOutputKeyTx: (claim) => real.verifyOutputKeyTx(claim),
    recordFailure: async () => zeroHash,
    resetFailures: async () => null,
    commitResult: async () => zeroHash,
    commitRejection: async () => zeroHash,
  };
}

const PAYMENT_CHAIN = {
  transfer: async (_to: Address, _amount: bigint) => zeroHash,
  stakeOf: async () => 0n,
  slashCount: async () => 0,
};
