/** `devnet`: starts the whole network with its nodes and keeps it up until Ctrl-C, printing what listens where. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { devAccount, devPrivateKey, nodeIndex } from "./chain/accounts.ts";
import { type EdgeNode, startEdgeNode, storageKeyOf, untilLive } from "./edge-nodes.ts";
import { type LocalNetwork, modelSettings, startNetwork } from "./network.ts";
import { stopRequested } from "./stop-signal.ts";

interface DevnetOptions {
  nodes: number | false;
  json?: true;
  fresh?: true;
  verifiers: "early" | "late";
  state: string;
  models: string[];
  rpcPort?: number;
  iclPort?: number;
  paymentPort?: number;
  ipfsPort?: number;
  modelsPort?: number;
  nodePort?: number;
}

/** What `--models` means when it is left out: the mock, so that the network works without any key. */
const DEFAULT_MODELS = ["mock:demo"];
const NODES_MAX = 16;
/** Below the state folder: the settings of a node of the operator's own. `ask` finds the network by them. */
export const OWN_NODE = "my-node";

export function devnetCommand(finish: (code: number) => void): Command {
  return new Command("devnet")
    .description("Start a whole Blindference network on this machine and keep it up")
    .option("--nodes <count>", `edge nodes to start, at most ${NODES_MAX}`, count, 3)
    .option("--no-nodes", "the network alone, for nodes of your own")
    .option("--models <ids>", "models the nodes serve, comma-separated", list, DEFAULT_MODELS)
    .addOption(
      new Option("--verifiers <when>", "when verifiers are offered a job: at once, or after the leader's result")
        .choices(["early", "late"])
        .default("early"),
    )
    .option("--state <folder>", "where the network keeps its state", ".devnet")
    .option("--fresh", "wipe the state first")
    .option("--rpc-port <port>", "chain (default: a free port; the same for those below)", port)
    .option("--icl-port <port>", "coordinator", port)
    .option("--payment-port <port>", "payment service", port)
    .option("--ipfs-port <port>", "IPFS gateway and pinning API", port)
    .option("--models-port <port>", "test model servers: this port and the next two", port)
    .option("--node-port <port>", "first node; the others follow", port)
    .option("--json", "print one JSON line with everything once it is up")
    .action(async (options: DevnetOptions) => finish(await runDevnet(options)));
}

async function runDevnet(options: DevnetOptions): Promise<number> {
  const stateDir = resolve(options.state);
  if (options.fresh === true) await rm(stateDir, { recursive: true, force: true });
  const stop = stopRequested();
  const network = await startNetwork({
    stateDir,
    verifiers: options.verifiers,
    ports: ports(options),
  });
  const nodes: EdgeNode[] = [];
  try {
    const started = Promise.all(
      Array.from({ length: options.nodes === false ? 0 : options.nodes }, async (_, index) => {
        nodes.push(await startNode(network, options, stateDir, index));
      }),
    );
    await Promise.race([started, stop.requested]);
    nodes.sort((left, right) => left.index - right.index);
    if (!stop.isRequested()) {
      await untilLive(
        network,
        nodes.map((node) => node.address),
      );
      const ownNode = join(stateDir, OWN_NODE);
      await mkdir(ownNode, { recursive: true });
      await writeFile(join(ownNode, ".env"), environmentFile(network, nodes.length), { mode: 0o600 });
      const told = options.json === true ? JSON.stringify(summary(network, nodes)) : overview(network, nodes, ownNode);
      process.stdout.write(`${told}\n`);
    }
    await stop.requested;
    await started.catch(() => undefined);
    return 0;
  } finally {
    await Promise.all(nodes.map((node) => node.process.stop()));
    await network.stop();
    stop.dispose();
  }
}

function startNode(network: LocalNetwork, options: DevnetOptions, stateDir: string, index: number): Promise<EdgeNode> {
  return startEdgeNode(network, {
    index,
    stateDir,
    models: options.models,
    env: {
      ...modelSettings(network, "groq"),
      ...modelSettings(network, "gemini"),
      ...modelSettings(network, "openai"),
    },
    ...(options.nodePort === undefined ? {} : { port: options.nodePort + index }),
  });
}

function ports(options: DevnetOptions) {
  return {
    rpc: options.rpcPort ?? 0,
    icl: options.iclPort ?? 0,
    payment: options.paymentPort ?? 0,
    ipfs: options.ipfsPort ?? 0,
    groq: options.modelsPort ?? 0,
    gemini: options.modelsPort === undefined ? 0 : options.modelsPort + 1,
    openai: options.modelsPort === undefined ? 0 : options.modelsPort + 2,
  };
}

/** Everything a script needs to use the network. */
function summary(network: LocalNetwork, nodes: readonly EdgeNode[]) {
  return {
    chainId: network.chainId,
    urls: network.urls,
    contracts: network.contracts,
    user: { address: network.user.address, privateKey: network.user.privateKey },
    nodes: nodes.map(({ address, privateKey, adminToken, process: { url, pid } }) => ({
      address,
      privateKey,
      adminToken,
      url,
      pid,
    })),
    spareAccounts: spareAccounts(nodes.length),
    env: network.env,
  };
}

function overview(network: LocalNetwork, nodes: readonly EdgeNode[], ownNode: string): string {
  const folder = relative(process.cwd(), ownNode) || ownNode;
  const row = (name: string, value: string) => `  ${name.padEnd(18)}${value}`;
  return [
    "The local network is up (TESTNET SOFTWARE: its keys are known to everyone). Ctrl-C stops it.",
    "",
    ...Object.entries(network.urls).map(([name, url]) => row(name, url)),
    "",
    "Contracts",
    ...Object.entries(network.contracts).map(([name, address]) => row(name, address)),
    "",
    "Nodes",
    ...nodes.map((node) =>
      row(node.process.name, `${node.process.url}  ${node.address}  admin token ${node.adminToken}`),
    ),
    ...(nodes.length === 0 ? ["  none"] : []),
    "",
    "Run a node of your own against it, in another terminal:",
    `  export BLF_CONFIG_DIR=${folder}`,
    "  npx blindference-edge staking stake",
    `  npx blindference-edge run --state ${join(folder, "state")}`,
    "",
    "Be a user, in a third:",
    "  npx blindference-edge ask",
  ].join("\n");
}

/** Settings for one more node, with an account that nobody uses yet. */
function environmentFile(network: LocalNetwork, taken: number): string {
  const [spare] = spareAccounts(taken);
  const privateKey = spare?.privateKey ?? "0x";
  const settings = {
    ...network.env,
    BLF_PRIVATE_KEY: privateKey,
    BLF_MODELS: DEFAULT_MODELS.join(","),
    BLF_STORAGE_KEY: storageKeyOf(privateKey),
    BLF_ADMIN_TOKEN: "devnet-admin-token",
    BLF_SPEND_TOKEN: "devnet-spend-token",
  };
  return `${Object.entries(settings)
    .map(([name, value]) => `${name}=${value}`)
    .join("\n")}\n`;
}

/** Funded accounts that no node of this devnet uses. */
function spareAccounts(taken: number) {
  return [0, 1, 2, 3].map((offset) => {
    const index = nodeIndex(taken + offset);
    return { address: devAccount(index).address, privateKey: devPrivateKey(index) };
  });
}

function list(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > NODES_MAX) throw new InvalidArgumentError(`0 to ${NODES_MAX}`);
  return value;
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535) throw new InvalidArgumentError("0 to 65535");
  return value;
}
