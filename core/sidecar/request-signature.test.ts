import fc from "fast-check";
import { expect, it } from "vitest";
import { Secret } from "../secret.ts";
import { contentDigest } from "./digest.ts";
import { publicKeyOf, signingKey, verifyingKey } from "./keys.ts";
import { JSON_TYPE } from "./protocol.ts";
import {
  aboutHeaders,
  describeRequest,
  type RequestDescriptor,
  signRequest,
  verifyRequest,
} from "./request-signature.ts";

const seed = new Secret("11".repeat(32));
const nowMs = Date.UTC(2026, 0, 6);
const nonce = "nonce-0123456789";

async function genuine(): Promise<RequestDescriptor> {
  const headers = new Headers({
    "content-type": JSON_TYPE,
    "content-digest": await contentDigest(new Uint8Array(0)),
    ...aboutHeaders({ jobId: "1" }),
  });
  const request = describeRequest("GET", "https://sidecar.example.com/v1/metrics", headers);
  return signRequest(request, signingKey("k", seed), { nowMs, nonce });
}

const keys = async () => [verifyingKey("k", await publicKeyOf(seed))];
const withField = (request: RequestDescriptor, field: string, value: string) => ({
  ...request,
  fields: request.fields.map(({ name, value: before }) => ({ name, value: name === field ? value : before })),
});

it("what was signed is taken", async () => {
  expect(await verifyRequest(await genuine(), await keys(), nowMs)).toEqual({
    ok: true,
    value: { keyId: "k", nonce, createdSec: nowMs / 1000 },
  });
});

it("whatever stands in the signature's fields, the request is refused and nothing breaks", async () => {
  const request = await genuine();
  const known = await keys();
  const valueOfField = (field: string) => request.fields.find(({ name }) => name === field)?.value ?? "";
  const field = fc.constantFrom("signature", "signature-input");
  const piece = fc.oneof(
    fc.string({ maxLength: 12, unit: "binary" }),
    fc.constantFrom(
      ";created=99999999999999999999",
      ";a=?2",
      ";a=:=:",
      "=()",
      ",",
      '"@query-param";name="a"',
      "@1",
      '%"a"',
      ";nonce=1",
    ),
  );
  /** The field with a stretch of it replaced, so that most of it still reads. */
  const change = fc.record({ field, at: fc.nat(400), cut: fc.nat(6), piece });
  await fc.assert(
    fc.asyncProperty(change, async ({ field: name, at, cut, piece: text }) => {
      const before = valueOfField(name);
      const place = at % (before.length + 1);
      const value = before.slice(0, place) + text + before.slice(place + cut);
      fc.pre(value.trim() !== before);
      const verified = await verifyRequest(withField(request, name, value), known, nowMs);
      // What reads the same is the same: `AB==` with other spare bits, or a blank more between two members.
      if (verified.ok) expect(verified.value).toEqual({ keyId: "k", nonce, createdSec: nowMs / 1000 });
      else
        expect(verified.refusal.fault).toMatch(
          /^(empty|malformed|several|algorithm|component|parameter|tag|key|forged|stale)$/,
        );
    }),
    { numRuns: 500 },
  );
});
