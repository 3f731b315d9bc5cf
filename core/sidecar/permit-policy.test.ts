import { PermitUtils, SignatureUtils } from "@cofhe/sdk/permits";
import { describe, expect, it } from "vitest";
import { permitFault, type TypedData } from "./permit-policy.ts";

const NODE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const USER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";
const chainId = 421_614;
const domain = { name: "ACL", version: "1", chainId, verifyingContract: USER };

/** What CoFHE's SDK asks a wallet to sign. */
const permit = PermitUtils.getPermission(PermitUtils.createSelf({ issuer: NODE, expiration: 2_000_000_000 }), true);
const asked = (kind: Parameters<typeof SignatureUtils.getSignatureParams>[1], given = permit): TypedData => {
  const { types, primaryType, message } = SignatureUtils.getSignatureParams(given, kind);
  return { domain, types, primaryType, message };
};
const self = asked("PermissionedV2IssuerSelf");
const policy = { node: NODE, chainId, sealingKeys: [permit.sealingKey] };

describe("the permit policy", () => {
  it("signs the node's own permit, as the SDK makes it, under the sidecar's key", () => {
    expect(permitFault(self, policy)).toBeNull();
    const sealingKeys = ["0x00", permit.sealingKey.toUpperCase().replace("0X", "0x")];
    expect(permitFault(self, { ...policy, sealingKeys })).toBeNull();
  });

  it.each<[string, TypedData, RegExp]>([
    [
      "whose sealing key is somebody else's",
      { ...self, message: { ...self.message, sealingKey: `0x${"cd".repeat(32)}` } },
      /sealing key/,
    ],
    ["without a sealing key", { ...self, message: { ...self.message, sealingKey: undefined } }, /sealing key/],
    ["of another account", { ...self, message: { ...self.message, issuer: USER } }, /issuer/],
    ["that is shared", { ...self, message: { ...self.message, recipient: USER } }, /shared/],
    ["that a contract decides about", { ...self, message: { ...self.message, validatorContract: USER } }, /contract/],
    ["for another chain", { ...self, domain: { ...domain, chainId: 1 } }, /chain/],
    ["for any chain", { ...self, domain: {} }, /chain/],
    ["for sharing", asked("PermissionedV2IssuerShared", { ...permit, recipient: USER }), /no self permit/],
    ["of a recipient", asked("PermissionedV2Recipient"), /no self permit/],
    ["of tokens", { ...self, primaryType: "Permit" }, /no self permit/],
    ["with other fields under its name", { ...self, types: { PermissionedV2IssuerSelf: [] } }, /fields/],
    ["with another type beside it", { ...self, types: { ...self.types, Order: [] } }, /fields/],
  ])("refuses a permit %s", (_, typedData, reason) => {
    expect(permitFault(typedData, policy)).toMatch(reason);
  });

  it("refuses every permit while the sidecar has no sealing key", () => {
    expect(permitFault(self, { ...policy, sealingKeys: [] })).toMatch(/sealing key/);
  });
});
