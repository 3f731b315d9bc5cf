/**
 * Carries an action out from this machine, where no node runs: planned from the chain, signed behind the same policy, sent
 * through the same queue as a node's. An action that an earlier command left unfinished is finished first.
 */
import { join } from "node:path";
import { readActionView } from "../../core/chain/action-view.ts";
import { type ActionRequest, actionRequest, planAction } from "../../core/chain/actions.ts";
import { type LiveTransaction, TransactionQueue } from "../../core/chain/queue.ts";
import { guardSigner, policyOf } from "../../core/chain/signing-policy.ts";
import { systemClock } from "../../core/ports.ts";
import { localSigner } from "../../core/signer.ts";
import type { Context } from "../command.ts";
import { CliError } from "../errors.ts";
import { followAction } from "./follow.ts";
import { localChain } from "./local-chain.ts";
import { openQueueFile } from "./queue-file.ts";

export interface Sent {
  node: string;
  chainId: number;
  transactions: readonly LiveTransaction[];
}

/** Nothing sends between two commands. */
const WAY_ON = "Nothing is lost: run the same command again, which goes on with it.";

export async function sendFromHere({ env, io }: Context, request: ActionRequest): Promise<Sent> {
  const { settings, client } = await localChain(env);
  const signer = guardSigner(localSigner(await env.privateKey()), policyOf(settings));
  const chainId = settings.cofhe.chainId;
  using file = openQueueFile(join(env.dir, `transactions-${signer.address.toLowerCase()}-${chainId}.sqlite`));
  const queue = new TransactionQueue(file.sql, {
    client,
    signer,
    clock: systemClock,
    log: () => undefined,
    onChange: () => undefined,
  });
  const look = async (id: string) => {
    await queue.run();
    return queue.action(id);
  };
  const unfinished = queue.openAction();
  if (unfinished !== null) {
    const isSame = asksTheSame(queue.actionRequest(unfinished), request);
    io.note(`An earlier command was interrupted: ${isSame ? "going on with it" : "finishing its transactions first"}.`);
    const rows = await followAction(io, () => look(unfinished), WAY_ON);
    // Asking again for what was interrupted must not do it twice.
    if (isSame) return { node: signer.address, chainId, transactions: rows };
  }
  const plan = planAction(request, {
    node: signer.address,
    contracts: settings.contracts,
    view: await readActionView(client, settings.contracts, signer.address),
    // The certificate is the node's: without one running there is none to register.
    certificate: null,
    models: settings.models,
    stakeAmount: settings.stakeAmount,
  });
  if (!plan.ok) throw new CliError(`${plan.refusal.message}.`, { fix: plan.refusal.hint, exit: "refused" });
  queue.enqueueAction(request.id, JSON.stringify(request), plan.value);
  return { node: signer.address, chainId, transactions: await followAction(io, () => look(request.id), WAY_ON) };
}

/** Whether what an earlier command was asked for, as the queue has it, is what is asked for now; ids aside. */
export function asksTheSame(stored: string | null, { id: _id, ...asked }: ActionRequest): boolean {
  if (stored === null) return false;
  const { id: _storedId, ...before } = actionRequest.parse(JSON.parse(stored));
  return JSON.stringify(before) === JSON.stringify(asked);
}
