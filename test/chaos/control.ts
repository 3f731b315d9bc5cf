/**
 * Where the nodes' failpoints are told: answered at once, unless a point is armed. Then the first node that reaches it
 * stands still until it is killed or let go, and others that reach it meanwhile wait behind it, so that the next step
 * is one node's alone. It also remembers the order of things for the checks afterwards.
 */
import * as z from "zod";
import { type Listening, listen } from "../../devnet/http.ts";

const arrivalShape = z.object({ name: z.string(), node: z.string(), jobId: z.string() });
export type Arrival = z.output<typeof arrivalShape>;

export interface Gate {
  /** Resolves with the first arrival. */
  arrived: Promise<Arrival>;
  /** Lets the first one go on, alone. */
  letFirstGo(): void;
  /** Lets everyone go, and whoever comes later. */
  open(): void;
}

export interface Control {
  url: string;
  /** Arms a point for arrivals that `wanted` accepts. Throws while another is armed. */
  arm(name: string, wanted?: (arrival: Arrival) => boolean): Gate;
  /** Whether the node has passed the point in this job. */
  hasPassed(arrival: Arrival): boolean;
  /** Model calls that began for an answer that was already on disk. */
  repeatedAnswers: Arrival[];
  close(): Promise<void>;
}

interface ArmedGate {
  name: string;
  wanted: (arrival: Arrival) => boolean;
  /** Gives what the arrival must wait for. */
  hold(arrival: Arrival): Promise<void>;
}

export async function startControl(): Promise<Control> {
  const passed = new Set<string>();
  const repeatedAnswers: Arrival[] = [];
  let gate: ArmedGate | null = null;

  const arrive = async (arrival: Arrival) => {
    const { name, node, jobId } = arrival;
    passed.add(keyOf(arrival));
    const answered = passed.has(keyOf({ name: "execute.saved", node, jobId }));
    if (name === "execute.begun" && answered) repeatedAnswers.push(arrival);
    if (gate?.name === name && gate.wanted(arrival)) await gate.hold(arrival);
  };
  const server: Listening = await listen({
    async fetch(request) {
      await arrive(arrivalShape.parse(await request.json()));
      return new Response("go on");
    },
  });
  return {
    url: server.url,
    repeatedAnswers,
    hasPassed: (arrival) => passed.has(keyOf(arrival)),
    arm(name, wanted = () => true) {
      if (gate !== null) throw new Error(`${gate.name} is armed still`);
      const made = makeGate(name, wanted, () => {
        gate = null;
      });
      gate = made;
      return made;
    },
    close: () => server.close(),
  };
}

function makeGate(name: string, wanted: ArmedGate["wanted"], disarm: () => void): ArmedGate & Gate {
  const arrived = Promise.withResolvers<Arrival>();
  const first = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  let isFirst = true;
  return {
    name,
    wanted,
    arrived: arrived.promise,
    hold(arrival) {
      arrived.resolve(arrival);
      const waitFor = isFirst ? Promise.race([first.promise, opened.promise]) : opened.promise;
      isFirst = false;
      return waitFor;
    },
    letFirstGo: () => first.resolve(),
    open() {
      disarm();
      opened.resolve();
    },
  };
}

function keyOf({ name, node, jobId }: Arrival): string {
  return `${name} ${node} ${jobId}`;
}
