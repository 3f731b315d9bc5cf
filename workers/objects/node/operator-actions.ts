/**
 * The operator's actions on chain: checked against what the chain says now, then put into the account's queue. An id is an
 * action for ever: asked again it gives the same transactions, whatever has become of them. One action at a time, so that
 * none is planned on what another is about to change.
 */
import { readActionView } from "../../../core/chain/action-view.ts";
import { type ActionRefusal, type ActionRequest, planAction } from "../../../core/chain/actions.ts";
import type { LiveTransaction } from "../../../core/chain/queue.ts";
import { type Failure, toFailure } from "../../../core/errors.ts";
import type { NodeContext } from "./context.ts";
import { tell } from "./context.ts";

export type ActionReply =
  | { kind: "taken"; transactions: LiveTransaction[] }
  /** The id was used for something else. */
  | { kind: "conflict" }
  | { kind: "refused"; refusal: ActionRefusal }
  /** The chain could not be asked. */
  | { kind: "unavailable"; failure: Failure };

export async function startAction(context: NodeContext, request: ActionRequest): Promise<ActionReply> {
  const { kit, signer, store, transactions } = context;
  const { contracts, stakeAmount } = kit.settings;
  const known = ofKnown(context, request);
  if (known !== null) return known;
  try {
    const view = await readActionView(kit.chain, contracts, signer.address);
    // The same request may have come a second time while the chain was asked.
    const since = ofKnown(context, request);
    if (since !== null) return since;
    const busy = transactions.openAction();
    if (busy !== null) return { kind: "refused", refusal: underWay(busy) };
    const plan = planAction(request, {
      node: signer.address,
      contracts,
      view,
      certificate: store.get("certificate"),
      models: store.get("attestedModels") ?? [],
      stakeAmount,
    });
    if (!plan.ok) return { kind: "refused", refusal: plan.refusal };
    transactions.enqueueAction(request.id, written(request), plan.value);
  } catch (error) {
    return { kind: "unavailable", failure: toFailure(error) };
  }
  tell(context, "info", "action.taken", { id: request.id, action: request.action, amount: request.amount ?? null });
  return { kind: "taken", transactions: actionRows(context, request.id) };
}

export function actionRows({ transactions }: NodeContext, id: string): LiveTransaction[] {
  return transactions.action(id);
}

function ofKnown(context: NodeContext, request: ActionRequest): ActionReply | null {
  const before = context.transactions.actionRequest(request.id);
  if (before === null) return null;
  if (before !== written(request)) return { kind: "conflict" };
  return { kind: "taken", transactions: actionRows(context, request.id) };
}

/** What makes two requests the same. */
function written({ action, amount }: ActionRequest): string {
  return JSON.stringify([action, amount ?? null]);
}

function underWay(id: string): ActionRefusal {
  return {
    code: "action-refused",
    message: `the action ${id} is under way`,
    hint: `Wait for it to end: GET /api/transactions?id=${id} shows its transactions.`,
  };
}
