/** What the coordinator's routes share: its state, how it behaves, and its ports. Wired once, in `coordinator.ts`. */
import type { Address } from "viem";
import type { Activations } from "../../core/attestation/activation.ts";
import type { Clock, RandomBytes } from "../../core/ports.ts";
import type { QuoteVerifiers } from "./attestation.ts";
import type { ChainPort, IpfsPort } from "./ports.ts";
import type { CoordinatorSettings } from "./settings.ts";
import type { Settlement } from "./settlement.ts";
import type { CoordinatorState } from "./state.ts";

export interface CoordinatorContext {
  state: CoordinatorState;
  settings: CoordinatorSettings;
  chain: ChainPort;
  ipfs: IpfsPort;
  clock: Clock;
  random: RandomBytes;
  quoteVerifiers: QuoteVerifiers;
  activations: Activations;
  settlement: Settlement;
}

/** What the authentication leaves for the routes behind it. */
export interface SignedEnv {
  Variables: {
    /** Who signed, in EIP-55 spelling. */
    node: Address;
    /** The body as it was signed. */
    text: string;
  };
}

/** Seconds, rounded down, as the wire has them. */
export function toSec(ms: number): number {
  return Math.floor(ms / 1_000);
}
