/**
 * What a change of the storage key means for open jobs and stored permits, in workerd on a real network. An object goes
 * over to other settings as a deployment takes it there: evicted, and begun anew on the same state. Services that hang
 * keep a job at one place meanwhile.
 */
import { createScheduledController, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, inject, it } from "vitest";
import { systemRandom } from "../../core/ports.ts";
import { Secret } from "../../core/secret.ts";
import { createVault } from "../../core/vault.ts";
import type { Env } from "../../workers/env.ts";
import worker from "../../workers/index.ts";
import { assignmentName } from "../../workers/objects/names.ts";
import { wire } from "../../workers/wiring.ts";
import { eventually } from "../eventually.ts";

const rig = inject("rigUrl");
const OLD = "01".repeat(32);
const NEW = "02".repeat(32);
const LATER = "03".repeat(32);
const JOB_MS = 60_000;

interface Stats {
  nodes: { address: string; live: boolean }[];
  jobs: { job_id: string; leader_address: string }[];
}

let addresses: string[];
const services = { icl: "", ipfs: "" };

async function fromRig<T>(path: string, init?: RequestInit): Promise<T> {
  return (await (await fetch(`${rig}${path}`, init)).json()) as T;
}

/** Every request that begins with `path` is left without an answer until `release`. */
async function hang(service: keyof typeof services, path: string): Promise<void> {
  const body = JSON.stringify({ path: `^${path}`, mode: "hang", count: 1_000 });
  expect((await fetch(`${services[service]}/devnet/faults`, { method: "POST", body })).status).toBe(200);
}

async function release(): Promise<void> {
  for (const url of Object.values(services)) await fetch(`${url}/devnet/faults`, { method: "DELETE" });
}

/** The user asks; gives the job once the coordinator has chosen its nodes. */
async function ask(name: string): Promise<{ jobId: string; leader: string }> {
  const before = (await fromRig<Stats>("/stats")).jobs.length;
  const body = JSON.stringify({ modelId: "mock:demo", prompt: `While keys change: ${name}` });
  await fromRig(`/jobs/${name}`, { method: "POST", body });
  return eventually("the job", async () => {
    const job = (await fromRig<Stats>("/stats")).jobs[before];
    return job === undefined ? undefined : { jobId: job.job_id, leader: job.leader_address };
  });
}

/** The user of a job that nobody will finish is told that its time is over. */
async function endWaiting(jobId: string): Promise<void> {
  const path = `/v1/inference/${jobId}`;
  const view = (await (await fetch(`${services.icl}${path}`)).text()).replace(
    /"status":"[A-Z]+"/,
    '"status":"TIMEDOUT"',
  );
  const body = `{"path":"^${path}$","mode":"json","body":${view}}`;
  expect((await fetch(`${services.icl}/devnet/faults`, { method: "POST", body })).status).toBe(200);
  await resultOf("lost-job");
}

function resultOf(name: string): Promise<unknown> {
  return eventually("the user's result", async () => (await fromRig<unknown>(`/jobs/${name}`)) ?? undefined, JOB_MS);
}

function assignment(address: string, jobId: string) {
  return env.ASSIGNMENT.getByName(assignmentName(address, jobId));
}

async function reached(state: string, jobId: string, nodes = addresses): Promise<void> {
  for (const address of nodes) {
    await eventually(`${address} to be at ${state}`, async () =>
      (await assignment(address, jobId).snapshot())?.state === state ? true : undefined,
    );
  }
}

/** A job's objects are cut off in whatever they do and made anew on their state, with these keys; `goOn` wakes them. */
async function redeploy(jobId: string, keys: Record<string, string>, nodes = addresses): Promise<void> {
  const deployed = { ...env, BLF_STORAGE_KEY: undefined, ...keys };
  for (const address of nodes) {
    await runInDurableObject(assignment(address, jobId), async (_object, state) => {
      await state.storage.deleteAlarm();
      state.abort("a new deployment");
    }).catch(() => undefined);
    await runInDurableObject(assignment(address, jobId), (object) => void Object.assign(object, { env: deployed }));
  }
}

async function goOn(jobId: string, nodes = addresses): Promise<void> {
  for (const address of nodes) await assignment(address, jobId).wake();
}

/** The wrapped output key as the row has it. */
async function storedKey(address: string, jobId: string): Promise<string> {
  const json = await runInDurableObject(
    assignment(address, jobId),
    (_object, state) => state.storage.sql.exec<{ json: string }>("SELECT json FROM job").one().json,
  );
  return String(JSON.parse(json).outputKey);
}

