/**
 * The constants of the wire between Worker and sidecar: what every request and every response carries and signs. A
 * request covers all of `COVERED`, always: a header that does not apply is sent as `ABSENT`, so that none can be added,
 * dropped or exchanged on the way. A response covers its request's components too, and names the request's nonce.
 */

/** In every path. Raised when a field changes its meaning. */
export const PROTOCOL_VERSION = 1;

/** Of both signatures: keeps them apart from every other use of RFC 9421. */
export const TAG = "blf-sidecar/1";
/** Of the one signature in each message. */
export const LABEL = "blf";

/** EIP-55 address of the node that a request is about. */
export const NODE_HEADER = "blf-node";
/** The job, percent-encoded as in a path: ids are opaque and may hold any character. */
export const JOB_HEADER = "blf-job";
/** How often the Worker has tried this, from 1; for the sidecar's log. */
export const ATTEMPT_HEADER = "blf-attempt";
/** Stands for "does not apply". No address, number or percent-encoded id holds an @. */
export const ABSENT = "@none";

export const COVERED = [
  "@method",
  "@authority",
  "@path",
  "@query",
  "content-digest",
  "content-type",
  NODE_HEADER,
  JOB_HEADER,
  ATTEMPT_HEADER,
] as const;

/** How far apart the two clocks may be, and how long a request is good for. */
export const SKEW_SEC = 60;
/** 128 bits, so that no two requests ever meet. */
export const NONCE_BYTES = 16;

export const JSON_TYPE = "application/json";
