/**
 * Answers that break off. Whoever serves one over a real connection sends what `cutOf` says and cuts the connection;
 * in process, the body's stream fails at that point.
 */
const cuts = new WeakMap<Response, Uint8Array<ArrayBuffer>>();

/** No answer at all. */
export function cutResponse(): Response {
  const response = new Response(null, { status: 500 });
  cuts.set(response, new Uint8Array(0));
  return response;
}

/** The same answer, whose body breaks off in the middle. */
export async function cutInHalf(answer: Response): Promise<Response> {
  const whole = new Uint8Array(await answer.arrayBuffer());
  const half = whole.slice(0, Math.ceil(whole.length / 2));
  let sent = false;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent) return controller.error(new Error("the answer breaks off"));
      sent = true;
      controller.enqueue(half);
    },
  });
  const response = new Response(body, { status: answer.status, headers: answer.headers });
  response.headers.set("content-length", `${whole.length}`);
  cuts.set(response, half);
  return response;
}

/** What is sent of an answer before the connection is cut; undefined for one that is whole. Empty: not even a status. */
export function cutOf(response: Response): Uint8Array<ArrayBuffer> | undefined {
  return cuts.get(response);
}
