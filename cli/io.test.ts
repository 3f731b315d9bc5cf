import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type FakeNode, startFakeNode } from "./fake-node.ts";
import { inProcess } from "./in-process.ts";
import { bar, columns, createIo } from "./io.ts";
import { CTRL_C, ENTER, runOnTerminal } from "./on-terminal.ts";
import { ENTRY } from "./run-command.ts";

vi.setConfig({ testTimeout: 60_000 });

describe("columns", () => {
  it("are as wide as their widest cell, colours not counted, without blanks at the end of a line", () => {
    expect(
      columns(["id", "state"], [["a-long-one", "\u001b[32mok\u001b[39m"], ["b"], ["\u001b[1mc\u001b[22m", "x"]]),
    ).toEqual(["id          state", "a-long-one  \u001b[32mok\u001b[39m", "b", "\u001b[1mc\u001b[22m           x"]);
  });

  it("are the head alone where there are no rows", () => {
    expect(columns(["a", "b"], [])).toEqual(["a  b"]);
  });
});

describe("in a pipe", () => {
  /** Each stream as it would be read. */
  async function told(work: (io: ReturnType<typeof createIo>) => unknown) {
    const out = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    const err = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    try {
      await work(createIo());
      return { stdout: out.mock.calls.map(String).join(""), stderr: err.mock.calls.map(String).join("") };
    } finally {
      out.mockRestore();
      err.mockRestore();
    }
  }

  it("JSON is one line, notes go to standard error without colours, tables are plain", async () => {
    expect(
      await told((io) => {
        io.json({ a: [1] });
        io.note("\u001b[33mnote\u001b[39m");
        io.table(["a"], [["b"]]);
        io.print(io.paint("red", "c"));
      }),
    ).toEqual({ stdout: '{"a":[1]}\na\nb\nc\n', stderr: "note\n" });
  });

  it("progress is a line at each step, and none for the end of what failed", async () => {
    const steps = async (say: (now: string) => void) => {
      say("half");
      return 7;
    };
    expect(await told((io) => io.progress("Working", steps, (value) => `Done: ${value}`))).toEqual({
      stdout: "",
      stderr: "Working …\n  half\nDone: 7\n",
    });
    const failing = told((io) =>
      io.progress(
        "Working",
        () => Promise.reject(new Error("broken")),
        () => "Done",
      ),
    );
    await expect(failing).rejects.toThrow("broken");
  });

  it("nobody is asked: without --yes it is refused, with it it goes on", async () => {
    const io = createIo();
    await expect(io.confirm("Spend it?", false)).rejects.toMatchObject({
      exit: "refused",
      fix: expect.stringMatching(/--yes/),
    });
    await expect(io.confirm("Spend it?", true)).resolves.toBeUndefined();
  });
});

describe("a question on a terminal", () => {
  let node: FakeNode;
  let dir: string;
  beforeEach(async () => {
    node = await startFakeNode();
    node.answer("GET /healthz", { body: { status: "ok", version: "0.1.0" } });
    node.answer("POST /api/transactions", { status: 422, body: { error: { message: "registered already" } } });
    dir = await mkdtemp(join(tmpdir(), "blindference-edge-io-"));
  });
  afterEach(async () => {
    await node.close();
    await rm(dir, { recursive: true });
  });

  it.each([
    ["Ctrl-C", [CTRL_C], 130, "Stopped. Nothing was done."],
    ["no", ["n"], 4, "error: Nothing was done."],
  ])("that is answered by %s sends nothing, and says so", async (_how, keys, code, message) => {
    const terminal = runOnTerminal(ENTRY, ["register"], node.env, dir);
    await terminal.at("Register the node", ...keys);
    expect(await terminal.ended).toBe(code);
    expect(terminal.screen().trim().split(/\r?\n/).at(-1)).toBe(message);
    expect(node.asked.map(({ path }) => path)).toEqual(["/healthz"]);
  });

  it("that is answered by yes is gone on with", async () => {
    const terminal = runOnTerminal(ENTRY, ["register"], node.env, dir);
    await terminal.at("Register the node", "y", ENTER);
    expect(await terminal.ended).toBe(4);
    expect(node.asked.map(({ path }) => path)).toEqual(["/healthz", "/api/transactions"]);
  });

  it("is not put where standard input is none", async () => {
    expect(await inProcess(["register"], node.env)).toMatchObject({ code: 4, stderr: expect.stringMatching(/--yes/) });
  });
});

it.each([
  [0, "░".repeat(20)],
  [0.5, "█".repeat(10) + "░".repeat(10)],
  [1, "█".repeat(20)],
  [7, "█".repeat(20)],
])("a bar of %d is %s", (part, shown) => {
  expect(bar(part)).toBe(shown);
});
