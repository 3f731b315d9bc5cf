/**
 * The commit guard as a file, so that a node can move between deployments without ever committing twice; the idea is
 * validators' slashing-protection interchange (EIP-3076). Everything about a file is checked before any of it is used.
 * A job may be listed with several commitments: that is how a dispute moves along with the node.
 */
import { getAddress, isAddress } from "viem";
import * as z from "zod";
import { assignment } from "../icl/schema.ts";
import { ok, type Result, refuse } from "../result.ts";

export const GUARD_FORMAT = "blindference-commit-guard";
export const GUARD_VERSION = 1;
/** Of one node in one file: at about 300 bytes each they stay below the 8 MiB that an import takes. */
export const GUARD_ENTRIES_MAX = 25_000;

const commitment = z.strictObject({
  /** What could never have been recorded is refused: the same rule as for an assignment. */
  jobId: assignment.shape.jobId,
  role: z.enum(["leader", "verifier"]),
  commitment: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lowercase hex digits"),
  outputCid: z.string().min(1).max(512),
  /** When it was recorded, ms since the epoch. */
  at: z.int().min(0).max(8.64e15),
});
export type GuardCommitment = z.infer<typeof commitment>;

const header = z.object({
  metadata: z.object({ format: z.string(), version: z.number(), exportedAt: z.string().max(64).optional() }),
});

const contents = z.object({
  data: z
    .array(
      z.strictObject({
        node: z
          .string()
          .max(42)
          .refine((text) => isAddress(text), "must be an address, in lower case or with a right checksum")
          .transform((text) => getAddress(text)),
        commitments: z.array(commitment).max(GUARD_ENTRIES_MAX),
      }),
    )
    .max(1_000),
});

export interface GuardFile {
  metadata: { format: typeof GUARD_FORMAT; version: typeof GUARD_VERSION; exportedAt: string };
  data: { node: string; commitments: GuardCommitment[] }[];
}

export function writeGuardFile(data: GuardFile["data"], nowMs: number): GuardFile {
  const exportedAt = new Date(nowMs).toISOString();
  return { metadata: { format: GUARD_FORMAT, version: GUARD_VERSION, exportedAt }, data };
}

/** Refuses what is no such file, with the field at fault. Format and version come first: another one may look different. */
export function readGuardFile(json: unknown): Result<GuardFile["data"], string> {
  const head = header.safeParse(json);
  if (!head.success) return refuse(problem(head.error));
  const { format, version } = head.data.metadata;
  if (format !== GUARD_FORMAT) return refuse(`metadata.format: must be ${GUARD_FORMAT}`);
  if (version !== GUARD_VERSION) {
    return refuse(`metadata.version: this version of the node reads ${GUARD_VERSION}, not ${version}`);
  }
  const parsed = contents.safeParse(json);
  return parsed.success ? ok(parsed.data.data) : refuse(problem(parsed.error));
}

function problem({ issues: [issue] }: z.ZodError): string {
  return `${issue?.path.join(".") || "the body"}: ${issue?.message ?? "is not a guard file"}`;
}
