/**
 * A provider that behaves as Linux's configfs-tsm does (drivers/virt/coco: the ABI of configfs-tsm-report): an entry has its files
 * as soon as it is made, every write counts up its generation, `outblob` is made anew when it is older than the last write, a
 * failed write of `inblob` is not reported, and removing an entry takes its files along.
 */
import { join } from "node:path";
import type { Bytes } from "../../core/attestation/bytes.ts";
import type { TsmFiles } from "../../sidecar/attestation/tsm-report.ts";

export class FileError extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

interface Entry {
  generation: number;
  inblob: Uint8Array;
  made?: { generation: number; report: Bytes };
}

export interface FakeTsm {
  base?: string;
  /** No provider registered when undefined. */
  provider?: string | undefined;
  /** Makes the report over the data. */
  report(data: Uint8Array): Promise<Bytes>;
  certificates?: Bytes;
  /** No `auxblob` at all, as for TDX. */
  withoutAuxblob?: boolean;
  /** Called before each operation on an entry; may throw, write to the entry as another program would, or swallow a write. */
  interfere?(
    operation: "mkdir" | "read" | "write",
    file: string,
    entry: { write(bytes: Uint8Array): void },
  ): "swallow" | undefined;
}

const MAX_INBLOB_BYTES = 64;

export function fakeTsm(options: FakeTsm) {
  const { base = "/fake/tsm/report" } = options;
  const entries = new Map<string, Entry>();
  const asked: Uint8Array[] = [];

  function writer(entry: Entry) {
    return {
      write(bytes: Uint8Array) {
        entry.inblob = bytes;
        entry.generation++;
      },
    };
  }

  function find(path: string): { entry: Entry; file: string } {
    const at = path.lastIndexOf("/");
    const entry = entries.get(path.slice(0, at));
    if (entry === undefined) throw new FileError("ENOENT");
    return { entry, file: path.slice(at + 1) };
  }

  async function outblob(entry: Entry): Promise<Bytes> {
    if (entry.inblob.length === 0) throw new FileError("EINVAL");
    if (entry.made?.generation !== entry.generation) {
      asked.push(entry.inblob);
      entry.made = { generation: entry.generation, report: await options.report(entry.inblob) };
    }
    return entry.made.report;
  }

  const files: TsmFiles = {
    async mkdir(path) {
      const entry = { generation: 0, inblob: new Uint8Array() };
      options.interfere?.("mkdir", path, writer(entry));
      if (path.slice(0, path.lastIndexOf("/")) !== base) throw new FileError("ENOENT");
      if (!("provider" in options) || options.provider === undefined) throw new FileError("ENXIO");
      if (entries.has(path)) throw new FileError("EEXIST");
      entries.set(path, entry);
    },
    async rmdir(path) {
      if (!entries.delete(path)) throw new FileError("ENOENT");
    },
    async read(path) {
      const { entry, file } = find(path);
      options.interfere?.("read", file, writer(entry));
      switch (file) {
        case "provider":
          return encode(`${options.provider}\n`);
        case "generation":
          return encode(`${entry.generation}\n`);
        case "outblob":
          return outblob(entry);
        case "auxblob":
          if (options.withoutAuxblob) throw new FileError("ENOENT");
          await outblob(entry);
          return options.certificates ?? new Uint8Array();
        default:
          throw new FileError("ENOENT");
      }
    },
    async write(path, bytes) {
      const { entry, file } = find(path);
      if (file !== "inblob") throw new FileError("EACCES");
      if (options.interfere?.("write", file, writer(entry)) === "swallow") return;
      if (bytes.length > MAX_INBLOB_BYTES) throw new FileError("EFBIG");
      writer(entry).write(bytes);
    },
  };
  return { files, base, asked, left: () => [...entries.keys()].map((path) => join(path)) };
}

function encode(text: string): Bytes {
  return new TextEncoder().encode(text);
}
