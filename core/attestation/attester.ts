/**
 * What makes a quote, on this or another machine. The wire has one hex field for it (protocol §2), so whatever a backend
 * needs to say travels in one quote and one round trip.
 */
import type { AttestationEvidence } from "../icl/bodies.ts";

export { createMockAttester } from "./mock.ts";

export type AttestationBackend = AttestationEvidence["backendType"];
export type HardwareBackend = Exclude<AttestationBackend, "mock">;

/** What a quote is made for. A hardware backend binds it, so that no other node can show the same quote. */
export interface QuoteBinding {
  /** EIP-55 address. */
  node: string;
  challengeId: string;
  /** Model ids as they are shown beside the quote, in that order; default none. */
  models?: readonly string[];
}

/** Both hex, no 0x. */
export interface Quote {
  quote: string;
  runtimeHash: string;
}

export interface Attester {
  readonly backendType: AttestationBackend;
  /** Quotes the coordinator's nonce, decoded to bytes. */
  quote(nonce: Uint8Array<ArrayBuffer>, binding: QuoteBinding): Promise<Quote>;
}
