import { describe, expect, it } from "vitest";
import { parseCid } from "./cid.ts";
import { importFile } from "./fake-gateway.ts";
import { isFileOf } from "./layout.ts";
import { MANY_BLOCKS, ONE_BLOCK } from "./published-files.ts";

function cidOf(text: string) {
  const cid = parseCid(text);
  if (!cid.ok) throw new Error("refused");
  return cid.value;
}

describe("isFileOf", () => {
  it.each(ONE_BLOCK)("proves the plain bytes of $name", async (file) => {
    expect(await isFileOf(cidOf(file.cid), file.content)).toBe(true);
    expect(await isFileOf(cidOf(file.cid), new Uint8Array([...file.content, 10]))).toBe(false);
  });

  const KIB = 1024;
  const layouts = [0, 1].flatMap((cidVersion) =>
    [true, false].flatMap((rawLeaves) =>
      [256 * KIB, 1024 * KIB].map((chunkBytes) => ({ cidVersion: cidVersion as 0 | 1, rawLeaves, chunkBytes })),
    ),
  );
  it.each(layouts)("proves two and a half chunks as another implementation lays them out: %o", async (layout) => {
    const content = Uint8Array.from({ length: layout.chunkBytes * 2.5 }, (_, index) => (index >> 3) & 0xff);
    const file = await importFile(content, layout);
    expect(file.blocks.length).toBe(4);
    expect(await isFileOf(file.cid, content)).toBe(true);
    content.fill(0xff, layout.chunkBytes, layout.chunkBytes + 1);
    expect(await isFileOf(file.cid, content)).toBe(false);
  });

  it.each(MANY_BLOCKS)("proves nothing about unusual chunks: $name", async (file) => {
    expect(await isFileOf(cidOf(file.cid), file.content)).toBe(false);
  });
});
