/** The chains a node may run on (protocol §7, §8). Everything else, mainnets above all, is refused. */
export const TESTNETS = [421614, 84532, 11155111, 31337] as const;
export type TestnetId = (typeof TESTNETS)[number];

export function isTestnet(chainId: number): chainId is TestnetId {
  return TESTNETS.some((id) => id === chainId);
}
