/**
 * Reading and writing the binary structures of attestation. A reader never goes beyond its bytes and can be asked that
 * nothing is left over. Everything malformed throws `MalformedEvidence`, which verifiers turn into a refusal: the bytes
 * come from strangers, so no input may throw anything else.
 */

export type Bytes = Uint8Array<ArrayBuffer>;

/** Evidence that does not have the form it claims. The message names the structure and never repeats its content. */
export class MalformedEvidence extends Error {
  override readonly name = "MalformedEvidence";
}

/** TPM structures are big-endian, event logs and SEV and TDX reports little-endian. */
export type Endianness = "big" | "little";

export class ByteReader {
  readonly #bytes: Bytes;
  readonly #view: DataView;
  readonly #little: boolean;
  readonly #what: string;
  #at = 0;

  /** @param what the structure's name, for the message */
  constructor(bytes: Uint8Array, endianness: Endianness, what: string) {
    this.#bytes = Uint8Array.from(bytes);
    this.#view = new DataView(this.#bytes.buffer);
    this.#little = endianness === "little";
    this.#what = what;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  get position(): number {
    return this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), this.#little);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), this.#little);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), this.#little);
  }

  take(length: number): Bytes {
    const from = this.#advance(length);
    return this.#bytes.slice(from, from + length);
  }

  /** A TPM2B: two bytes of length, then that many. */
  sized(maxBytes: number): Bytes {
    const length = this.u16();
    if (length > maxBytes) throw new MalformedEvidence(`${this.#what}: a field is longer than ${maxBytes} bytes`);
    return this.take(length);
  }

  /** Refuses bytes left over. */
  end(): void {
    if (this.left !== 0) throw new MalformedEvidence(`${this.#what}: ${this.left} bytes too many`);
  }

  #advance(length: number): number {
    if (length > this.left) throw new MalformedEvidence(`${this.#what}: cut short`);
    const from = this.#at;
    this.#at += length;
    return from;
  }
}

export function concat(...parts: readonly Uint8Array[]): Bytes {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Big-endian. */
export function u16(value: number): Bytes {
  const bytes = new Uint8Array(2);
  new DataView(bytes.buffer).setUint16(0, value);
  return bytes;
}

/** Big-endian. */
export function u32(value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** Big-endian. */
export function u64(value: bigint): Bytes {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

/** A TPM2B. */
export function sized(bytes: Uint8Array): Bytes {
  return concat(u16(bytes.length), bytes);
}

/** Not for secrets: it takes as long as the common beginning. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

export function toBase64(bytes: Uint8Array): string {
  const chunk = 0x8000;
  let text = "";
  for (let at = 0; at < bytes.length; at += chunk) text += String.fromCharCode(...bytes.subarray(at, at + chunk));
  return btoa(text);
}

/** Throws MalformedEvidence for anything but the one canonical text of some bytes. */
export function fromBase64(text: string): Bytes {
  try {
    const binary = atob(text);
    if (btoa(binary) === text) return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    // Falls through to the refusal.
  }
  throw new MalformedEvidence("a field is no base64");
}
