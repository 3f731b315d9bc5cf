/** Every secret of the settings, for the log's last guard (core/log.ts), RPC keys included. */
import { Secret } from "../secret.ts";
import type { Settings } from "./settings.ts";

/** A path segment or query value of an RPC URL from this length on is its key. */
const URL_KEY_MIN = 16;

export function secretsOf(settings: Settings): Secret[] {
  const { backends, ipfs, attestation, fleet, cli } = settings;
  const bases = [settings.iclEndpoint, settings.paymentServiceUrl, ipfs.gatewayUrl, ipfs.pinataApiUrl];
  const models = Object.values(backends).map(({ baseUrl }) => baseUrl);
  const urls = [...settings.rpcUrls, ...settings.cofhe.rpcUrls, ...bases, ...models];
  return [
    ...settings.privateKeys,
    ...settings.storageKeys,
    fleet?.mnemonic,
    backends.groq?.apiKey,
    backends.gemini?.apiKey,
    backends.openai?.apiKey,
    ipfs.pinataJwt,
    attestation.mockKey,
    settings.adminToken,
    settings.spendToken,
    cli.keyPassword,
    ...[...new Set(urls.flatMap(keysIn))].map((key) => new Secret(key)),
  ].filter((secret) => secret !== undefined);
}

function keysIn(url: string): string[] {
  const { pathname, searchParams } = new URL(url);
  return [...pathname.split("/"), ...searchParams.values()].filter((part) => part.length >= URL_KEY_MIN);
}
