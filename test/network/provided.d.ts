/** What the set-up of the workerd tests hands to the tests. */
import "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** Base URL of the test's own service. */
    rigUrl: string;
  }
}
