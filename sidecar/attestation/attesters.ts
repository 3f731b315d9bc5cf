/** The attester of the backend that is set. It never falls back to another one: a quote must not claim less work than it did. */
import { type AttestationBackend, type Attester, createMockAttester } from "../../core/attestation/attester.ts";
import type { Secret } from "../../core/secret.ts";
import type { HostClaims } from "./host-claims.ts";
import { createTpmAttester, type TpmOptions } from "./tpm.ts";
import { createTsmAttester } from "./tsm.ts";
import type { TsmParts } from "./tsm-report.ts";

export interface AttesterParts {
  host: HostClaims;
  tpm: TpmOptions;
  tsm?: Partial<TsmParts>;
  /** `MOCK_ATTESTATION_KEY`. */
  mockKey?: Secret;
}

export function createAttester(backend: AttestationBackend, { host, tpm, tsm, mockKey }: AttesterParts): Attester {
  switch (backend) {
    case "mock":
      return createMockAttester(mockKey);
    case "tpm":
      return createTpmAttester(host, tpm);
    case "sev":
    case "tdx":
      return createTsmAttester(backend, host, tsm);
  }
}
