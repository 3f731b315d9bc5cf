/** Every secret of the settings, for the one redactor (core/log.ts), RPC keys included. */
import { Secret } from "../secret.ts";
import { SETTINGS, SIDECAR_SETTINGS } from "./schema.ts";
import { readSettings, type Settings } from "./settings.ts";
import { splitList, unquote } from "./text.ts";

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
    settings.sidecar?.key.seed,
    settings.sidecar?.access?.clientSecret,
    settings.adminToken,
    settings.spendToken,
    cli.keyPassword,
    ...[...new Set(urls.flatMap(keysIn))].map((key) => new Secret(key)),
  ].filter((secret) => secret !== undefined);
}

/**
 * The same of an environment whose settings may be at fault, so that an error can be shown that comes of the fault: every
 * text of a secret setting, whole and item by item, and the keys in the paths of all that is a URL.
 */
export function secretsIn(env: Readonly<Record<string, string | undefined>>): Secret[] {
  const { settings } = readSettings(env);
  const texts = [...SETTINGS, ...SIDECAR_SETTINGS].flatMap(({ name, aliases = [], secret = false }) =>
    [name, ...aliases].flatMap((alias) => textsOf(env[alias]).map((text) => ({ text, secret }))),
  );
  const found = texts.flatMap(({ text, secret }) => [
    ...(secret ? [text] : []),
    ...(URL.canParse(text) ? [...keysIn(text), new URL(text).password].filter((part) => part !== "") : []),
  ]);
  return [...(settings === null ? [] : secretsOf(settings)), ...found.map((text) => new Secret(text))];
}

function textsOf(given: string | undefined): string[] {
  return given === undefined || given === "" ? [] : [...new Set([given, unquote(given), ...splitList(given)])];
}

function keysIn(url: string): string[] {
  const { pathname, searchParams } = new URL(url);
  return [...pathname.split("/"), ...searchParams.values()].filter((part) => part.length >= URL_KEY_MIN);
}
