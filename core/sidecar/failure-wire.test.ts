import { describe, expect, it } from "vitest";
import { type ErrorCode, NodeError, toFailure } from "../errors.ts";
import { failureToWire, fromWire, REFUSALS, refusalToWire, toWire, wireError } from "./failure-wire.ts";

const asJson = (value: unknown) => wireError.parse(JSON.parse(JSON.stringify(value))).error;

describe("an error on the wire", () => {
  it.each<[ErrorCode, number]>([
    ["sidecar-busy", 503],
    ["internal", 500],
    ["model-unavailable", 502],
    ["cofhe-unavailable", 502],
  ])("that is worth another try is %s: %i", (code, status) => {
    expect(toWire(new NodeError(code, "m", { retry: "later", hint: "h" })).status).toBe(status);
  });

  it("that is certain is 422", () => {
    expect(toWire(new NodeError("signing-refused", "m", { retry: "never", hint: "h" })).status).toBe(422);
  });

  it.each([
    [{ retry: "never", hint: "h" }],
    [{ retry: "later", hint: "h", admitted: "unknown", retryAfterMs: 1_500 }],
    [{ retry: "later", hint: "h", admitted: "yes", retryAfterMs: 0 }],
  ] as const)("comes back as it was: %j", (init) => {
    const error = new NodeError("cofhe-unavailable", "it is away", init);
    const back = fromWire(asJson(toWire(error).body));
    expect(toFailure(back)).toEqual(toFailure(error));
  });

  it("keeps no word of a foreign error", () => {
    const { status, body } = toWire(new TypeError("the prompt was: secret"));
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toContain("secret");
    expect(body.error).toMatchObject({ code: "internal", admitted: "unknown" });
  });

  it("is bounded: its texts, and its time to wait, which is whole", () => {
    const error = new NodeError("internal", "m".repeat(5_000), {
      retry: "later",
      hint: "h".repeat(5_000),
      retryAfterMs: 1e12,
    });
    const wire = asJson({ error: failureToWire(toFailure(error)) });
    expect([wire.message.length, wire.hint.length, wire.retryAfterMs]).toEqual([1_000, 1_000, 3_600_000]);
    expect(
      failureToWire(toFailure(new NodeError("internal", "m", { retry: "later", hint: "h", retryAfterMs: 0.5 })))
        .retryAfterMs,
    ).toBe(1);
  });
});

describe("a refusal of the transport", () => {
  it.each(Object.entries(REFUSALS))(
    "%s becomes the sidecar's error on the Worker's side",
    (code, { becomes, status }) => {
      if (!(code in REFUSALS)) throw new Error(code);
      const reply = refusalToWire(code as keyof typeof REFUSALS, "jobId");
      expect(reply.status).toBe(status);
      const back = fromWire(asJson(reply.body));
      expect([back.code, back.retry]).toEqual([becomes, REFUSALS[code as keyof typeof REFUSALS].retry]);
      expect(back.message).toContain(`(${code})`);
      expect(back.message).toContain("jobId");
    },
  );

  it("of a newer version can still be read", () => {
    const error = { code: "quantum-decay", message: "m", hint: "h", retry: "later", admitted: "no" } as const;
    expect(fromWire(error)).toMatchObject({ code: "sidecar-refused", retry: "later", hint: "h" });
    expect(fromWire(error).message).toBe("the sidecar refuses (quantum-decay): m");
  });

  it("is not looked up among what every object has", () => {
    const error = { code: "constructor", message: "m", hint: "h", retry: "later", admitted: "no" } as const;
    expect(fromWire(error).code).toBe("sidecar-refused");
  });
});
