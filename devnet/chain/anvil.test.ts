import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { privateKeyToAddress } from "viem/accounts";
import { afterEach, expect, it, vi } from "vitest";
import { tokenAbi } from "../../core/chain/abi.ts";
import { DEVNET } from "../../core/chain/addresses.ts";
import { approveCall } from "../../core/chain/calls.ts";
import { createChainClient } from "../../core/chain/rpc.ts";
import { devAccount, devPrivateKey, nodeIndex } from "./accounts.ts";
import { type Anvil, anvilBinary, startAnvil } from "./anvil.ts";
import { deployNetwork, fundAccount } from "./deploy.ts";
import { sendCall } from "./send.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function started(options: Parameters<typeof startAnvil>[0] = {}): Promise<Anvil> {
  const anvil = await startAnvil(options);
  cleanUps.push(() => anvil.stop());
  return anvil;
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "devnet-chain-"));
  cleanUps.push(() => rm(path, { recursive: true, force: true }));
  return path;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function gone(pid: number, withinMs: number): Promise<boolean> {
  for (let waited = 0; waited < withinMs && isAlive(pid); waited += 50) await sleep(50);
  return !isAlive(pid);
}

const clientOf = ({ rpcUrl }: Anvil) => createChainClient({ rpcUrls: [rpcUrl], chainId: DEVNET });

it("carries on from its state folder, and the network is not deployed a second time", async () => {
  const stateFolder = await folder();
  const first = await started({ stateFolder });
  const network = await deployNetwork({ rpcUrl: first.rpcUrl, stateFolder });
  expect(network.deployed).toBe(true);
  const holder = devAccount(nodeIndex(0));
  await sendCall(
    clientOf(first),
    holder,
    approveCall(network.addresses.token, "approve", network.addresses.staking, 7n),
  );
  await first.stop();

  const second = await started({ stateFolder });
  const again = await deployNetwork({ rpcUrl: second.rpcUrl, stateFolder });
  expect(again).toMatchObject({ deployed: false, addresses: network.addresses });
  const args = [holder.address, network.addresses.staking] as const;
  const allowance = { address: network.addresses.token, abi: tokenAbi, functionName: "allowance", args } as const;
  expect(await clientOf(second).readContract(allowance)).toBe(7n);
});

it("deploys afresh on a chain that lost what the folder remembers", async () => {
  const stateFolder = await folder();
  const first = await started({ stateFolder });
  await deployNetwork({ rpcUrl: first.rpcUrl, stateFolder });
  await first.stop();
  await rm(join(stateFolder, "chain.json"));
  const second = await started({ stateFolder });
  expect(await deployNetwork({ rpcUrl: second.rpcUrl, stateFolder })).toMatchObject({ deployed: true });
});

it("deploys without waiting for the clock on a chain that mines by it, and funds newcomers there", async () => {
  const anvil = await started({ blockTimeSec: 600 });
  const network = await deployNetwork({ rpcUrl: anvil.rpcUrl });
  const newcomer = "0x00000000000000000000000000000000000000A1";
  await fundAccount(network, newcomer);
  const client = clientOf(anvil);
  expect(await client.getBalance({ address: newcomer })).toBe(100n * 10n ** 18n);
  const balance = {
    address: network.addresses.token,
    abi: tokenAbi,
    functionName: "balanceOf",
    args: [newcomer],
  } as const;
  expect(await client.readContract(balance)).toBe(10_000n * 10n ** 18n);
});

it("is gone when stop returns, and stopping twice does no harm", async () => {
  const anvil = await started();
  await anvil.stop();
  expect(isAlive(anvil.pid)).toBe(false);
  await anvil.stop();
});

it.skipIf(process.platform === "win32")("dies with a parent that is killed outright", async () => {
  const script = `const { startAnvil } = await import(${JSON.stringify(new URL("anvil.ts", import.meta.url).href)});
    process.stdout.write(String((await startAnvil()).pid)); setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(output.toString());
  expect(isAlive(pid)).toBe(true);
  parent.kill("SIGKILL");
  expect(await gone(pid, 5_000)).toBe(true);
});

it("says so when its port is taken", async () => {
  const server: Server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUps.push(async () => server.close());
  const { port } = server.address() as { port: number };
  await expect(startAnvil({ port })).rejects.toThrow(/anvil ended at once: .*in use/i);
});

it("names the missing package on a platform without the binary", () => {
  vi.spyOn(process, "arch", "get").mockReturnValue("mips");
  expect(() => anvilBinary()).toThrow(/optional package @foundry-rs\/anvil-\w+-mips, which is not installed/);
});

it("funds the accounts whose private keys it hands out", async () => {
  expect(privateKeyToAddress(devPrivateKey(0))).toBe("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
  expect(devAccount(0).address).toBe("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
  const anvil = await started();
  expect(await clientOf(anvil).getBalance({ address: devAccount(nodeIndex(20)).address })).toBeGreaterThan(0n);
});