/** A node's permit, once it has one: who could open it, and what is in it. */
async function permitOf(address: string, key: string): Promise<{ keyId: string | undefined; text: string }> {
  const envelope = await eventually(
    "a permit",
    async () => (await env.NODE.getByName(address).loadPermit()) ?? undefined,
  );
  const text = new TextDecoder().decode(await vault(key).open("cofhe-permit", address, envelope));
  return { keyId: keyIdIn(envelope), text };
}

function vault(key: string) {
  return createVault({ keys: [new Secret(key)], random: systemRandom });
}

async function idOf(key: string): Promise<string | undefined> {
  return keyIdIn(await vault(key).seal("any", "row", new Uint8Array(1)));
}

function keyIdIn(envelope: string): string | undefined {
  return envelope.split(".")[1];
}

beforeAll(async () => {
  Object.assign(env, await fromRig<Record<string, string>>("/settings"), { BLF_STORAGE_KEY: OLD });
  const { settings, signers } = wire(env).configured ?? {};
  addresses = [...(signers?.keys() ?? [])];
  services.icl = settings?.iclEndpoint ?? "";
  services.ipfs = settings?.ipfs.pinataApiUrl ?? "";
  await worker.scheduled(createScheduledController(), env as unknown as Env);
  await eventually("three running nodes", async () => {
    const states = await Promise.all(
      addresses.map(async (one) => (await env.NODE.getByName(one).snapshot(one))?.state),
    );
    return states.every((state) => state === "running") ? true : undefined;
  });
});

afterEach(release);

describe("after the storage key was changed", () => {
  it("with the previous one kept, an open job goes on and the permits are wrapped again", async () => {
    await hang("ipfs", "/ipfs/");
    const { jobId, leader } = await ask("kept");
    await reached("claimed", jobId);
    expect(keyIdIn(await storedKey(leader, jobId))).toBe(await idOf(OLD));
    const before = [];
    for (const address of addresses) before.push((await permitOf(address, OLD)).text);

    await redeploy(jobId, { BLF_STORAGE_KEY: NEW, BLF_STORAGE_KEY_PREVIOUS: OLD });
    await release();
    await goOn(jobId);
    expect(await resultOf("kept")).toMatchObject({ status: "ACCEPTED", confirmations: 3 });
    const after = [];
    for (const address of addresses) after.push(await permitOf(address, NEW));
    expect(after).toEqual(before.map((text) => ({ keyId: expect.any(String), text })));
  });

  it("with the previous one lost, a permit is made anew and new secrets are under the new key", async () => {
    const before = [];
    for (const address of addresses) before.push((await permitOf(address, NEW)).text);
    await hang("icl", "/internal/task/claim");
    const { jobId, leader } = await ask("lost-permit");
    await reached("offered", jobId);
    await redeploy(jobId, { BLF_STORAGE_KEY: LATER });
    await release();

    await hang("ipfs", "/ipfs/");
    await goOn(jobId);
    await reached("claimed", jobId);
    expect(keyIdIn(await storedKey(leader, jobId))).toBe(await idOf(LATER));
    await redeploy(jobId, { BLF_STORAGE_KEY: LATER });
    await release();
    await goOn(jobId);
    expect(await resultOf("lost-permit")).toMatchObject({ status: "ACCEPTED", confirmations: 3 });
    for (const [index, address] of addresses.entries()) {
      expect((await permitOf(address, LATER)).text).not.toBe(before[index]);
    }
  });

  it("with the previous one lost, a leader's open job fails with what to do, and the node goes on", async () => {
    await hang("ipfs", "/ipfs/");
    const { jobId, leader } = await ask("lost-job");
    await reached("claimed", jobId);

    await redeploy(jobId, { BLF_STORAGE_KEY: LATER }, [leader]);
    await release();
    await goOn(jobId, [leader]);
    await reached("failed", jobId, [leader]);
    const job = await assignment(leader, jobId).snapshot();
    expect(job?.failure).toMatchObject({
      code: "storage-key",
      message: expect.stringContaining(`${await idOf(OLD)}, which is not set`),
      hint: expect.stringContaining("BLF_STORAGE_KEY_PREVIOUS"),
    });
    await eventually("the slot", async () => {
      const snapshot = await env.NODE.getByName(leader).snapshot(leader);
      return snapshot?.slots.open === 0 && snapshot.state === "running" ? true : undefined;
    });
    await eventually("an object with nothing to do soon", () =>
      runInDurableObject(assignment(leader, jobId), async (_object, state) =>
        ((await state.storage.getAlarm()) ?? Number.POSITIVE_INFINITY) > Date.now() + 60_000 ? true : undefined,
      ),
    );
    expect(await storedKey(leader, jobId)).toBe("null");
    await endWaiting(jobId);
    await ask("afterwards");
    expect(await resultOf("afterwards")).toMatchObject({ status: "ACCEPTED", confirmations: 3 });
  });
});
