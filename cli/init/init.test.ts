import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Secret } from "../../core/secret.ts";
import { type FakeNetwork, GROQ_KEY, PINATA_JWT, startFakeNetwork } from "../doctor/fake-network.ts";
import { createIo } from "../io.ts";
import { runCommand } from "../run-command.ts";
import { openKeystore } from "../wallet/keystore.ts";
import { ETH_ACCOUNT_SAMPLE } from "../wallet/keystore-samples.ts";
import { openSecrets } from "../wallet/secrets-file.ts";
import { readHome } from "./home.ts";
import { type InitOptions, init } from "./init.ts";
import { makePlan } from "./plan.ts";

// Each start of a process and each sealing costs a second, more on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const PASSWORD = "password1234";
let network: FakeNetwork;
let dir: string;

beforeEach(async () => {
  network = await startFakeNetwork();
  dir = await mkdtemp(join(tmpdir(), "init-"));
});
afterEach(async () => {
  await network.close();
  await rm(dir, { recursive: true });
});

/** As `init --yes --skip-tests` in this process. */
const setUp = (flags: Partial<InitOptions> = {}, env: Record<string, string> = {}) =>
  init(
    createIo(),
    { dir, yes: true, skipTests: true, ...flags },
    { BLF_KEY_PASSWORD: PASSWORD, ...network.settings, ...env },
  );
const secretsOf = async () =>
  Object.fromEntries(
    Object.entries(await openSecrets(join(dir, "secrets.json"), new Secret(PASSWORD))).map(([name, secret]) => [
      name,
      secret.reveal(),
    ]),
  );
const envOf = async () => parseEnv(await readFile(join(dir, ".env"), "utf8"));
const keyOf = async () =>
  (await openKeystore(await readFile(join(dir, "keystore.json"), "utf8"), new Secret(PASSWORD), "k")).reveal();

it("sets a node up from the environment alone: sealed secrets, plain settings, tested, and nothing secret said", async () => {
  const { code, stdout, stderr } = await runCommand(
    ["init", "--yes", "--json"],
    { BLF_KEY_PASSWORD: PASSWORD, ...network.settings, GROQ_API_KEY: GROQ_KEY, BLF_IPFS_UPLOAD_JWT: PINATA_JWT },
    dir,
  );
  expect(stderr).toContain("TESTNET ONLY");
  expect(code).toBe(0);
  const said = JSON.parse(stdout);
  expect(said).toMatchObject({
    wallet: "written",
    files: [join(dir, "keystore.json"), join(dir, "secrets.json"), join(dir, ".env")],
    made: ["BLF_STORAGE_KEY", "BLF_ADMIN_TOKEN", "BLF_SPEND_TOKEN"],
    faults: [],
    determinism: { model: "groq:llama-3.3-70b-versatile", runs: 3, same: true },
  });
  const secrets = await secretsOf();
  expect(secrets).toMatchObject({ GROQ_API_KEY: GROQ_KEY, PINATA_JWT });
  expect(secrets.BLF_STORAGE_KEY).toMatch(/^[0-9a-f]{64}$/);
  expect(await envOf()).toEqual(expect.objectContaining({ BLF_RPC_URL: network.settings.BLF_RPC_URL }));
  for (const file of ["keystore.json", "secrets.json", ".env"])
    expect((await stat(join(dir, file))).mode & 0o777).toBe(0o600);
  expect((await readdir(dir)).sort()).toEqual([".env", "keystore.json", "secrets.json"]);
  const plain = `${stdout}${stderr}${await readFile(join(dir, ".env"), "utf8")}`;
  for (const secret of [...Object.values(secrets), PASSWORD, (await keyOf()).slice(2)])
    expect(plain).not.toContain(secret);
});

