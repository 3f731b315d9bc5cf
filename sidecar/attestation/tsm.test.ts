import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hexToBytes } from "viem/utils";
import { afterEach, describe, expect, it } from "vitest";
import { reportData } from "../../core/attestation/binding.ts";
import type { Bytes } from "../../core/attestation/bytes.ts";
import { verifyEnvelope } from "../../core/attestation/verify.ts";
import { type Clock, systemClock, systemRandom } from "../../core/ports.ts";
import { BINDING, EXPECTED, HOST, NONCE } from "../../test/swtpm/claims.ts";
import { type FakeTsm, FileError, fakeTsm } from "../../test/swtpm/fake-tsm.ts";
import { makeSnpReport, makeTdxQuote } from "../../test/swtpm/reports.ts";
import { claimsFor } from "./host-claims.ts";
import { createTsmAttester } from "./tsm.ts";
import { systemTsmFiles, type TsmFiles, tsmReport } from "./tsm-report.ts";

/** Waits are over at once, but not the limit of a call. */
const clock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => (ms < 60_000 ? Promise.resolve() : systemClock.sleep(ms, signal)),
};
const SEV: FakeTsm = { provider: "sev_guest", report: async (data) => makeSnpReport({ reportData: data }) };
const TDX: FakeTsm = {
  provider: "tdx_guest",
  withoutAuxblob: true,
  report: (data) => makeTdxQuote({ reportData: data }),
};

function attester(backend: "sev" | "tdx", options: FakeTsm) {
  const tsm = fakeTsm(options);
  return { ...tsm, ...createTsmAttester(backend, HOST, { files: tsm.files, base: tsm.base, clock }) };
}

describe.each([
  ["sev", SEV],
  ["tdx", TDX],
] as const)("a guest of %s", (backend, options) => {
  it("quotes what a coordinator accepts, asks the kernel once, and leaves no entry behind", async () => {
    const { quote, asked, left } = attester(backend, options);
    const made = await quote(NONCE, BINDING);
    expect(made.runtimeHash).toBe(HOST.runtimeHash);
    const bytes = hexToBytes(`0x${made.quote}`);
    const verified = await verifyEnvelope(bytes, { ...EXPECTED, backend }, async () => true);
    expect(verified).toMatchObject({ ok: true, value: { tier: 2 } });
    expect(asked).toEqual([await reportData(claimsFor(HOST, BINDING), NONCE)]);
    expect(left()).toEqual([]);
  });

  it("that answers over other data is not believed", async () => {
    const other: FakeTsm = { ...options, report: () => options.report(new Uint8Array(64)) };
    const { quote, left } = attester(backend, other);
    await expect(quote(NONCE, BINDING)).rejects.toThrow("other data than asked for");
    expect(left()).toEqual([]);
  });

  it("that answers with something else than a report is not believed", async () => {
    const other: FakeTsm = { ...options, report: async () => Uint8Array.of(1, 2, 3) };
    await expect(attester(backend, other).quote(NONCE, BINDING)).rejects.toThrow("cannot be read");
  });

  it("refuses a nonce of another length before the kernel is asked", async () => {
    const { quote, asked } = attester(backend, options);
    await expect(quote(new Uint8Array(16), BINDING)).rejects.toMatchObject({ code: "icl-malformed" });
    expect(asked).toEqual([]);
  });
});

it("a guest that may be debugged is refused, with what to do", async () => {
  const sev: FakeTsm = { ...SEV, report: async (data) => makeSnpReport({ reportData: data, policy: 0xb0000n }) };
  await expect(attester("sev", sev).quote(NONCE, BINDING)).rejects.toThrow("debugging allowed");
  const tdx: FakeTsm = { ...TDX, report: (data) => makeTdxQuote({ reportData: data, tdAttributes: 1n }) };
  await expect(attester("tdx", tdx).quote(NONCE, BINDING)).rejects.toThrow("debugging allowed");
});

