/**
 * A value that cannot be logged, serialised or concatenated by accident. `reveal()` is the only way to it, so every
 * use of a secret can be found by searching for that word.
 */
const REDACTED = "[redacted]";

export class Secret<T extends string = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  /** Node's `util.inspect` and workerd's console honour this symbol. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return REDACTED;
  }
}
