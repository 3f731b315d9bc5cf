/** The payment service's account on the chain: rewards out of its BLIND, one transfer after another. */
import { type Address, encodeFunctionData } from "viem";
import { stakingAbi, tokenAbi } from "../../core/chain/abi.ts";
import { DEVNET } from "../../core/chain/addresses.ts";
import { chainCall } from "../../core/chain/errors.ts";
import { createChainClient } from "../../core/chain/rpc.ts";
import type { Signer } from "../../core/signer.ts";
import { createTransactions } from "../transactions.ts";
import type { PaymentChainPort } from "./payment.ts";

export interface PaymentChainOptions {
  rpcUrl: string;
  /** Default: 31337. */
  chainId?: number;
  /** Holds the BLIND that rewards are paid from. */
  signer: Signer;
  contracts: { token: Address; staking: Address };
}

export function createPaymentChain(options: PaymentChainOptions): PaymentChainPort {
  const { rpcUrl, chainId = DEVNET, signer, contracts } = options;
  const client = createChainClient({ rpcUrls: [rpcUrl], chainId });
  const transactions = createTransactions(client, signer);
  const staking = { address: contracts.staking, abi: stakingAbi } as const;
  return {
    transfer(to, amount) {
      const data = encodeFunctionData({ abi: tokenAbi, functionName: "transfer", args: [to, amount] });
      return transactions.send({ purpose: "paying a reward", to: contracts.token, data });
    },
    stakeOf: (node) =>
      chainCall("reading a stake", async () => {
        const info = await client.readContract({ ...staking, functionName: "getStakeInfo", args: [node] });
        return info.staked;
      }),
    slashCount: (node) =>
      chainCall("reading slashings", async () => {
        const args = { node };
        const events = await client.getContractEvents({ ...staking, eventName: "Slashed", args, fromBlock: 0n });
        return events.length;
      }),
  };
}