it("keeps the wallet, the tokens and the lines of the operator the second time, and asks before it changes any", async () => {
  await setUp({}, { GROQ_API_KEY: GROQ_KEY });
  const keystore = await readFile(join(dir, "keystore.json"), "utf8");
  const secrets = await secretsOf();
  await writeFile(join(dir, ".env"), `# mine\n${await readFile(join(dir, ".env"), "utf8")}MY_OWN=1\n`);
  const other = { GROQ_API_KEY: "gsk_another-0123456789" };
  await expect(setUp({ yes: false }, other)).rejects.toMatchObject({
    exit: "refused",
    message: expect.stringContaining("Change GROQ_API_KEY in"),
    fix: expect.stringContaining("--yes"),
  });
  expect(await secretsOf()).toEqual(secrets);
  const { kept, plan } = await setUp({ models: "groq:other" }, other);
  expect({ kept, changed: plan.changed, made: Object.keys(plan.generated) }).toEqual({
    kept: true,
    changed: ["GROQ_API_KEY"],
    made: [],
  });
  expect(await readFile(join(dir, "keystore.json"), "utf8")).toBe(keystore);
  expect(await secretsOf()).toEqual({ ...secrets, ...other });
  const text = await readFile(join(dir, ".env"), "utf8");
  expect(text).toMatch(/^# mine\n/);
  expect(text).toMatch(/MY_OWN=1\nBLF_MODELS=groq:other\n$/);
});

it("takes over the original's configuration and its wallet", async () => {
  const old = join(dir, "old");
  await mkdir(old);
  await writeFile(join(old, "keystore.json"), ETH_ACCOUNT_SAMPLE.text);
  const config = {
    node_address: "0xE6FF69353A16c9A5B139c79F6499D8AD74bFeceb",
    keystore_path: "./keystore.json",
    supported_model_ids: ["groq:llama-3.3-70b-versatile", "gemini:gemini-2.5-flash", "facebook/opt-125m", "mock:demo"],
    rpc_url: "https://arb-sepolia.g.alchemy.com/v2/demo",
    log_level: "DEBUG",
    unheard_of: true,
  };
  await writeFile(join(old, "config.json"), JSON.stringify(config));
  const { address, plan, notes } = await setUp({ from: join(old, "config.json") }, { GROQ_API_KEY: GROQ_KEY });
  expect(address).toBe(config.node_address);
  expect(plan.bindings).toMatchObject({ BLF_MODELS: "groq:llama-3.3-70b-versatile", BLF_ROLES: "verifier" });
  expect(notes.join(" ")).toMatch(/rpc_url is not carried over.*unheard_of/);
  expect(notes.filter((note) => note.includes("is not served"))).toEqual([
    expect.stringMatching(/gemini:gemini-2.5-flash .*set GOOGLE_API_KEY/),
    expect.stringMatching(/facebook\/opt-125m .*set OPENAI_BASE_URL/),
    expect.stringMatching(/mock:demo is not served.*only where BLF_MODELS lists it/),
  ]);
  expect(await keyOf()).toBe(ETH_ACCOUNT_SAMPLE.privateKey);
  expect(await envOf()).toMatchObject({ BLF_LOG_LEVEL: "DEBUG", BLF_RPC_URL: network.settings.BLF_RPC_URL });
});

it("imports a key from a file, and a keystore with a password of its own", async () => {
  const [key, keystore, password] = ["key.hex", "geth.json", "pw"].map((name) => join(dir, name));
  await writeFile(key ?? "", `${ETH_ACCOUNT_SAMPLE.privateKey}\n`);
  await setUp(key === undefined ? {} : { privateKeyFile: key });
  expect(await keyOf()).toBe(ETH_ACCOUNT_SAMPLE.privateKey);
  await writeFile(keystore ?? "", ETH_ACCOUNT_SAMPLE.text);
  await writeFile(password ?? "", "password1234\n");
  const second = join(dir, "second");
  await setUp(
    { dir: second, import: keystore ?? "", importPasswordFile: password ?? "" },
    { BLF_KEY_PASSWORD: "quite another" },
  );
  const text = await readFile(join(second, "keystore.json"), "utf8");
  expect((await openKeystore(text, new Secret("quite another"), "k")).reveal()).toBe(ETH_ACCOUNT_SAMPLE.privateKey);
});

it.each<[string, Partial<InitOptions>, Record<string, string>, RegExp]>([
  ["without a password", {}, { BLF_KEY_PASSWORD: "" }, /BLF_KEY_PASSWORD is not set/],
  ["with a short password", {}, { BLF_KEY_PASSWORD: "short" }, /at least 10 characters/],
  [
    "with a placeholder for the RPC",
    {},
    { BLF_RPC_URL: "https://arb-sepolia.g.alchemy.com/v2/YOUR_KEY" },
    /BLF_RPC_URL ends in a placeholder/,
  ],
  ["for a mainnet", {}, { BLF_COFHE_CHAIN_ID: "42161" }, /mainnet/],
  ["with two wallets", { import: "a", privateKeyFile: "b" }, {}, /two wallets/],
  ["with a keystore that is not there", { import: "none.json" }, {}, /There is no keystore/],
  ["with a configuration that is not there", { from: "none.json" }, {}, /cannot be read/],
  ["with several keys", {}, { BLF_PRIVATE_KEY: `${"1".repeat(64)},${"2".repeat(64)}` }, /several keys/],
  ["with a mock as a fallback", { models: "mock" }, {}, /fallback/],
  ["with a place that is none", { secrets: "cloud" }, {}, /must be one of sealed, env, none/],
])("writes nothing %s", async (_what, flags, env, message) => {
  await expect(setUp(flags, env)).rejects.toMatchObject({
    name: "CliError",
    exit: "usage",
    message: expect.stringMatching(message),
  });
  expect(await readdir(dir)).toEqual([]);
});

it("never puts another wallet over the one that is there, and never opens it with another password", async () => {
  await writeFile(join(dir, "keystore.json"), ETH_ACCOUNT_SAMPLE.text);
  await expect(setUp({}, { BLF_PRIVATE_KEY: "1".repeat(64) })).rejects.toMatchObject({
    exit: "refused",
    message: expect.stringMatching(/holds the wallet 0xE6FF.*would be another one/),
  });
  await expect(setUp({}, { BLF_KEY_PASSWORD: "another password" })).rejects.toMatchObject({ exit: "usage" });
  expect(await readdir(dir)).toEqual(["keystore.json"]);
  expect(await readFile(join(dir, "keystore.json"), "utf8")).toBe(ETH_ACCOUNT_SAMPLE.text);
});

it("shows the new secrets once and stores none, where that is asked for", async () => {
  const env = { BLF_KEY_PASSWORD: PASSWORD, ...network.settings, GROQ_API_KEY: GROQ_KEY };
  const { stdout } = await runCommand(["init", "--yes", "--skip-tests", "--secrets", "none"], env, dir);
  const shown = parseEnv(stdout);
  expect(Object.keys(shown).sort()).toEqual(["BLF_ADMIN_TOKEN", "BLF_SPEND_TOKEN", "BLF_STORAGE_KEY"]);
  expect((await readdir(dir)).sort()).toEqual([".env", "keystore.json"]);
  const text = await readFile(join(dir, ".env"), "utf8");
  for (const secret of [...Object.values(shown).map(String), GROQ_KEY]) expect(text).not.toContain(secret);
});

it("keeps a secret in one place: the one that was chosen last", async () => {
  await writeFile(
    join(dir, ".env"),
    "GROQ_API_KEY=gsk_old-0123456789ab\nBLF_IPFS_UPLOAD_JWT=old-token\nBLF_ROLES=leader\n",
  );
  const home = await readHome(dir);
  const answers = {
    privateKey: null,
    password: new Secret(PASSWORD),
    removed: ["BLF_ROLES" as const],
    texts: { GROQ_API_KEY: GROQ_KEY, PINATA_JWT },
  };
  const sealed = makePlan(home, {}, { ...answers, place: "sealed" });
  expect(Object.keys(parseEnv(sealed.envText))).toEqual([]);
  expect(sealed.sealed?.PINATA_JWT?.reveal()).toBe(PINATA_JWT);
  expect(sealed.changed).toEqual(["GROQ_API_KEY", "PINATA_JWT", "BLF_ROLES"]);
  const stored = { GROQ_API_KEY: new Secret("gsk_sealed-0123456789"), MOCK_ATTESTATION_KEY: new Secret("m") };
  const plain = makePlan(home, stored, { ...answers, place: "env" });
  expect(parseEnv(plain.envText)).toMatchObject({ GROQ_API_KEY: GROQ_KEY, PINATA_JWT });
  expect(plain.envText).not.toContain("BLF_IPFS_UPLOAD_JWT");
  expect(Object.keys(plain.sealed ?? {})).toEqual(["MOCK_ATTESTATION_KEY"]);
});
