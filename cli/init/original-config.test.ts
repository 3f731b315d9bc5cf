import { expect, it } from "vitest";
import { readOriginalConfig } from "./original-config.ts";

/** As the original writes it. */
const CONFIG = {
  node_address: "0xE6FF69353A16c9A5B139c79F6499D8AD74bFeceb",
  keystore_path: "./keystore.json",
  tier: 0,
  supported_model_ids: ["groq:llama-3.3-70b-versatile", "gemini:gemini-2.5-flash"],
  custom_backends: [],
  attestation_backend: "mock",
  icl_endpoint: "https://icl.blindference.xyz",
  rpc_url: "https://arb-sepolia.g.alchemy.com/v2/0123456789abcdef0123456789abcdef",
  ipfs_gateway: "https://ipfs.io/ipfs",
  model_cache_dir: "./models",
  log_level: "INFO",
  network: "arbitrum_sepolia",
  attestation_cert_hash: "",
  attestation_expiry: 0,
  registered_on_chain: false,
  stake_amount_wei: 0,
  cofhe_mode: "bridge",
  cofhe_endpoint: "https://arb-sepolia.g.alchemy.com/v2/0123456789abcdef0123456789abcdef",
  cofhe_chain_id: 421_614,
  skip_output_key_storage: false,
};
const read = (changes: object = {}, path = "/home/me/node/config.json") =>
  readOriginalConfig(JSON.stringify({ ...CONFIG, ...changes }), path);

it("takes over what the original's default configuration says", () => {
  expect(read()).toEqual({
    settings: {
      BLF_RPC_URL: CONFIG.rpc_url,
      BLF_ICL_ENDPOINT: "https://icl.blindference.xyz",
      PINATA_GATEWAY_URL: "https://ipfs.io/ipfs",
      BLF_LOG_LEVEL: "INFO",
      BLF_COFHE_CHAIN_ID: "421614",
    },
    models: CONFIG.supported_model_ids,
    keystorePath: "/home/me/node/keystore.json",
    address: CONFIG.node_address,
    notes: [
      expect.stringMatching(/cofhe_mode bridge is not needed/),
      expect.stringMatching(/certificate is not carried over/),
    ],
  });
});

it.each<[string, object, object]>([
  ["a stake in wei, to the last digit", { stake_amount_wei: 0 }, {}],
  ["the skipped output key", { skip_output_key_storage: true }, { BLF_SKIP_OUTPUT_KEY_STORAGE: "true" }],
  [
    "another RPC for CoFHE",
    { cofhe_endpoint: "https://rpc.example.org/k" },
    { BLF_COFHE_ENDPOINT: "https://rpc.example.org/k" },
  ],
  ["the log level", { log_level: "debug" }, { BLF_LOG_LEVEL: "debug" }],
])("maps %s", (_what, changes, expected) => {
  expect(read(changes).settings).toMatchObject(expected);
});

it("reads a stake beyond what a double holds, in whole BLIND", () => {
  const json = JSON.stringify(CONFIG).replace('"stake_amount_wei":0', '"stake_amount_wei":2500000000000000000000');
  expect(readOriginalConfig(json, "/c.json").settings.BLF_STAKE_AMOUNT).toBe("2500");
});

it.each<[string, object, RegExp]>([
  [
    "Alchemy's placeholder",
    { rpc_url: "https://arb-sepolia.g.alchemy.com/v2/demo" },
    /rpc_url is not carried over: BLF_RPC_URL ends in a placeholder/,
  ],
  [
    "YOUR_KEY",
    { rpc_url: "https://arb-sepolia.g.alchemy.com/v2/YOUR_KEY" },
    /rpc_url is not carried over: .*placeholder/,
  ],
  [
    "a stake under the minimum",
    { stake_amount_wei: 5e18 },
    /stake_amount_wei is not carried over: .*must be a whole number from 1000/,
  ],
  ["hardware", { attestation_backend: "tpm", tier: 1 }, /attestation_backend tpm is not carried over/],
  ["a tier without hardware", { tier: 2 }, /tier 2 is not carried over/],
  ["Python backends", { custom_backends: ["my.backends:Mine"] }, /custom_backends are Python modules/],
  [
    "fields of a later version",
    { shiny: 1, model_cache_dir: "x", other: {} },
    /Not known and not carried over: shiny, other/,
  ],
  ["a registration", { registered_on_chain: true }, /`doctor` shows whether the chain agrees/],
])("says why %s stays behind", (_what, changes, note) => {
  const { notes, settings } = read(changes);
  expect(
    notes.some((text) => note.test(text)),
    notes.join("\n"),
  ).toBe(true);
  expect(Object.keys(settings)).not.toContain("BLF_TIER");
});

it("does not keep what it says it leaves behind", () => {
  expect(read({ rpc_url: "https://arb-sepolia.g.alchemy.com/v2/demo" }).settings.BLF_RPC_URL).toBeUndefined();
});

it.each<[string, object]>([
  ["by its name", { network: "arbitrum_one" }],
  ["by its chain id", { cofhe_chain_id: 42_161 }],
])("refuses a mainnet %s", (_how, changes) => {
  expect(() => read(changes)).toThrow(/mainnet/);
});

it.each<[string, string, RegExp]>([
  ["no JSON", "{", /is not JSON/],
  ["a list", "[]", /no config\.json/],
  ["a field of another kind", '{"tier":"high"}', /tier cannot be read/],
])("names the file where it is %s", (_what, json, message) => {
  expect(() => readOriginalConfig(json, "/c.json")).toThrow(message);
});

it("takes over an empty configuration, which sets nothing", () => {
  expect(readOriginalConfig("{}", "/c.json")).toMatchObject({
    settings: {},
    models: [],
    keystorePath: null,
    address: null,
  });
});
