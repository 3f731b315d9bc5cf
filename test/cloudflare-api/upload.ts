/**
 * Reads a script upload: multipart form data with `metadata` and one part a module. Refuses what the platform would refuse
 * (no main module, a binding without its class or database) and everything that it does not know, so that a new field
 * does not pass unseen.
 */
import * as z from "zod";
import type { Account, Upload } from "./account.ts";

/** How a call fails: the API's own number and words. */
export class ApiRefusal extends Error {
  readonly status: number;
  readonly code: number;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const name = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/);
const binding = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("durable_object_namespace"), name, class_name: z.string() }),
  z.strictObject({ type: z.literal("d1"), name, id: z.string() }),
  z.strictObject({
    type: z.literal("ratelimit"),
    name,
    namespace_id: z.string(),
    simple: z.strictObject({ limit: z.number(), period: z.union([z.literal(10), z.literal(60)]) }),
  }),
  z.strictObject({ type: z.literal("plain_text"), name, text: z.string() }),
  z.strictObject({ type: z.literal("secret_text"), name, text: z.string().max(5120) }),
]);
const metadata = z.strictObject({
  main_module: z.string(),
  bindings: z.array(binding),
  exports: z.record(z.string(), z.strictObject({ type: z.literal("durable-object"), storage: z.literal("sqlite") })),
  compatibility_date: z.iso.date(),
  compatibility_flags: z.array(z.string()),
  keep_bindings: z.array(z.string()),
  observability: z.unknown(),
  // What a checkout has in its package.json; for the platform's statistics.
  package_dependencies: z.array(z.unknown()).optional(),
  code_update_strategy: z
    .strictObject({ mode: z.enum(["immediate", "deferred"]), max_delay: z.number().optional() })
    .optional(),
});

/** Throws ApiRefusal. */
export async function readUpload(account: Account, form: FormData): Promise<Upload> {
  const described = form.get("metadata");
  if (described === null) throw new ApiRefusal(400, 10021, "No metadata");
  const text = typeof described === "string" ? described : await described.text();
  const parsed = metadata.safeParse(JSON.parse(text));
  if (!parsed.success) throw new ApiRefusal(400, 10021, `metadata: ${z.prettifyError(parsed.error)}`);
  const { data } = parsed;
  const modules: Upload["modules"] = new Map();
  for (const [part, value] of form) {
    if (part === "metadata" || typeof value === "string") continue;
    modules.set(part, { type: value.type, bytes: Buffer.from(await value.arrayBuffer()) });
  }
  if (!modules.has(data.main_module)) throw new ApiRefusal(400, 10021, `No such module ${data.main_module}`);
  for (const one of data.bindings) {
    if (one.type === "durable_object_namespace" && data.exports[one.class_name] === undefined) {
      throw new ApiRefusal(400, 10061, `Cannot bind ${one.name}: no class ${one.class_name} is exported`);
    }
    if (one.type === "d1" && !account.databases.some(({ uuid }) => uuid === one.id)) {
      throw new ApiRefusal(400, 10021, `binding ${one.name} of type d1 must have a valid \`id\` specified`);
    }
  }
  return {
    mainModule: data.main_module,
    modules,
    bindings: data.bindings,
    exports: data.exports,
    compatibilityDate: data.compatibility_date,
    compatibilityFlags: data.compatibility_flags,
    keepBindings: data.keep_bindings,
    observability: data.observability,
    codeUpdate: data.code_update_strategy?.mode ?? "deferred",
  };
}
