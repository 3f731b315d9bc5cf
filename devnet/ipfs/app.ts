/**
 * The devnet's IPFS service: gateway and Pinata API on one port, over one content-addressed store, able to misbehave on
 * demand. Wired here, decided nowhere: each part is a file of its own beside this one.
 */
import { Hono } from "hono";
import { type Clock, systemClock } from "../../core/ports.ts";
import { installFaults } from "../faults.ts";
import { installContentFaults } from "./content-faults.ts";
import { installGateway } from "./gateway.ts";
import { installPinata } from "./pinata.ts";
import { createIpfsStore, type IpfsStore } from "./store.ts";

/** The token the devnet hands its nodes. It opens nothing but a service on this machine. */
export const DEVNET_PINATA_JWT = "devnet-pinata-jwt";

export interface IpfsAppOptions {
  /** Keeps the blocks in this folder; without it they go with the process. */
  dir?: string;
  /** The bearer token that may pin; DEVNET_PINATA_JWT by default. */
  jwt?: string;
  /** Waited on by delaying faults. */
  clock?: Clock;
}

export interface IpfsApp {
  /** To be served with `listen` (devnet/http.ts). */
  app: Hono;
  /** The store behind it, for services in the same process: `add` is what the coordinator's upload calls. */
  store: IpfsStore;
}

export function createIpfsApp(options: IpfsAppOptions = {}): IpfsApp {
  const store = createIpfsStore(options.dir === undefined ? {} : { dir: options.dir });
  const app = new Hono();
  installContentFaults(app);
  installFaults(app, options.clock ?? systemClock);
  app.get("/health", (c) => c.json({ status: "ok" }));
  installGateway(app, store);
  installPinata(app, store, options.jwt ?? DEVNET_PINATA_JWT);
  return { app, store };
}
