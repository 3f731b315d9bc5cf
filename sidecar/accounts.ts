/**
 * The nodes whose keys the sidecar holds: each behind the signing policy, with its own CoFHE client and executor. Permits
 * are cached on disk, wrapped: the sealing key in one is as secret as the node's own. Invariant: nothing but this file
 * turns a private key into a signer.
 */
import type { DatabaseSync } from "node:sqlite";
import * as z from "zod";
import { type GuardedSigner, guardSigner, policyOf } from "../core/chain/signing-policy.ts";
import { type Cofhe, createCofhe, type PermitStore } from "../core/cofhe/client.ts";
import { wrappedPermits } from "../core/cofhe/wrapped-permits.ts";
import { NodeError } from "../core/errors.ts";
import { createExecutor, type ExecutorParts } from "../core/executor/edge-executor.ts";
import type { Executor } from "../core/executor/executor.ts";
import type { Fetch, Log } from "../core/ports.ts";
import type { SidecarHostSettings } from "../core/settings/sidecar.ts";
import { localSigner } from "../core/signer.ts";

export interface Account {
  /** EIP-55. */
  address: string;
  signer: GuardedSigner;
  cofhe: Cofhe;
  executor: Executor;
  /** Public sealing keys of the permits that are kept here, 0x and 64 hex digits. */
  sealingKeys(): Promise<string[]>;
}

export interface AccountsParts extends Omit<ExecutorParts, "cofhe"> {
  db: DatabaseSync;
  fetch: Fetch;
  log: Log;
  /** Proofs for chains with real CoFHE; null where there are none. */
  prover: ((account: string) => Pick<Cofhe, "encryptUint128Pair">) | null;
}

export interface Accounts {
  /** EIP-55, in the order of the settings. */
  addresses: readonly string[];
  all(): readonly Account[];
  /** Throws NodeError `sidecar-refused` for a node whose key is not here. */
  of(node: string): Account;
}

export function createAccounts(settings: SidecarHostSettings, parts: AccountsParts): Accounts {
  const { chainId, rpcUrls, urls } = settings.node.cofhe;
  const policy = policyOf(settings.node);
  const accounts = settings.privateKeys.map((key): Account => {
    const signer = guardSigner(localSigner(key), policy);
    const permits = wrappedPermits(parts.vault, parts.log, signer.address, envelopesOf(parts.db, signer.address));
    const base = createCofhe({ chainId, rpcUrls, urls, signer, permits, clock: parts.clock, fetch: parts.fetch });
    const cofhe = base.canEncrypt || parts.prover === null ? base : proving(base, parts.prover(signer.address));
    return {
      address: signer.address,
      signer,
      cofhe,
      executor: createExecutor({ ...parts, cofhe }),
      sealingKeys: async () => sealingKeysIn(await permits.load()),
    };
  });
  const byAddress = new Map(accounts.map((account) => [account.address, account]));
  return {
    addresses: [...byAddress.keys()],
    all: () => [...byAddress.values()],
    of(node) {
      const account = byAddress.get(node);
      if (account === undefined) throw unknownNode(node);
      return account;
    },
  };
}

function proving(base: Cofhe, { encryptUint128Pair }: Pick<Cofhe, "encryptUint128Pair">): Cofhe {
  return {
    canEncrypt: true,
    decryptUint128: (handle, signal) => base.decryptUint128(handle, signal),
    encryptUint128Pair,
  };
}

function envelopesOf(db: DatabaseSync, node: string): PermitStore {
  const get = db.prepare("select wrapped from permits where node = ?");
  const put = db.prepare(
    "insert into permits (node, wrapped) values (?, ?) on conflict (node) do update set wrapped = excluded.wrapped",
  );
  return {
    async load() {
      const row = get.get(node);
      return row === undefined ? null : String(row.wrapped);
    },
    async save(envelope) {
      put.run(node, envelope);
    },
  };
}

const permitShape = z.object({ sealingPair: z.object({ publicKey: z.string().regex(/^(0x)?[0-9a-fA-F]{64}$/) }) });

function sealingKeysIn(serialised: string | null): string[] {
  if (serialised === null) return [];
  const parsed = permitShape.safeParse(JSON.parse(serialised));
  return parsed.success ? [`0x${parsed.data.sealingPair.publicKey.replace(/^0x/, "")}`] : [];
}

function unknownNode(node: string): NodeError {
  return new NodeError("sidecar-refused", `the sidecar does not hold the key of ${node}`, {
    retry: "never",
    hint: "Compare BLF_NODE_ADDRESS of the Worker with the keystore or BLF_PRIVATE_KEY of the sidecar.",
  });
}
