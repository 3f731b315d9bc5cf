/** What a Node object answers while it cannot work. */
import type { Failure } from "../../../core/errors.ts";

export function unconfigured(): Failure {
  return {
    code: "settings",
    message: "the node's settings are incomplete or wrong, or do not hold this node's key",
    hint: "See GET /api/settings for every fault and its fix.",
    retry: "later",
    admitted: "no",
  };
}
