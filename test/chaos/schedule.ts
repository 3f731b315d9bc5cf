/** Which kills a run makes, in order: every failure point once as far as the number goes, the rest at random moments. */
import { type FailurePoint, POINTS } from "./points.ts";
import { seeded } from "./random.ts";

export interface Kill {
  /** Null: at a random moment. */
  point: FailurePoint | null;
  /** Which node, where the moment does not decide it. */
  node: number;
  /** Before a random kill, ms. */
  afterMs: number;
  /** How long the node stays down, ms. */
  downMs: number;
}

/** Of a run that is too short for every point, this share of the kills is at points. */
const POINTS_SHARE = 0.7;
const AFTER_MAX_MS = 3_000;
const DOWN_MAX_MS = 3_000;

export function scheduleOf(seed: number, kills: number, nodes: number): Kill[] {
  const random = seeded(seed);
  const atPoints = Math.min(POINTS.length, kills >= POINTS.length ? POINTS.length : Math.ceil(kills * POINTS_SHARE));
  const points: (FailurePoint | null)[] = random.shuffled(POINTS).slice(0, atPoints);
  const all = random.shuffled([...points, ...Array.from({ length: kills - atPoints }, () => null)]);
  return all.map((point) => ({
    point,
    node: random.below(nodes),
    afterMs: Math.floor(random.next() * AFTER_MAX_MS),
    // A third of them comes back at once.
    downMs: Math.max(0, Math.floor((random.next() * 1.5 - 0.5) * DOWN_MAX_MS)),
  }));
}
