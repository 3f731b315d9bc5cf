/**
 * An operator's machine for the tests of `deploy`: a home, a settings folder with a keystore and sealed secrets, and a place
 * for temporary files, all below one folder; and the built command, run as a process with the API that the test plays.
 */
import { type ChildProcess, execFile } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Hex } from "viem";
import { sealKeystore } from "../../cli/wallet/keystore.ts";
import { saveSecrets } from "../../cli/wallet/secrets-file.ts";
import { Secret } from "../../core/secret.ts";

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Operator {
  folder: string;
  settings: string;
  run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ran>;
  /** Ctrl-C. */
  interrupt(): void;
  remove(): Promise<void>;
}

const command = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

export async function newOperator(
  dotEnv: Readonly<Record<string, string>>,
  sealed?: { privateKey: Hex; password: string; secrets: Readonly<Record<string, string>> },
): Promise<Operator> {
  const folder = await mkdtemp(join(tmpdir(), "blindference-edge-operator-"));
  const settings = join(folder, "settings");
  for (const name of ["home", "settings", "tmp"]) await mkdir(join(folder, name));
  const lines = Object.entries(dotEnv).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(join(settings, ".env"), lines.join(""));
  if (sealed !== undefined) {
    const password = new Secret(sealed.password);
    const secrets = Object.entries(sealed.secrets).map(([name, value]) => [name, new Secret(value)]);
    await writeFile(join(settings, "keystore.json"), await sealKeystore(new Secret(sealed.privateKey), password));
    await saveSecrets(join(settings, "secrets.json"), password, Object.fromEntries(secrets));
  }
  const running = new Set<ChildProcess>();
  return {
    folder,
    settings,
    interrupt() {
      for (const child of running) child.kill("SIGINT");
    },
    async remove() {
      const ended = [...running].map((child) => once(child, "close"));
      for (const child of running) child.kill();
      await Promise.all(ended);
      await rm(folder, { recursive: true, force: true });
    },
    run: (args, env) =>
      new Promise((resolve) => {
        const child = execFile(
          process.execPath,
          [command, "deploy", ...args],
          {
            cwd: settings,
            env: { PATH: process.env.PATH, HOME: join(folder, "home"), TMPDIR: join(folder, "tmp"), ...env },
          },
          (_error, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
        );
        running.add(child);
        child.once("close", () => running.delete(child));
        child.stdin?.end();
      }),
  };
}

/** Where the deployed node would answer: says its version, and takes an attest with the right token. */
export async function startNode(version: string, token: string) {
  const asked: string[] = [];
  const server = createServer((request, reply) => {
    const { method, url, headers } = request;
    asked.push(`${method} ${url}`);
    const open = url === "/healthz" || headers.authorization === `Bearer ${token}`;
    const body = url === "/healthz" ? { status: "ok", version } : { nodes: [{ node: "0xnode", ok: true }] };
    reply.writeHead(open ? 200 : 401, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    asked,
    close: () => server.closeAllConnections() ?? server.close(),
  };
}
