import { CID } from "multiformats/cid";
import { describe, expect, it } from "vitest";
import { readCar, writeCar } from "./car.ts";
import { blockKey } from "./cid.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const hello = {
  cid: CID.parse("bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4"),
  bytes: utf8("hello world\n"),
};

/**
 * One block `hello world\n` under its own root, put together by hand from the CAR specification: the length and DAG-CBOR
 * of `{roots: [cid], version: 1}`, then the length of CID and block, the CID and the block.
 */
const BY_HAND = [
  "3a",
  "a265726f6f747381d82a582500",
  "01551220a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447",
  "6776657273696f6e01",
  "30",
  "01551220a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447",
  "68656c6c6f20776f726c640a",
].join("");

const fromHex = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

describe("a CAR", () => {
  it("is written and read as the specification lays it out", () => {
    expect(writeCar(hello.cid, [hello])).toEqual(fromHex(BY_HAND));
    expect([...readCar(fromHex(BY_HAND))]).toEqual([[blockKey(hello.cid), hello.bytes]]);
  });

  it.each([
    ["nothing", new Uint8Array()],
    ["HTML", utf8("<html><body>Just a moment</body></html>")],
    ["a header alone, cut short", fromHex(BY_HAND).slice(0, 20)],
    ["an archive cut short", fromHex(BY_HAND).slice(0, -1)],
    ["an archive with something behind it", new Uint8Array([...fromHex(BY_HAND), 0xff])],
  ])("holds no blocks when it is %s", (_, bytes) => {
    expect(readCar(bytes).size).toBe(0);
  });
});
