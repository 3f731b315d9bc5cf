/**
 * What stands before the node's key when typed data is to be signed. A CoFHE permit lets whoever holds its sealing key
 * read all that the node may decrypt, so one for a sealing key that is not the sidecar's own would open every prompt to
 * whoever runs the Worker. Refuses whatever is not a self permit of the node, for this chain, under a key of the
 * sidecar's. Invariant: typed data of any other kind is never signed.
 */
import type { SignRequest } from "./sign-wire.ts";

export type TypedData = Extract<SignRequest, { kind: "typed-data" }>["typedData"];

export interface PermitPolicy {
  /** EIP-55 address. */
  node: string;
  chainId: number;
  /** Public sealing keys that the sidecar made and holds, 0x and 64 hex digits. */
  sealingKeys: readonly string[];
}

const PRIMARY_TYPE = "PermissionedV2IssuerSelf";
/** CoFHE's self permit, in its order. */
const FIELDS = [
  "address issuer",
  "uint64 expiration",
  "address recipient",
  "uint256 validatorId",
  "address validatorContract",
  "bytes32 sealingKey",
].join();
const DOMAIN_TYPE = "EIP712Domain";
const NOBODY = `0x${"0".repeat(40)}`;

/** Why the policy refuses typed data; null where it may be signed. */
export function permitFault(typedData: TypedData, { node, chainId, sealingKeys }: PermitPolicy): string | null {
  const { domain, types, primaryType, message } = typedData;
  if (primaryType !== PRIMARY_TYPE) return `${primaryType} is no self permit`;
  const others = Object.keys(types).filter((name) => name !== PRIMARY_TYPE && name !== DOMAIN_TYPE);
  const fields = types[PRIMARY_TYPE]?.map(({ name, type }) => `${type} ${name}`).join();
  if (fields !== FIELDS || others.length > 0) return "its fields are not those of a self permit";
  if (domain.chainId !== chainId) return `it is for another chain than ${chainId}`;
  if (!same(message.issuer, node)) return "its issuer is another account";
  if (!same(message.recipient, NOBODY)) return "it is shared with somebody";
  if (!same(message.validatorContract, NOBODY)) return "a contract decides about it";
  if (!sealingKeys.some((key) => same(message.sealingKey, key))) return "its sealing key is not the sidecar's";
  return null;
}

function same(value: unknown, expected: string): boolean {
  return typeof value === "string" && value.toLowerCase() === expected.toLowerCase();
}
