/** Reads a request's body, as many bytes as are allowed and no more; what counts is what arrives, not what is announced. */

export async function readAtMost(
  stream: ReadableStream<Uint8Array> | null,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | "too-large" | "broken"> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  if (stream !== null) {
    const reader = stream.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        length += value.byteLength;
        if (length > maxBytes) {
          await reader.cancel().catch(() => undefined);
          return "too-large";
        }
        chunks.push(value);
      }
    } catch {
      return "broken";
    }
  }
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}
