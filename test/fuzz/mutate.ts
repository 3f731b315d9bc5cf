/**
 * Mutations of valid samples: bytes that are flipped, inserted, removed, doubled or cut off, and JSON whose structure is
 * damaged while its text stays JSON. Structure-aware, because random bytes rarely get past the first check of a parser.
 */
import fc from "fast-check";
import { CANARY } from "./property.ts";

type ByteEdit =
  | { op: "flip" | "remove" | "double" | "cut" | "zero"; at: number; length: number }
  | { op: "insert"; at: number; bytes: Uint8Array };

/** Where to edit, as a share of the length; even, which doubles by their bits are not. */
const place = fc.nat({ max: 9_999 }).map((share) => share / 10_000);
const byteEdit: fc.Arbitrary<ByteEdit> = fc.oneof(
  fc.record({
    op: fc.constantFrom(
      "flip" as const,
      "flip" as const,
      "remove" as const,
      "double" as const,
      "cut" as const,
      "zero" as const,
    ),
    at: place,
    length: fc.constantFrom(1, 1, 1, 2, 8, 64),
  }),
  fc.record({ op: fc.constant("insert" as const), at: place, bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }) }),
);

/** One of the samples after up to six edits; sometimes untouched, sometimes nothing but noise. */
export function mutatedBytes(samples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  const edited = fc
    .tuple(fc.constantFrom(...samples), fc.array(byteEdit, { maxLength: 6 }))
    .map(([sample, edits]) => edits.reduce(editBytes, Uint8Array.from(sample)));
  const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Uint8Array.from(bytes));
  return fc.oneof({ weight: 9, arbitrary: edited }, { weight: 1, arbitrary: noise });
}

function editBytes(bytes: Uint8Array<ArrayBuffer>, edit: ByteEdit): Uint8Array<ArrayBuffer> {
  const at = Math.floor(edit.at * bytes.length);
  if (edit.op === "insert") return Uint8Array.from([...bytes.subarray(0, at), ...edit.bytes, ...bytes.subarray(at)]);
  const end = at + edit.length;
  switch (edit.op) {
    case "flip":
      return bytes.map((byte, index) => (index === at ? byte ^ (1 << (edit.length % 8)) : byte));
    case "zero":
      return bytes.map((byte, index) => (index >= at && index < end ? 0 : byte));
    case "cut":
      return bytes.slice(0, at);
    case "remove":
      return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(end)]);
    case "double":
      return Uint8Array.from([...bytes.subarray(0, end), ...bytes.subarray(at)]);
  }
}

/** One of the samples as text with the same kinds of edits. */
export function mutatedText(samples: readonly string[], pieces: readonly string[]): fc.Arbitrary<string> {
  const edit = fc.record({
    at: place,
    remove: fc.constantFrom(0, 0, 1, 4),
    insert: fc.constantFrom("", "", ...pieces),
  });
  return fc.tuple(fc.constantFrom(...samples), fc.array(edit, { maxLength: 5 })).map(([sample, edits]) =>
    edits.reduce((text, { at, remove, insert }) => {
      const start = Math.floor(at * (text.length + 1));
      return text.slice(0, start) + insert + text.slice(start + remove);
    }, sample),
  );
}

/** JSON texts that parsers have stumbled over: numbers beyond every range, half characters, depth, and what Python prints. */
export const ODD_JSON: readonly string[] = [
  "null",
  "true",
  "false",
  "0",
  "-0",
  "-1",
  "1.5",
  "1e400",
  "1e-400",
  "9007199254740993",
  "-9007199254740993",
  "9".repeat(78),
  "9".repeat(4_000),
  '""',
  '"0"',
  '"None"',
  '"null"',
  '"\\ud800"',
  '"\\u0000"',
  '"0x"',
  `"0x${"f".repeat(64)}"`,
  '"-1"',
  '" 1 "',
  `"${"a".repeat(5_000)}"`,
  `"${CANARY}"`,
  "[]",
  "{}",
  "[0]",
  "[[1]]",
  '{"__proto__":{"status":"ok"}}',
  '{"constructor":1}',
  '{"valueOf":1,"toString":2}',
  `{"${CANARY}":1}`,
  "[".repeat(600) + "]".repeat(600),
  `${'{"a":'.repeat(600)}1${"}".repeat(600)}`,
];

/** JSON before it is text: unlike a value, it may name one member twice and hold any piece of text. */
type Tree = string | { list: boolean; children: readonly (readonly [string, Tree])[] };

const OPERATIONS = ["replace", "replace", "replace", "remove", "double", "rename", "wrap"] as const;
interface JsonEdit {
  op: (typeof OPERATIONS)[number];
  at: number;
  text: string;
}
const jsonEdit: fc.Arbitrary<JsonEdit> = fc.record({
  op: fc.constantFrom(...OPERATIONS),
  at: place,
  text: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...ODD_JSON) }, { weight: 1, arbitrary: fc.json() }),
});

/** The JSON text of one of the samples after up to three edits of its structure, and now and then some of its text. */
export function mutatedJson(samples: readonly unknown[]): fc.Arbitrary<string> {
  const structure = fc
    .tuple(fc.constantFrom(...samples), fc.array(jsonEdit, { maxLength: 3 }))
    .map(([sample, edits]) => textOf(edits.reduce(editTree, treeOf(sample))));
  const texts = samples.map((sample) => JSON.stringify(sample));
  return fc.oneof(
    { weight: 8, arbitrary: structure },
    { weight: 2, arbitrary: mutatedText(texts, ['"', "{", "]", ",", "\\", "\ud800", "\u0000", "e9", "9".repeat(30)]) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.constantFrom(...ODD_JSON, "", "<html>", `<p>${CANARY}</p>`, "\ufeff{}") },
  );
}

function treeOf(value: unknown): Tree {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const children = Object.entries(value).map(([key, child]) => [key, treeOf(child)] as const);
  return { list: Array.isArray(value), children };
}

function textOf(tree: Tree): string {
  if (typeof tree === "string") return tree;
  if (tree.list) return `[${tree.children.map(([, child]) => textOf(child)).join(",")}]`;
  return `{${tree.children.map(([key, child]) => `${JSON.stringify(key)}:${textOf(child)}`).join(",")}}`;
}

function sizeOf(tree: Tree): number {
  return typeof tree === "string" ? 1 : tree.children.reduce((sum, [, child]) => sum + sizeOf(child), 1);
}

/** Edits the node that stands at `at` of all, the root first. */
function editTree(root: Tree, edit: JsonEdit): Tree {
  let left = Math.floor(edit.at * sizeOf(root));
  const visit = (tree: Tree): Tree => {
    if (typeof tree === "string") return tree;
    const children = tree.children.flatMap(([key, child]): (readonly [string, Tree])[] => {
      left -= 1;
      return left === 0 ? editMember(key, child, edit) : [[key, visit(child)]];
    });
    return { ...tree, children };
  };
  return left === 0 ? edit.text : visit(root);
}

function editMember(key: string, child: Tree, edit: JsonEdit): (readonly [string, Tree])[] {
  switch (edit.op) {
    case "replace":
      return [[key, edit.text]];
    case "remove":
      return [];
    case "double":
      return [
        [key, edit.text],
        [key, child],
      ];
    case "rename":
      return [["__proto__", child]];
    case "wrap":
      return [[key, { list: true, children: [["0", child]] }]];
  }
}
