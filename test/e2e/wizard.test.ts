import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type FakeNetwork, GEMINI_KEY, GROQ_KEY, SERVER_KEY, startFakeNetwork } from "../../cli/doctor/fake-network.ts";
import { CTRL_C, DOWN, ENTER, runOnTerminal } from "../../cli/on-terminal.ts";
import { openKeystore } from "../../cli/wallet/keystore.ts";
import { ETH_ACCOUNT_SAMPLE } from "../../cli/wallet/keystore-samples.ts";
import { openSecrets } from "../../cli/wallet/secrets-file.ts";
import { Secret } from "../../core/secret.ts";

vi.setConfig({ testTimeout: 180_000 });

const LAUNCHER = fileURLToPath(new URL("../../bin/blindference-edge.js", import.meta.url));
const PASSWORD = "correct horse";
let network: FakeNetwork;
let dir: string;

beforeEach(async () => {
  network = await startFakeNetwork();
  dir = await mkdtemp(join(tmpdir(), "wizard-"));
});
afterEach(async () => {
  await network.close();
  await rm(dir, { recursive: true });
});

const onTerminal = (args: readonly string[], env: Record<string, string> = {}) =>
  runOnTerminal(LAUNCHER, args, env, dir);

it("leads from nothing to a wallet, tested keys and settings, with a typing error on the way, and echoes no secret", async () => {
  const { BLF_RPC_URL: rpc = "", ...others } = network.settings;
  const wizard = onTerminal(["init"], others);
  await wizard.at("TESTNET ONLY");
  await wizard.at("Which wallet?", DOWN, ENTER);
  await wizard.at("Private key, 64 hex digits", "12", ENTER);
  await wizard.at("must be 64 hex digits", ETH_ACCOUNT_SAMPLE.privateKey, ENTER);
  await wizard.at("0xE6FF69353A16c9A5B139c79F6499D8AD74bFeceb");
  await wizard.at("A password for the wallet", "short", ENTER);
  await wizard.at("at least 10 characters", PASSWORD, ENTER);
  await wizard.at("The same once more", PASSWORD, ENTER);
  await wizard.at("RPC URL", "https://arb-sepolia.g.alchemy.com/v2/demo", ENTER);
  await wizard.at("placeholder", "\u0015", rpc, ENTER);
  await wizard.at("serves chain 421614");
  await wizard.at("Who answers the prompts?", " ", ENTER);
  await wizard.at("Groq key", "gsk_wrong-0123456789", ENTER);
  await wizard.at("Groq answered 401 to the key");
  await wizard.at("did not work", ENTER);
  await wizard.at("Groq key", GROQ_KEY, ENTER);
  await wizard.at("groq:llama-3.3-70b-versatile answers");
  await wizard.at("Pinata token", ENTER);
  await wizard.at("serves as a verifier");
  await wizard.at("Which models?", ENTER);
  await wizard.at("Where should secrets go?", ENTER);
  await wizard.at("Write this to", ENTER);
  await wizard.at("gave the same answer 3 times");
  expect(wizard.screen()).toContain("█");
  expect(await wizard.ended).toBe(0);
  const key = await openKeystore(await readFile(join(dir, "keystore.json"), "utf8"), new Secret(PASSWORD), "k");
  expect(key.reveal()).toBe(ETH_ACCOUNT_SAMPLE.privateKey);
  const secrets = await openSecrets(join(dir, "secrets.json"), new Secret(PASSWORD));
  expect(secrets.GROQ_API_KEY?.reveal()).toBe(GROQ_KEY);
  expect(await readFile(join(dir, ".env"), "utf8")).toMatch(/BLF_ROLES=verifier/);
  for (const secret of [
    ...Object.values(secrets).map((one) => one.reveal()),
    PASSWORD,
    key.reveal().slice(2),
    "gsk_wrong-0123456789",
  ]) {
    expect(wizard.screen()).not.toContain(secret);
  }
});

it("asks for Gemini's key and a locked server's, and at its second run offers what is set and changes only what is chosen", async () => {
  network.world.serverLocked = true;
  const first = onTerminal(["init"], { ...network.settings, BLF_KEY_PASSWORD: PASSWORD });
  await first.at("Which wallet?", ENTER);
  await first.at("BLF_RPC_URL is set already", ENTER);
  await first.at("Who answers the prompts?", DOWN, " ", DOWN, " ", ENTER);
  await first.at("Gemini key", "AIza-not-the-right-key-at-all", ENTER);
  await first.at("did not work", ENTER);
  await first.at("Gemini key", GEMINI_KEY, ENTER);
  await first.at("gemini:gemini-2.5-flash answers");
  await first.at("The server's URL", network.url, ENTER);
  await first.at("The server's key", SERVER_KEY, ENTER);
  await first.at("facebook/opt-125m answers");
  await first.at("Pinata token", ENTER);
  await first.at("Which models?", ENTER);
  await first.at("Where should secrets go?", DOWN, ENTER);
  await first.at("Write this to", ENTER);
  expect(await first.ended).toBe(0);
  const env = async () => parseEnv(await readFile(join(dir, ".env"), "utf8"));
  const before = await env();
  expect(before).toMatchObject({
    GOOGLE_API_KEY: GEMINI_KEY,
    OPENAI_API_KEY: SERVER_KEY,
    OPENAI_BASE_URL: network.url,
  });
  expect(before.BLF_MODELS?.split(",")).toEqual(
    expect.arrayContaining(["facebook/opt-125m", "gemini:gemini-2.5-flash"]),
  );
  const wallet = await readFile(join(dir, "keystore.json"), "utf8");

  const second = onTerminal(["init", "--skip-tests"], { BLF_KEY_PASSWORD: PASSWORD });
  await second.at("BLF_RPC_URL is set already", ENTER);
  // The server is given up, Gemini kept.
  await second.at("Who answers the prompts?", DOWN, DOWN, " ", ENTER);
  await second.at("GOOGLE_API_KEY is set already", ENTER);
  await second.at("Pinata token", ENTER);
  await second.at("Which models?", ENTER);
  await second.at("Where should secrets go?", DOWN, ENTER);
  await second.at(", changing BLF_MODELS, OPENAI_BASE_URL, OPENAI_API_KEY?", ENTER);
  expect(await second.ended).toBe(0);
  const { OPENAI_BASE_URL: _url, OPENAI_API_KEY: _key, BLF_MODELS: _models, ...kept } = before;
  expect(await env()).toEqual({ ...kept, BLF_MODELS: "gemini:gemini-2.5-flash" });
  expect(await readFile(join(dir, "keystore.json"), "utf8")).toBe(wallet);
});

it.each<[string, (wizard: ReturnType<typeof onTerminal>) => Promise<void>]>([
  ["at the first question", (wizard) => wizard.at("Which wallet?", CTRL_C)],
  [
    "at the last one",
    async (wizard) => {
      await wizard.at("Which wallet?", ENTER);
      await wizard.at("is set already", ENTER);
      await wizard.at("Who answers", ENTER);
      await wizard.at("Pinata token", ENTER);
      await wizard.at("Where should secrets go?", ENTER);
      await wizard.at("Write this to", CTRL_C);
    },
  ],
])("leaves nothing behind after Ctrl-C %s", async (_where, drive) => {
  const wizard = onTerminal(["init", "--skip-tests"], { ...network.settings, BLF_KEY_PASSWORD: PASSWORD });
  await drive(wizard);
  expect(await wizard.ended).toBe(130);
  expect(wizard.screen()).toContain("Nothing was done");
  expect(await readdir(dir)).toEqual([]);
});
