import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readCar } from "../../core/ipfs/car.ts";
import { blockKey, type Cid, hashesTo, parseCid } from "../../core/ipfs/cid.ts";
import { MANY_BLOCKS, ONE_BLOCK } from "../../core/ipfs/published-files.ts";
import { createIpfsStore } from "./store.ts";

const dir = await mkdtemp(join(tmpdir(), "devnet-ipfs-"));
afterAll(() => rm(dir, { recursive: true }));

function cidOf(text: string): Cid {
  const cid = parseCid(text);
  if (!cid.ok) throw new Error(`refused: ${cid.refusal.message}`);
  return cid.value;
}

/** The store makes version 0 with wrapped leaves and version 1 with raw ones, as Pinata does. */
const published = [...ONE_BLOCK, ...MANY_BLOCKS].filter(({ options }) => options.rawLeaves !== false);

describe("the store", () => {
  it.each(published)("gives $name the CID that others published, and the bytes back", async (file) => {
    const store = createIpfsStore();
    const { cidVersion = 1, chunkBytes } = file.options;
    const options = chunkBytes === undefined ? { cidVersion } : { cidVersion, chunkSize: chunkBytes };
    expect(await store.add(file.content, options)).toBe(file.cid);
    expect(await store.file(cidOf(file.cid))).toEqual(new Uint8Array(file.content));
  });

  it("has the whole tree in a CAR, root first and each block once", async () => {
    const store = createIpfsStore();
    const cid = cidOf(await store.add(new Uint8Array(1000), { cidVersion: 0, chunkSize: 100 }));
    const car = await store.car(cid);
    if (car === null) throw new Error("no CAR");
    const blocks = readCar(car);
    expect(blocks.size).toBe(2);
    const [first] = blocks;
    if (first === undefined) throw new Error("no block");
    expect(first[0]).toBe(blockKey(cid));
    expect(await hashesTo(cid, first[1])).toBe(true);
  });

  it("has nothing under a CID it was never given", async () => {
    const store = createIpfsStore({ dir });
    const cid = cidOf("QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o");
    expect([await store.block(cid), await store.file(cid), await store.car(cid)]).toEqual([null, null, null]);
  });
});

describe("the store with a folder", () => {
  it("still has a tree after a restart and leaves no unfinished file behind", async () => {
    const content = Uint8Array.from({ length: 1000 }, (_, index) => index & 0xff);
    const cid = await createIpfsStore({ dir }).add(content, { cidVersion: 0, chunkSize: 300 });
    expect(await createIpfsStore({ dir }).file(cidOf(cid))).toEqual(content);
    for (const name of await readdir(dir)) expect(name).toMatch(/^[0-9a-f]+$/);
  });

  it("takes a damaged block for a missing one", async () => {
    const folder = join(dir, "damaged");
    const cid = await createIpfsStore({ dir: folder }).add(new Uint8Array([1, 2, 3]));
    await writeFile(join(folder, blockKey(cidOf(cid))), new Uint8Array([1, 2, 4]));
    expect(await createIpfsStore({ dir: folder }).file(cidOf(cid))).toBeNull();
  });
});
