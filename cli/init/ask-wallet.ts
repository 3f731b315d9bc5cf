/**
 * The wizard's questions about the wallet: the one that is there is kept and opened; otherwise a new one, a key typed hidden,
 * another tool's keystore, or the environment's. A new keystore's password is typed twice.
 */
import type { Hex } from "viem";
import { Secret } from "../../core/secret.ts";
import { CliError } from "../errors.ts";
import { newPrivateKey, openKeystore } from "../wallet/keystore.ts";
import { passwordProblem } from "../wallet/password.ts";
import type { Ask } from "./ask.ts";
import type { Home } from "./home.ts";
import { addressOfKey, keyInKeystore, keyOf, keyProblem } from "./wallet.ts";

export interface AskedWallet {
  /** Null keeps the one that is there. */
  privateKey: Secret<Hex> | null;
  password: Secret;
}

export interface WalletInput {
  ask: Ask;
  home: Home;
  env: Readonly<Record<string, string | undefined>>;
  /** A keystore to take over: by a flag, or of the original. */
  keystore: string | null;
  /** A key that a flag names. */
  key: Secret<Hex> | null;
}

export async function askWallet(input: WalletInput): Promise<AskedWallet> {
  const { ask, home, env } = input;
  if (home.keystore !== null) return keepWallet(ask, home, env);
  const { privateKey, password: old } = await askKey(input);
  ask.say(`The wallet is ${addressOfKey(privateKey)}.`, "good");
  const given = env.BLF_KEY_PASSWORD?.trim();
  if (given && passwordProblem(given) === null) {
    ask.say("BLF_KEY_PASSWORD of the environment seals it.");
    return { privateKey, password: new Secret(given) };
  }
  if (old !== null && passwordProblem(old.reveal()) === null && (await ask.yes("Keep that keystore's password?"))) {
    return { privateKey, password: old };
  }
  return { privateKey, password: await newPassword(ask) };
}

async function keepWallet(ask: Ask, { keystore, keystorePath }: Home, env: WalletInput["env"]): Promise<AskedWallet> {
  ask.say(`The wallet ${keystore?.address ?? ""} in ${keystorePath} is kept.`, "good");
  const given = env.BLF_KEY_PASSWORD?.trim();
  const password = await opening(ask, given, `Password of ${keystorePath}`, (tried) =>
    openKeystore(keystore?.text ?? "", tried, keystorePath),
  );
  return { privateKey: null, password: password.used };
}

async function askKey(input: WalletInput): Promise<{ privateKey: Secret<Hex>; password: Secret | null }> {
  const { ask, env } = input;
  if (input.key !== null) return { privateKey: input.key, password: null };
  if (input.keystore !== null) return openOther(ask, env, input.keystore);
  const environment = env.BLF_PRIVATE_KEY
    ? [{ value: "environment" as const, label: "take BLF_PRIVATE_KEY of the environment" }]
    : [];
  const how = await ask.choose("Which wallet? Use one that holds nothing on any mainnet.", [
    ...environment,
    { value: "new", label: "make a new one" },
    { value: "key", label: "import a private key" },
    { value: "keystore", label: "import a keystore file", hint: "of geth, or of the original node" },
  ] as const);
  switch (how) {
    case "new":
      return { privateKey: newPrivateKey(), password: null };
    case "environment":
      return { privateKey: keyOf(env.BLF_PRIVATE_KEY ?? "", "BLF_PRIVATE_KEY"), password: null };
    case "key": {
      const typed = await ask.hidden("Private key, 64 hex digits (hidden)", keyProblem);
      return { privateKey: keyOf(typed.reveal(), "The key"), password: null };
    }
    case "keystore":
      return openOther(ask, env, await ask.text("Path of the keystore file", { initial: "./keystore.json" }));
  }
}

async function openOther(ask: Ask, env: WalletInput["env"], path: string) {
  const { made, used } = await opening(ask, env.BLF_KEY_PASSWORD?.trim(), `Password of ${path}`, (tried) =>
    keyInKeystore(path, tried),
  );
  return { privateKey: made, password: used };
}

/** Tries the password given, then asks until one opens it. Another fault than the password's ends it. */
async function opening<T>(
  ask: Ask,
  given: string | undefined,
  question: string,
  open: (password: Secret) => Promise<T>,
): Promise<{ made: T; used: Secret }> {
  let password = given ? new Secret(given) : await ask.hidden(question);
  for (;;) {
    const tried = password;
    const made = await ask
      .work("Opening", () => open(tried))
      .catch((error: unknown) => {
        if (!(error instanceof CliError) || !error.message.includes("password does not open")) throw error;
        ask.say("That password does not open it.", "warn");
        return null;
      });
    if (made !== null) return { made, used: tried };
    password = await ask.hidden(question);
  }
}

async function newPassword(ask: Ask): Promise<Secret> {
  for (;;) {
    const first = await ask.hidden("A password for the wallet and its secrets (hidden)", passwordProblem);
    const second = await ask.hidden("The same once more");
    if (first.reveal() === second.reveal()) return first;
    ask.say("The two differ. Once more.", "warn");
  }
}
