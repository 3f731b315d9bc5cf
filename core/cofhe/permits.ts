/**
 * The node's self permit, by which it may decrypt what was allowed to its account: signed once, kept by the caller,
 * used until a day before it expires. Concurrent callers share one signing. A stored permit that is damaged, foreign,
 * or of another chain is replaced, never used.
 */
import { isAddressEqual } from "viem";
import type { Clock } from "../ports.ts";
import type { Signer } from "../signer.ts";
import { guarded } from "./errors.ts";
import { type Permit, parsePermit, type Sdk, serialisePermit } from "./sdk.ts";

/** Where the permit's text survives restarts. It holds the sealing private key: keep it wrapped. */
export interface PermitStore {
  load(): Promise<string | null>;
  save(serialised: string): Promise<void>;
}

export interface PermitKeeper {
  /** The permit to use now. */
  current(): Promise<Permit>;
  /** A new permit in place of one that CoFHE refused, once however many callers were refused with it. */
  replace(refused: Permit): Promise<Permit>;
}

const NAME = "blindference-edge";
// Chosen, because the SDK's own default is 7 days at the call and 30 in the configuration, which the call ignores.
const LIFETIME_SEC = 30 * 86_400;
const RENEW_BEFORE_SEC = 86_400;

export function createPermitKeeper(options: {
  sdk: Sdk;
  signer: Signer;
  chainId: number;
  store: PermitStore;
  clock: Clock;
}): PermitKeeper {
  const { sdk, signer, chainId, store, clock } = options;
  const nowSec = () => Math.floor(clock.now() / 1000);
  let permit: Permit | null = null;
  let pending: Promise<Permit> | null = null;

  const isFresh = ({ expiration }: Permit) => expiration - nowSec() > RENEW_BEFORE_SEC;

  async function load(): Promise<Permit | null> {
    const text = await store.load();
    if (text === null) return null;
    try {
      const stored = parsePermit(text);
      const own = isAddressEqual(stored.issuer, signer.address) && stored._signedDomain?.chainId === chainId;
      return own && isFresh(stored) ? stored : null;
    } catch {
      return null;
    }
  }

  async function sign(): Promise<Permit> {
    const signed = await guarded("signing a permit", () => sdk.signSelfPermit(NAME, nowSec() + LIFETIME_SEC));
    await store.save(serialisePermit(signed));
    return signed;
  }

  function once(work: () => Promise<Permit>): Promise<Permit> {
    pending ??= work()
      .then((made) => {
        permit = made;
        return made;
      })
      .finally(() => {
        pending = null;
      });
    return pending;
  }

  return {
    async current() {
      if (permit && isFresh(permit)) return permit;
      return once(async () => (await load()) ?? (await sign()));
    },
    async replace(refused) {
      if (permit && permit !== refused) return permit;
      return once(sign);
    },
  };
}