describe("a report by configfs-tsm", () => {
  const data = Uint8Array.from({ length: 64 }, (_, at) => at);
  const ask = (tsm: { files: TsmFiles; base: string }) =>
    tsmReport({ ...tsm, clock, random: systemRandom }, "sev_guest", data);

  it("comes with the provider's certificates where there are some", async () => {
    const certificates = Uint8Array.of(1, 2, 3);
    expect(await ask(fakeTsm({ ...SEV, certificates }))).toMatchObject({ certificates });
    expect(await ask(fakeTsm(SEV))).toMatchObject({ certificates: null });
  });

  it.each([
    ["before the data is written", "read", "generation", 1],
    ["after the data is written", "read", "generation", 2],
    ["while the report is made", "read", "outblob", 1],
    ["while the certificates are read", "read", "auxblob", 1],
  ] as const)("is asked for again when another program writes %s", async (_name, operation, file, time) => {
    let seen = 0;
    const tsm = fakeTsm({
      ...SEV,
      interfere(done, name, entry) {
        if (done === operation && name === file && ++seen === time) entry.write(new Uint8Array(64));
      },
    });
    const { report } = await ask(tsm);
    expect(report).toEqual(makeSnpReport({ reportData: data }));
    expect(tsm.left()).toEqual([]);
  });

  it("is asked for again when the kernel silently does not take the data", async () => {
    let writes = 0;
    const tsm = fakeTsm({
      ...SEV,
      interfere: (operation) => (operation === "write" && ++writes === 1 ? "swallow" : undefined),
    });
    expect((await ask(tsm)).report).toEqual(makeSnpReport({ reportData: data }));
    expect(writes).toBe(2);
  });

  it.each(["EAGAIN", "EBUSY", "EINTR", "ETIMEDOUT"])("is asked for again when the kernel says %s", async (code) => {
    let reads = 0;
    const tsm = fakeTsm({
      ...SEV,
      interfere(_operation, file) {
        if (file === "outblob" && ++reads < 3) throw new FileError(code);
      },
    });
    expect((await ask(tsm)).report).toEqual(makeSnpReport({ reportData: data }));
    expect(reads).toBe(3);
  });

  it("is given up after five attempts, and may be asked for later", async () => {
    let writes = 0;
    const tsm = fakeTsm({
      ...SEV,
      interfere(operation, _file, entry) {
        if (operation !== "write") return;
        writes++;
        entry.write(new Uint8Array(64));
      },
    });
    await expect(ask(tsm)).rejects.toMatchObject({ retry: "later", message: expect.stringContaining("5 attempts") });
    expect(writes).toBe(5);
    expect(tsm.left()).toEqual([]);
  });

  it("that hangs in the kernel is no longer waited for", async () => {
    const hanging = fakeTsm({ ...SEV, report: () => new Promise<Bytes>(() => undefined) });
    const impatient: Clock = { ...clock, sleep: () => Promise.resolve() };
    const parts = { ...hanging, clock: impatient, random: systemRandom };
    await expect(tsmReport(parts, "sev_guest", data)).rejects.toThrow("no answer within 60 s");
  });

  it.each<[string, Partial<FakeTsm> & { says?: string }, RegExp, RegExp]>([
    [
      "no such folder",
      { base: "/elsewhere", says: "ENOENT" },
      /no such folder/,
      /modprobe sev-guest.*mount -t configfs/,
    ],
    ["no provider", { provider: undefined, says: "ENXIO" }, /no provider/, /modprobe sev-guest/],
    ["no permission", { says: "EACCES" }, /may not make an entry.*EACCES/, /own the folder/],
    ["a read-only mount", { says: "EROFS" }, /may not make an entry.*EROFS/, /writable/],
    ["no memory", { says: "ENOMEM" }, /no entry.*ENOMEM/, /dmesg/],
    ["another technology", { provider: "tdx_guest" }, /is tdx_guest, not sev_guest/, /BLF_ATTESTATION_BACKEND to tdx/],
    ["a technology of tomorrow", { provider: "arm_cca_guest" }, /is arm_cca_guest/, /to mock/],
    ["a provider that names itself with tricks", { provider: "a\u001b[2J" }, /is unknown/, /to mock/],
  ])("says what was looked for and what to do: %s", async (_name, { says, ...options }, message, hint) => {
    const interfere = (operation: string): undefined => {
      if (operation === "mkdir" && says !== undefined) throw new FileError(says);
    };
    const tsm = fakeTsm({ ...SEV, ...options, interfere });
    await expect(ask(tsm)).rejects.toMatchObject({
      code: "settings",
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
    expect(tsm.left()).toEqual([]);
  });

  it("is refused by the kernel with its word for it", async () => {
    const tsm = fakeTsm({ ...SEV, report: () => Promise.reject(new FileError("EIO")) });
    await expect(ask(tsm)).rejects.toMatchObject({ message: expect.stringContaining("EIO"), retry: "later" });
  });
});

describe("the real files", () => {
  const folders: string[] = [];
  afterEach(() => Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true }))));

  it("are made, written in one call, read to their end and removed", async () => {
    const base = await mkdtemp(join(tmpdir(), "blf-tsm-"));
    folders.push(base);
    const large = makeSnpReport().length * 100;
    /** A plain folder has no files of its own: what the kernel does at mkdir, write and rmdir is done by hand. */
    let generation = 0;
    const files: TsmFiles = {
      ...systemTsmFiles,
      async mkdir(path) {
        await mkdir(path);
        await writeFile(join(path, "provider"), "sev_guest\n");
        await writeFile(join(path, "generation"), "0\n");
        await writeFile(join(path, "outblob"), new Uint8Array(large).fill(3));
      },
      async write(path, bytes) {
        await systemTsmFiles.write(path, bytes);
        await writeFile(join(path, "..", "generation"), `${++generation}\n`);
      },
      async rmdir(path) {
        await Promise.all((await readdir(path)).map((file) => rm(join(path, file))));
        await systemTsmFiles.rmdir(path);
      },
    };
    const parts = { files, base, clock: systemClock, random: systemRandom };
    const { report, certificates } = await tsmReport(parts, "sev_guest", new Uint8Array(64));
    expect(report).toHaveLength(large);
    expect(certificates).toBeNull();
    expect(await readdir(base)).toEqual([]);
  });

  it("that are not there say so", async () => {
    const base = join(tmpdir(), "blf-tsm-not-there");
    await expect(createTsmAttester("sev", HOST, { base }).quote(NONCE, BINDING)).rejects.toThrow("no such folder");
  });
});
