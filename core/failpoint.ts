/**
 * Named points between two steps, where a test may hold or kill the node. Each call stands behind
 * `if (__FAILPOINTS__)`, a build-time constant that is false in the release bundle, so that nothing of them is in it
 * (test/unit/failpoints.test.ts). The list of all points, and what must hold at each, is docs/design/failure-points.md.
 */
declare global {
  /** True in test builds only. */
  const __FAILPOINTS__: boolean;
}

/** Resolves when the node may go on. `node` is the address, `jobId` empty where no job is concerned. */
export type FailpointHook = (name: string, about: { node: string; jobId: string }) => Promise<void>;

let hook: FailpointHook | null = null;

export function setFailpointHook(next: FailpointHook | null): void {
  hook = next;
}

/** Tells the hook that this point is reached, and waits for it. */
export async function failpoint(name: string, node: string, jobId = ""): Promise<void> {
  await hook?.(name, { node, jobId });
}
