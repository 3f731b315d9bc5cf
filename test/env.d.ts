/** The Worker's bindings as the workerd tests see them. */
declare namespace Cloudflare {
  interface Env extends Record<string, unknown> {
    NODE: DurableObjectNamespace<import("../workers/index.ts").Node>;
    ASSIGNMENT: DurableObjectNamespace<import("../workers/index.ts").Assignment>;
    DB: D1Database;
    /** Base URL of the service that plays a user in Node. */
    TEST_USER_URL: string;
  }
}
