/**
 * For tests only: files whose CIDs other people published, so that a test here cannot agree with our own mistake. Sources:
 * the UnixFS specification's test vectors (specs.ipfs.tech, with the IPFS gateway conformance suite's fixtures), the
 * README of Kubo, and the tests of ipld/js-unixfs and of rust-ipfs, whose expectations come from go-ipfs.
 */
import type { ImportOptions } from "./fake-gateway.ts";

export interface PublishedFile {
  name: string;
  content: Uint8Array;
  cid: string;
  options: ImportOptions;
  blocks: number;
}

const utf8 = (text: string) => new TextEncoder().encode(text);
const V0: ImportOptions = { cidVersion: 0 };
const WRAPPED: ImportOptions = { cidVersion: 1, rawLeaves: false };

/** 1,026 bytes, the specification's `multiblock.txt`. */
const MULTIBLOCK =
  "Lorem ipsum dolor sit amet, consectetur adipiscing elit. Nunc non imperdiet nunc. Proin ac quam ut nibh eleifend aliquet. Vestibulum ante ipsum primis in faucibus orci luctus et ultrices posuere cubilia curae; Sed ligula dolor, imperdiet sagittis arcu et, semper tincidunt urna. Donec et tempor augue, quis sollicitudin metus. Curabitur semper ullamcorper aliquet. Mauris hendrerit sodales lectus eget fermentum. Proin sollicitudin vestibulum commodo. Vivamus nec lectus eu augue aliquet dignissim nec condimentum justo. In hac habitasse platea dictumst. Mauris vel sem neque.\n\nVivamus finibus, enim at lacinia semper, arcu erat gravida lacus, sit amet gravida magna orci sit amet est. Sed non leo lacus. Nullam viverra ipsum a tincidunt dapibus. Nulla pulvinar ligula sit amet ante ultrices tempus. Proin purus urna, semper sed lobortis quis, gravida vitae ipsum. Aliquam mi urna, pulvinar eu bibendum quis, convallis ac dolor. In gravida justo sed risus ullamcorper, vitae luctus massa hendrerit. Pellentesque habitant amet.";

/** 237 bytes, the text of rust-ipfs' test of a tree of three levels. */
const THREE_LEVELS =
  "Lorem ipsum dolor sit amet, sit enim montes aliquam. Cras non lorem, rhoncus condimentum, irure et ante. Pulvinar suscipit odio ante, et tellus a enim, wisi ipsum, vel rhoncus eget faucibus varius, luctus turpis nibh vel odio nulla pede.";

/** Files in the layouts that tools use by default: one block, raw or wrapped. */
export const ONE_BLOCK: readonly PublishedFile[] = [
  {
    name: "a raw block",
    content: utf8("hello world\n"),
    cid: "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4",
    options: {},
    blocks: 1,
  },
  {
    name: "an empty raw block",
    content: utf8(""),
    cid: "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
    options: {},
    blocks: 1,
  },
  {
    name: "Kubo's hello world",
    content: utf8("hello world\n"),
    cid: "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o",
    options: V0,
    blocks: 1,
  },
  {
    name: "a version 0 file",
    content: utf8("foobar\n"),
    cid: "QmRgutAxd8t7oGkSm4wmeuByG6M51wcTso6cubDdQtuEfL",
    options: V0,
    blocks: 1,
  },
  {
    name: "an empty version 0 file",
    content: utf8(""),
    cid: "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH",
    options: V0,
    blocks: 1,
  },
  {
    name: "an empty version 1 file",
    content: utf8(""),
    cid: "bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y",
    options: WRAPPED,
    blocks: 1,
  },
  {
    name: "the gateway checker's file",
    content: utf8("Hello from IPFS Gateway Checker\n"),
    cid: "bafybeifx7yeb55armcsxwwitkymga5xf53dxiarykms3ygqic223w5sk3m",
    options: WRAPPED,
    blocks: 1,
  },
  {
    name: "a version 1 wrapped file",
    content: utf8("hello world"),
    cid: "bafybeihykld7uyxzogax6vgyvag42y7464eywpf55gxi5qpoisibh3c5wa",
    options: WRAPPED,
    blocks: 1,
  },
];

/** Trees, in small chunks: raw and wrapped leaves, two and three levels. */
export const MANY_BLOCKS: readonly PublishedFile[] = [
  {
    name: "raw leaves",
    content: utf8(MULTIBLOCK),
    cid: "bafybeigcisqd7m5nf3qmuvjdbakl5bdnh4ocrmacaqkpuh77qjvggmt2sa",
    options: { chunkBytes: 256 },
    blocks: 6,
  },
  {
    name: "wrapped leaves",
    content: utf8("foobar\n"),
    cid: "QmRJHYTNvC3hmd9gJQARxLR1QMEincccBV53bBw524yyq6",
    options: { ...V0, chunkBytes: 2 },
    blocks: 5,
  },
  {
    name: "one full block of links",
    content: new Uint8Array(174),
    cid: "QmdgQac8c6Bo3MP5bHAg2yQ25KebFUsmkZFvyByYzf8UCB",
    options: { ...V0, chunkBytes: 1 },
    blocks: 175,
  },
  {
    name: "three levels",
    content: utf8(THREE_LEVELS),
    cid: "QmRQ6NZNUs4JrCT2y7tmCC1wUhjqYuTssB8VXbbN3rMffg",
    options: { ...V0, chunkBytes: 1 },
    blocks: 240,
  },
  {
    name: "three levels with a lone last leaf",
    content: new Uint8Array(349),
    cid: "QmcHNWF1d56uCDSfJPA7t9fadZRV9we5HGSTGSmwuqmMP9",
    options: { ...V0, chunkBytes: 2 },
    blocks: 178,
  },
];
