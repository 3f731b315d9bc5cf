/**
 * The devnet's coordinator: protocol §1 and §10 over HTTP, strict where today's network is lax, with its state in memory
 * as on the network. A node that passes here passes anywhere. Refusals are `{detail}`; anything unexpected is a 500 without
 * a word about it.
 */
import { Hono } from "hono";
import { createActivations } from "../../core/attestation/activation.ts";
import { DEVNET } from "../../core/chain/addresses.ts";
import { type Clock, type RandomBytes, systemClock, systemRandom } from "../../core/ports.ts";
import { installFaults } from "../faults.ts";
import { mockVerifier, type QuoteVerifiers } from "./attestation.ts";
import type { CoordinatorContext } from "./context.ts";
import { type CoordinatorStats, coordinatorStats, devnetRoutes } from "./devnet-routes.ts";
import { hardwareVerifiers } from "./hardware.ts";
import { nodeRoutes } from "./node-routes.ts";
import type { ChainPort, IpfsPort, PaymentPort } from "./ports.ts";
import { type CoordinatorSettings, STRICT } from "./settings.ts";
import { Settlement } from "./settlement.ts";
import { createState, forget, type UnknownNodes } from "./state.ts";
import { userRoutes } from "./user-routes.ts";

export interface CoordinatorOptions extends Partial<CoordinatorSettings> {
  chain: ChainPort;
  ipfs: IpfsPort;
  payment: PaymentPort;
  /** Default: the system's. */
  clock?: Clock;
  random?: RandomBytes;
  /** Which chain a hardware quote must name; default the devnet's. */
  chainId?: number;
  /** In place of the usual ones. */
  quoteVerifiers?: QuoteVerifiers;
  /** Where nodes set MOCK_ATTESTATION_KEY. */
  mockAttestationKey?: string;
}

export interface Coordinator {
  app: Hono;
  /** Claims that ran out, deadlines, retries. `start` does it every second. */
  sweep(): Promise<void>;
  start(): void;
  /** Stops sweeping and waits for what is in flight. */
  stop(): Promise<void>;
  /** Resolves once nothing is in flight: outcomes committed, members paid. */
  idle(): Promise<void>;
  stats(): CoordinatorStats;
  /** As after a restart; see `POST /devnet/forget`. */
  forget(mode: UnknownNodes, keepJobs?: boolean): void;
}

const SWEEP_MS = 1_000;

export function createCoordinator(options: CoordinatorOptions): Coordinator {
  const { chain, ipfs, payment, clock = systemClock, random = systemRandom } = options;
  const state = createState();
  const settings = settingsOf(options);
  const settlement = new Settlement({ state, settings, chain, payment, clock });
  const activations = createActivations({ clock, random });
  const quoteVerifiers: QuoteVerifiers = new Map([
    ["mock", mockVerifier(options.mockAttestationKey)] as const,
    ...hardwareVerifiers(options.chainId ?? DEVNET, activations),
    ...(options.quoteVerifiers ?? []),
  ]);
  const context = { state, settings, chain, ipfs, clock, random, quoteVerifiers, activations, settlement };
  let timer: NodeJS.Timeout | undefined;
  return {
    app: createApp(context, clock),
    sweep: () => settlement.sweep(),
    start() {
      timer ??= setInterval(() => void settlement.sweep(), SWEEP_MS);
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      await settlement.idle();
    },
    idle: () => settlement.idle(),
    stats: () => coordinatorStats(context),
    forget: (mode, keepJobs = false) => forget(state, mode, keepJobs),
  };
}

function createApp(context: CoordinatorContext, clock: Clock): Hono {
  const app = new Hono();
  app.onError((error) => {
    context.state.faults.push({ during: "a request", code: error.name, atMs: clock.now() });
    return Response.json({ detail: "internal error" }, { status: 500 });
  });
  app.notFound(() => Response.json({ detail: "no such route" }, { status: 404 }));
  installFaults(app, clock);
  app.get("/health", (c) => c.json({ status: "ok", nodes: context.state.nodes.size, jobs: context.state.jobs.size }));
  app.route("/internal", nodeRoutes(context));
  app.route("/v1", userRoutes(context));
  app.route("/devnet", devnetRoutes(context));
  return app;
}

/** The strict defaults with what was given laid over them. */
function settingsOf(options: Partial<CoordinatorSettings>): CoordinatorSettings {
  const given = Object.keys(STRICT).flatMap((name) => {
    const value = options[name as keyof CoordinatorSettings];
    return value === undefined ? [] : [[name, value]];
  });
  return { ...STRICT, ...Object.fromEntries(given) };
}
