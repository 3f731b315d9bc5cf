/** `blindference-edge sidecar`, as an operator starts it: keys made by the command, the wallet in a keystore. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ETH_ACCOUNT_SAMPLE } from "../../cli/wallet/keystore-samples.ts";
import { systemClock, systemRandom } from "../../core/ports.ts";
import { Secret } from "../../core/secret.ts";
import { createSidecarClient } from "../../core/sidecar/client.ts";
import { eventually } from "../eventually.ts";

const launcher = fileURLToPath(new URL("../../bin/blindference-edge.js", import.meta.url));
const { password, privateKey } = ETH_ACCOUNT_SAMPLE;

let dir: string;
let children: ChildProcess[];

beforeEach(async () => {
  children = [];
  dir = await mkdtemp(join(tmpdir(), "blindference-edge-sidecar-command-"));
  await writeFile(join(dir, "keystore.json"), ETH_ACCOUNT_SAMPLE.text);
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await rm(dir, { recursive: true, force: true });
});

function command(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const child = spawn(process.execPath, [launcher, ...args], {
    cwd: dir,
    env: { PATH: process.env.PATH ?? "", BLF_KEY_PASSWORD: password, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  children.push(child);
  return child;
}

async function startSidecar() {
  expect(await once(command(["sidecar", "keys", "--out", "keys"]), "exit")).toEqual([0, null]);
  const settings = await readFile(join(dir, "keys", "sidecar.env"), "utf8");
  const network =
    "BLF_RPC_URL=http://127.0.0.1:9\nBLF_COFHE_CHAIN_ID=31337\nBLF_KEY_POOL_SIZE=0\nBLF_MODELS=mock:demo\n";
  await writeFile(join(dir, ".env"), `${settings}${network}BLF_SIDECAR_PORT=0\n`);
  const child = command(["sidecar"]);
  const log: Record<string, unknown>[] = [];
  if (child.stdout === null) throw new Error("no output");
  createInterface({ input: child.stdout }).on("line", (line) => log.push(JSON.parse(line) as Record<string, unknown>));
  const { url, pid } = await eventually("the sidecar", () => log.find(({ event }) => event === "sidecar.listening"));
  return { child, url: String(url), pid: Number(pid), log };
}

it("The keys that it makes fit each other, and the keystore's node is the one it serves", async () => {
  const { child, url, pid } = await startSidecar();
  const worker = Object.fromEntries(
    (await readFile(join(dir, "keys", "worker.env"), "utf8")).split("\n").map((line) => line.split("=")),
  ) as Record<string, string>;
  expect((await stat(join(dir, "keys", "worker.env"))).mode & 0o777).toBe(0o600);
  const client = createSidecarClient({
    url,
    key: { id: worker.BLF_SIDECAR_KEY_ID ?? "", seed: new Secret(worker.BLF_SIDECAR_PRIVATE_KEY ?? "") },
    sidecarKeys: [worker.BLF_SIDECAR_PUBLIC_KEY ?? ""],
    fetch,
    clock: systemClock,
    random: systemRandom,
  });
  const { nodes } = await client.capabilities();
  expect(nodes).toEqual([worker.BLF_NODE_ADDRESS]);

  // What anybody on the machine may see of the process.
  const seen = await Promise.all(["environ", "cmdline"].map((name) => readFile(`/proc/${pid}/${name}`, "utf8")));
  for (const secret of [privateKey.slice(2), password, "BLF_"]) expect(seen.join("\n")).not.toContain(secret);

  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);
  expect(existsSync(`/proc/${pid}`)).toBe(false);
});

it("It ends in order when the command is killed that started it", async () => {
  const { child, pid, log } = await startSidecar();
  child.kill("SIGKILL");
  await eventually("the sidecar's end", () => (existsSync(`/proc/${pid}`) ? undefined : true));
  expect(log.at(-1)).toMatchObject({ event: "sidecar.stopped" });
});

it("A wrong password, and settings at fault, end it with what to do", async () => {
  const wrong = command(["sidecar"], { BLF_KEY_PASSWORD: "another password" });
  expect(await once(wrong, "exit")).toEqual([2, null]);
  const bare = command(["sidecar"]);
  const lines: string[] = [];
  bare.stdout?.on("data", (chunk) => lines.push(String(chunk)));
  expect(await once(bare, "exit")).toEqual([2, null]);
  for (const name of ["BLF_RPC_URL", "BLF_SIDECAR_SIGNING_KEY", "BLF_SIDECAR_WORKER_KEYS"]) {
    expect(lines.join("")).toContain(`"setting":"${name}"`);
  }
});
