/**
 * An action on chain (core/chain/actions.ts) through the node where one answers, so that two senders never race for a
 * nonce; else from this machine with a queue of its own. A node that was named and does not answer is an error: it may
 * be sending all the same.
 */
import { randomUUID } from "node:crypto";
import * as z from "zod";
import type { ActionName, ActionRequest } from "../../core/chain/actions.ts";
import type { CommonOptions, Context } from "../command.ts";
import { CliError } from "../errors.ts";
import { followAction, liveTransaction, reportTransactions, throwIfFruitless } from "./follow.ts";
import { sendFromHere } from "./own-queue.ts";

const taken = z.looseObject({ node: z.string(), id: z.string(), transactions: z.array(liveTransaction) });
const under = z.looseObject({ id: z.string(), transactions: z.array(liveTransaction) });
const settingsAnswer = z.looseObject({
  settings: z.array(z.looseObject({ name: z.string(), shown: z.string().nullable() })),
});

/** Asking again would be another action, which the node refuses while this one is under way. */
const WAY_ON = "Nothing is lost: the node goes on with it; `blindference-edge logs --follow` shows how it ends.";

export interface ActionOptions extends CommonOptions {
  direct?: true;
}

/** Asks, sends, follows and reports. Throws CliError: refused before anything was sent, or came to nothing. */
export async function act(
  context: Context,
  options: ActionOptions,
  action: ActionName,
  wanted: { question: string; amount?: string },
): Promise<void> {
  const { io } = context;
  const throughNode = await shouldAskNode(context, options);
  await io.confirm(
    `${wanted.question} (sent by ${throughNode ? `the node at ${context.api.url}` : "this machine"})`,
    options.yes === true,
  );
  const request: ActionRequest = {
    id: randomUUID(),
    action,
    ...(wanted.amount === undefined ? {} : { amount: wanted.amount }),
  };
  const sent = throughNode ? await sendByNode(context, request) : await sendFromHere(context, request);
  if (options.json === true) io.json(sent);
  else reportTransactions(io, sent.chainId, sent.transactions);
  throwIfFruitless(sent.transactions);
}

async function shouldAskNode({ api, io }: Context, options: ActionOptions): Promise<boolean> {
  if (options.direct === true) return false;
  if ((await api.health()) !== null) return true;
  if (api.chosenBy === "default") {
    io.note("No node answers here, so this machine sends the transactions itself.");
    return false;
  }
  throw new CliError(`The node at ${api.url} does not answer, and may be sending transactions of its own.`, {
    fix: "Try again when it answers; or, if it is gone for good, send from this machine with --direct.",
    exit: "unreachable",
  });
}

async function sendByNode({ api, io }: Context, request: ActionRequest) {
  const { node } = await api.send("POST", "/api/transactions", { ...request, node: api.node }, taken, "spend");
  const look = async () => (await api.get("/api/transactions", under, { node, id: request.id })).transactions;
  const transactions = await followAction(io, look, WAY_ON);
  const settings = await api.get("/api/settings", settingsAnswer).catch(() => null);
  const chain = settings?.settings.find(({ name }) => name === "BLF_COFHE_CHAIN_ID")?.shown;
  return { node, chainId: Number(chain ?? 0), transactions };
}
