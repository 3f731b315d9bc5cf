/**
 * A node whose settings are refused, because the URL of its model server carries a key in its query. It may complain, in
 * its log and to everyone who asks; it may not repeat the key.
 */
import { join } from "node:path";
import { startEdgeNode } from "../../devnet/edge-nodes.ts";
import type { Rig } from "../e2e/rig.ts";
import { BACKENDS } from "./jobs.ts";
import { folderPlaces } from "./places.ts";
import { pathToken } from "./reach.ts";
import type { Place, Secret } from "./search.ts";
import { operatorSecrets } from "./secrets.ts";
import { walk } from "./walk.ts";

export interface Misconfigured {
  name: string;
  secrets: Secret[];
  places: Place[];
}

export async function askMisconfigured({ network, nodes, stateDir }: Rig): Promise<Misconfigured> {
  const index = nodes.length;
  const node = await startEdgeNode(network, {
    index,
    stateDir,
    models: [BACKENDS.openai],
    env: { OPENAI_BASE_URL: `${network.urls.openai}?api-key=${pathToken()}` },
  });
  const { name } = node.process;
  try {
    const answers = await walk(node, []);
    await node.process.stop();
    const files = await folderPlaces(name, join(stateDir, `node-${index + 1}`));
    return { name, secrets: operatorSecrets(node), places: [...answers, ...files] };
  } finally {
    await node.process.stop();
  }
}
