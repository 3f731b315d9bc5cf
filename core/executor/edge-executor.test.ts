import { expect, it } from "vitest";
import { openBlob, sealBlob } from "../crypto/blob.ts";
import { splitKey } from "../crypto/key-halves.ts";
import { createModelRegistry } from "../inference/registry.ts";
import { createIpfsDownloader } from "../ipfs/download.ts";
import { createNetwork, honest, importFile } from "../ipfs/fake-gateway.ts";
import { systemClock, systemRandom } from "../ports.ts";
import { scriptedFetch } from "../scripted-fetch.ts";
import { Secret } from "../secret.ts";
import { createVault } from "../vault.ts";
import { createExecutor } from "./edge-executor.ts";
import { EXECUTOR_VERSION, type ExecuteRequest } from "./executor.ts";

const NODE = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";
const MODEL = "groq:llama-3.3-70b-versatile";
const HANDLES = { high: 11n, low: 12n };
const OLD_KEY = "f0".repeat(32);
const NEW_KEY = "3c".repeat(32);

const promptKey = systemRandom(32);
const prompt = await importFile(await sealBlob("a prompt", promptKey));
const leader: ExecuteRequest = {
  version: EXECUTOR_VERSION,
  node: NODE,
  jobId: "job-1",
  role: "leader",
  modelId: MODEL,
  promptCid: prompt.cid.toString(),
  keyHandles: HANDLES,
};

/** An executor whose secrets are wrapped under `storageKey`, and how often it asked each of the services outside. */
function executorWith(storageKey: string) {
  const halves = splitKey(promptKey);
  let decryptions = 0;
  const network = createNetwork([prompt], { "own.example": honest });
  const { fetch, received } = scriptedFetch({ json: { choices: [{ message: { content: "an answer" } }] } });
  const vault = createVault({ keys: [new Secret(storageKey)], random: systemRandom });
  const executor = createExecutor({
    cofhe: {
      canEncrypt: false,
      async decryptUint128(handle) {
        decryptions += 1;
        return handle === HANDLES.high ? halves.high : halves.low;
      },
      encryptUint128Pair: () => Promise.reject(new Error("nothing is encrypted here")),
    },
    ipfs: createIpfsDownloader({ gateways: ["https://own.example"], fetch: network.fetch, clock: systemClock }),
    models: createModelRegistry({
      models: [MODEL],
      groq: { apiKey: new Secret("key"), baseUrl: "https://models.example/v1" },
      fetch,
      clock: systemClock,
    }),
    vault,
    random: systemRandom,
    clock: systemClock,
  });
  const asked = () => ({ cofhe: decryptions, ipfs: network.asked.length, model: received.length });
  return { executor, vault, asked };
}

it("A leader's answer is sealed under the output key that was wrapped for the job", async () => {
  const { executor, vault, asked } = executorWith(OLD_KEY);
  const outputKey = await executor.newOutputKey(NODE, "job-1");
  const { sealedAnswer } = await executor.execute({ ...leader, outputKey });
  if (sealedAnswer === undefined) throw new Error("no answer was sealed");
  const key = await vault.open("output-key", `${NODE}/job-1`, outputKey);
  expect(await openBlob(sealedAnswer, key)).toBe("an answer");
  expect(asked()).toEqual({ cofhe: 2, ipfs: 1, model: 1 });
});

it("A verifier needs no output key, and seals nothing", async () => {
  const { executor, asked } = executorWith(OLD_KEY);
  expect(await executor.execute({ ...leader, role: "verifier" })).not.toHaveProperty("sealedAnswer");
  expect(asked().model).toBe(1);
});

it("A leader that cannot open its output key any more says so before it asks anyone for anything", async () => {
  const outputKey = await executorWith(OLD_KEY).executor.newOutputKey(NODE, "job-1");
  const { executor, asked } = executorWith(NEW_KEY);
  await expect(executor.execute({ ...leader, outputKey })).rejects.toMatchObject({ code: "storage-key" });
  await expect(executor.execute(leader)).rejects.toMatchObject({ code: "internal" });
  expect(asked()).toEqual({ cofhe: 0, ipfs: 0, model: 0 });
});

it("Another job's output key is not taken, and costs no model either", async () => {
  const { executor, asked } = executorWith(OLD_KEY);
  const outputKey = await executor.newOutputKey(NODE, "job-2");
  await expect(executor.execute({ ...leader, outputKey })).rejects.toMatchObject({ code: "storage-key" });
  expect(asked()).toEqual({ cofhe: 0, ipfs: 0, model: 0 });
});
