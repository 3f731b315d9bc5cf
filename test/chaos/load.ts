/**
 * A steady load: so many users' jobs at once, each begun as soon as another ends, with a push to the nodes as the
 * coordinator sends one, so that they do not wait for their next poll.
 */
import type { EdgeNode } from "../../devnet/edge-nodes.ts";
import type { LocalNetwork } from "../../devnet/network.ts";
import type { UserResult } from "../../devnet/user/user.ts";

export interface Load {
  results: UserResult[];
  /** Jobs that a user could not even ask for, or whose answer did not hold. */
  errors: string[];
  /** Begins no more jobs and waits for those that run. */
  finish(): Promise<void>;
  /** Begins no more jobs, and waits for nothing. */
  abandon(): Promise<void>;
}

const AT_ONCE = 3;
const HINT_MS = 400;

export function startLoad(network: LocalNetwork, nodes: readonly EdgeNode[], models: readonly string[]): Load {
  const results: UserResult[] = [];
  const errors: string[] = [];
  let going = true;
  let count = 0;
  const user = async () => {
    while (going) {
      count += 1;
      const modelId = models[count % models.length] ?? "";
      try {
        results.push(await network.user.runJob({ modelId, prompt: `Question ${count}` }));
      } catch (error) {
        errors.push(`job ${count} (${modelId}): ${String(error)}`);
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    }
  };
  const users = Array.from({ length: AT_ONCE }, user);
  const hints = setInterval(() => {
    for (const node of nodes) {
      // The node may be killed in the middle of its answer.
      void fetch(`${node.process.url}/internal/task`, { method: "POST" })
        .then((reply) => reply.text())
        .catch(() => undefined);
    }
  }, HINT_MS);
  const abandon = async () => {
    going = false;
    clearInterval(hints);
  };
  return {
    results,
    errors,
    abandon,
    async finish() {
      going = false;
      await Promise.all(users);
      await abandon();
    },
  };
}
