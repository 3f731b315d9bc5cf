/** The Worker's bindings. Settings and secrets are plain strings beside them, read by core/settings. */
import type { Assignment } from "./objects/assignment.ts";
import type { Node } from "./objects/node.ts";

export interface Env {
  NODE: DurableObjectNamespace<Node>;
  ASSIGNMENT: DurableObjectNamespace<Assignment>;
  DB: D1Database;
  [setting: string]: unknown;
}
