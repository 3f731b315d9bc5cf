/**
 * The wrangler configuration of one deployment: what wrangler.toml says, with the code as it was built, the database by
 * its id, and the settings that are no secrets. Written to a temporary folder only; no secret is ever part of it.
 */
import { WORKER } from "../local-worker.ts";

export const DEFAULT_NAME: string = WORKER.name;
/** What the platform makes part of a host name. */
export const NAME_PATTERN = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** No option, whatever the command line. */
export const DATABASE_PATTERN = /^[a-z0-9][a-z0-9_-]{0,62}$/;

export interface ConfigInput {
  name: string;
  accountId: string;
  databaseName: string;
  databaseId: string;
  vars: Readonly<Record<string, string>>;
}

/** @returns the content of wrangler.json; the script is `index.js` beside it */
export function wranglerConfig({ name, accountId, databaseName, databaseId, vars }: ConfigInput) {
  const classes = Object.entries(WORKER.durableObjects);
  return {
    name,
    account_id: accountId,
    main: "index.js",
    no_bundle: true,
    find_additional_modules: false,
    compatibility_date: WORKER.compatibilityDate,
    compatibility_flags: WORKER.compatibilityFlags,
    workers_dev: true,
    preview_urls: false,
    durable_objects: { bindings: classes.map(([binding, class_name]) => ({ name: binding, class_name })) },
    exports: Object.fromEntries(
      classes.map(([, className]) => [className, { type: "durable-object", storage: "sqlite" }]),
    ),
    d1_databases: [{ binding: WORKER.database, database_name: databaseName, database_id: databaseId }],
    ratelimits: Object.entries(WORKER.rateLimits).map(([binding, limit]) => ({ name: binding, ...limit })),
    triggers: { crons: [WORKER.cron] },
    observability: { enabled: true },
    vars,
  };
}
