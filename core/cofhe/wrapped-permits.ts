/**
 * A store of permits over one of envelopes: what is kept is wrapped, because the sealing key in a permit is as secret as
 * the node's own. A permit costs a signature: one that cannot be opened any more is made anew.
 */
import { toFailure } from "../errors.ts";
import type { Log } from "../ports.ts";
import type { Vault } from "../vault.ts";
import type { PermitStore } from "./permits.ts";

/** The vault's purpose for permits; the identity is the node's address. */
const PERMIT_PURPOSE = "cofhe-permit";

/** @param envelopes where the wrapped permit of this node is kept */
export function wrappedPermits(vault: Vault, log: Log, node: string, envelopes: PermitStore): PermitStore {
  const wrap = async (permit: Uint8Array) => envelopes.save(await vault.seal(PERMIT_PURPOSE, node, permit));
  return {
    async load() {
      const envelope = await envelopes.load();
      if (envelope === null) return null;
      const permit = await vault.open(PERMIT_PURPOSE, node, envelope).catch((error: unknown) => {
        log("warn", "permit.unreadable", { node, reason: toFailure(error).message });
        return null;
      });
      if (permit === null) return null;
      // Under a previous storage key: wrapped again, so that the previous one may go.
      if (await vault.needsRewrap(envelope)) await wrap(permit);
      return new TextDecoder().decode(permit);
    },
    save: (serialised) => wrap(new TextEncoder().encode(serialised)),
  };
}
