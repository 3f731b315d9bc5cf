/** Stands for `cloudflare:workers`: what a Durable Object class inherits. */
export class DurableObject<E = unknown> {
  readonly ctx: unknown;
  readonly env: E;
  constructor(ctx: unknown, env: E) {
    this.ctx = ctx;
    this.env = env;
  }
}
