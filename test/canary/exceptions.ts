/**
 * Where a secret is meant to be, and why: the only findings that a run may have. Each row must be met in every run, so
 * that none outlives its reason.
 */
import type { Finding } from "./search.ts";

export interface Exception {
  secret: RegExp;
  place: RegExp;
  why: string;
}

/** The devnet's mock of CoFHE's proof verifier (protocol §8). */
export const MOCK_VERIFIER = "0x0000000000000000000000000000000000005001";

export const EXCEPTIONS: readonly Exception[] = [
  {
    secret: /^output key \d+, (high|low) half$/,
    place: new RegExp(`^traffic/rpc/eth_(call|sendTransaction)→${MOCK_VERIFIER}#\\d+/request/body$`),
    why: "On chain 31337 encryption is a mock: it takes the plaintext. No other chain encrypts this way.",
  },
  {
    secret: /^PINATA_JWT /,
    place:
      /^traffic\/pinata\/(POST \/pinning\/pinFileToIPFS|GET \/data\/testAuthentication)#\d+\/request\/header\/authorization$/,
    why: "The pinning service is told who pins.",
  },
  {
    secret: /^RPC key /,
    place: /^traffic\/rpc\/[^/]+#\d+\/request\/line$/,
    why: "An RPC provider's key is part of its URL.",
  },
];

/** Findings that no exception covers, each once a secret, place and encoding. */
export function unexcused(findings: readonly Finding[]): string[] {
  const rest = findings.filter((finding) => !EXCEPTIONS.some((exception) => covers(exception, finding)));
  return [...new Set(rest.map(({ secret, place, encoding }) => `${secret} in ${place} (${encoding})`))];
}

export function covers({ secret, place }: Exception, finding: Finding): boolean {
  return secret.test(finding.secret) && place.test(finding.place);
}
