/**
 * Puts the wallet, the sealed secrets and the settings in their places. All texts are made before the first file is touched,
 * each file is whole or as it was, and Ctrl-C waits until the last one is there: it takes milliseconds.
 */
import { writeEnvText } from "../env-file.ts";
import { sealKeystore } from "../wallet/keystore.ts";
import { createPrivate, replacePrivate } from "../wallet/private-file.ts";
import { sealSecrets } from "../wallet/secrets-file.ts";
import type { Home } from "./home.ts";
import type { Answers, Plan } from "./plan.ts";

/** @returns the files that were written */
export async function writePlan(home: Home, { privateKey, password }: Answers, plan: Plan): Promise<string[]> {
  const keystore = privateKey === null ? null : await sealKeystore(privateKey, password);
  const secrets = plan.sealed === null ? null : await sealSecrets(password, plan.sealed);
  const written: string[] = [];
  await undisturbed(async () => {
    // The wallet first: without it the secrets could not be opened.
    if (keystore !== null) {
      await createPrivate(home.keystorePath, keystore);
      written.push(home.keystorePath);
    }
    if (secrets !== null) {
      await replacePrivate(home.secretsPath, secrets);
      written.push(home.secretsPath);
    }
    if (plan.envText !== home.envText) {
      await writeEnvText(home.envPath, home.envText, plan.envText);
      written.push(home.envPath);
    }
  });
  return written;
}

async function undisturbed(work: () => Promise<void>): Promise<void> {
  const hold = () => undefined;
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, hold);
  try {
    await work();
  } finally {
    for (const signal of signals) process.off(signal, hold);
  }
}
