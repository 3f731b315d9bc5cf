/** Arms a fault at one of the network's services for the next request of a kind, and tells when it found one. */
import * as z from "zod";
import type { LocalNetwork } from "../../devnet/network.ts";
import { poll } from "./patience.ts";
import type { FailurePoint, Service } from "./points.ts";

const armedShape = z.object({ faults: z.array(z.unknown()) });

export class Faults {
  readonly #urls: Record<Service, string>;

  constructor({ urls }: Pick<LocalNetwork, "urls">) {
    const originOf = (url: string) => `${new URL(url).origin}/devnet/faults`;
    this.#urls = {
      icl: originOf(urls.icl),
      ipfs: originOf(urls.pinata),
      groq: originOf(urls.groq),
      rpc: originOf(urls.nodeRpc),
    };
  }

  /**
   * `from` is a node's address, for the coordinator.
   * @returns what resolves once a request was taken, and throws after `withinMs`; the fault is gone then, too
   */
  async arm(
    { service, path }: NonNullable<FailurePoint["request"]>,
    mode: "hold" | "hang",
    from?: string,
  ): Promise<(withinMs: number, what: string) => Promise<void>> {
    const url = this.#urls[service];
    const body = JSON.stringify({ path, mode, ...(from === undefined ? {} : { from }) });
    const reply = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
    if (!reply.ok) throw new Error(`the fault was not armed: ${await reply.text()}`);
    return async (withinMs, what) => {
      try {
        await poll(what, withinMs, async () => {
          const armed = armedShape.parse(await (await fetch(url)).json());
          return armed.faults.length === 0;
        });
      } finally {
        await fetch(url, { method: "DELETE" });
      }
    };
  }
}
