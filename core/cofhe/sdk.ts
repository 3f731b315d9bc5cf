/**
 * The CoFHE SDK's surface, as much of it as a node uses, and the only file that imports it. The SDK brings a viem of
 * its own, whose types differ from ours in name only: the casts to `never` where the two meet are here and nowhere else.
 * Its permit store is never used: it is one per process and lost on eviction.
 */
import {
  createCofheClientBase,
  createCofheConfigBase,
  Encryptable,
  FheTypes,
  MOCKS_ZK_VERIFIER_SIGNER_PRIVATE_KEY,
} from "@cofhe/sdk";
import { type Permit, PermitUtils } from "@cofhe/sdk/permits";
import type { Abi, Address, TypedDataDefinition } from "viem";
import { DEVNET } from "../chain/addresses.ts";
import type { ChainClient } from "../chain/rpc.ts";
import type { Signer } from "../signer.ts";

export type { Permit };
export { MOCKS_ZK_VERIFIER_SIGNER_PRIVATE_KEY as MOCK_PROOF_KEY };

/** CoFHE's services (protocol §8); on a devnet the SDK uses the mock contracts instead. */
export interface CofheUrls {
  coFheUrl: string;
  verifierUrl: string;
  thresholdNetworkUrl: string;
}

/** The one transaction that a mock encryption sends, as the SDK hands it over. */
export interface ContractWrite {
  address: Address;
  abi: Abi;
  functionName: string;
  args: readonly unknown[];
}

export interface SdkOptions {
  client: ChainClient;
  signer: Signer;
  urls: CofheUrls;
  /** Sends a mock encryption's transaction. Only called on a devnet. */
  writeMock: (write: ContractWrite) => Promise<void>;
}

export interface Sdk {
  /** The plaintext of a uint128 ciphertext. */
  decrypt(handle: bigint, permit: Permit): Promise<bigint>;
  /** CoFHE inputs for `values`, in order, that only the signer's account may use. Mock mode only. */
  encrypt(
    values: readonly bigint[],
  ): Promise<{ ctHash: bigint; securityZone: number; utype: number; signature: string }[]>;
  signSelfPermit(name: string, expiresAtSec: number): Promise<Permit>;
}

export function createSdk({ client, signer, urls, writeMock }: SdkOptions): Sdk {
  const id = client.chain.id;
  const wallet = {
    account: signer,
    signTypedData: ({ domain, types, primaryType, message }: TypedDataDefinition) =>
      signer.signTypedData({ domain, types, primaryType, message } as never),
  };
  const mockWallet = { account: signer, writeContract: writeMock };
  const config = createCofheConfigBase({
    environment: "node",
    fheKeyStorage: null,
    useWorkers: false,
    mocks: { encryptDelay: 0, decryptDelay: 0 },
    supportedChains: [
      {
        id,
        name: client.chain.name,
        network: "blindference",
        environment: id === DEVNET ? "MOCK" : "TESTNET",
        ...urls,
      },
    ],
    _internal: { zkvWalletClient: mockWallet },
  });
  const cofhe = createCofheClientBase({
    config,
    zkBuilderAndCrsGenerator: unavailable,
    tfhePublicKeyDeserializer: unavailable,
    compactPkeCrsDeserializer: unavailable,
    initTfhe: unavailable,
  });
  // Once: a second connect resets what a call between the two relies on. It asks nobody, so it cannot fail for a while.
  let connection: Promise<void> | undefined;
  const connected = () => {
    connection ??= cofhe.connect(client as never, wallet as never);
    return connection;
  };
  return {
    async decrypt(handle, permit) {
      await connected();
      return cofhe.decryptForView(handle, FheTypes.Uint128).withPermit(permit).execute();
    },
    async encrypt(values) {
      await connected();
      return cofhe.encryptInputs(values.map((value) => Encryptable.uint128(value))).execute();
    },
    signSelfPermit: (name, expiresAtSec) =>
      PermitUtils.createSelfAndSign(
        { issuer: signer.address, name, expiration: expiresAtSec },
        client as never,
        wallet as never,
      ),
  };
}

/** A permit as text. It holds the sealing private key: whoever stores it must wrap it. */
export function serialisePermit(permit: Permit): string {
  return JSON.stringify(PermitUtils.serialize(permit));
}

/** The permit behind `text`. Throws when it is not one, not signed, or expired. */
export function parsePermit(text: string): Permit {
  const permit = PermitUtils.deserialize(JSON.parse(text));
  PermitUtils.validate(permit);
  return permit;
}

/** Production proofs need TFHE, which this SDK set-up leaves out; only the mock mode, which asks for none, encrypts. */
function unavailable(): never {
  throw new Error("no TFHE here");
}
