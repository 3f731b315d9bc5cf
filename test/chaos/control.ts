/**
 * Where the nodes' failpoints are told: answered at once, unless a point is armed. Then the first node that reaches it
 * stands still until it is killed or let go, and others that reach it meanwhile wait behind it, so that the next step
 * is one node's alone. It also remembers the order of things for the checks afterwards.
 */
import { type Listening, listen } from "../../devnet/http.ts";

export interface Arrival {
  name: string;
  node: string;
  jobId: string;
}

export interface Gate {
  /** Resolves with the first arrival. */
  arrived: Promise<Arrival>;
  /** Lets everyone go, and whoever comes later. */
  open(): void;
}

export interface Control {
  url: string;
  /** Arms a point, for one node or for any. One gate at a time. */
  arm(name: string, node?: string): Gate;
  /** Model calls that began for an answer that was already on disk. */
  repeatedAnswers: Arrival[];
  /** How often each point was passed. */
  passed: Map<string, number>;
  close(): Promise<void>;
}

export async function startControl(): Promise<Control> {
  const passed = new Map<string, number>();
  const answered = new Set<string>();
  const repeatedAnswers: Arrival[] = [];
  let gate: { name: string; node: string | undefined; reach(arrival: Arrival): void; opened: Promise<void> } | null =
    null;

  const arrive = async (arrival: Arrival) => {
    const { name, node, jobId } = arrival;
    passed.set(name, (passed.get(name) ?? 0) + 1);
    if (name === "execute.saved") answered.add(`${node} ${jobId}`);
    if (name === "execute.begun" && answered.has(`${node} ${jobId}`)) repeatedAnswers.push(arrival);
    if (gate === null || gate.name !== name || (gate.node !== undefined && gate.node !== node)) return;
    gate.reach(arrival);
    await gate.opened;
  };
  const server: Listening = await listen({
    async fetch(request) {
      await arrive((await request.json()) as Arrival);
      return new Response("go on");
    },
  });
  return {
    url: server.url,
    repeatedAnswers,
    passed,
    arm(name, node) {
      const arrived = Promise.withResolvers<Arrival>();
      const opened = Promise.withResolvers<void>();
      const mine = { name, node, reach: arrived.resolve, opened: opened.promise };
      gate = mine;
      return {
        arrived: arrived.promise,
        open() {
          if (gate === mine) gate = null;
          opened.resolve();
        },
      };
    },
    close: () => server.close(),
  };
}
