import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { genuine, type Sent } from "./forge.ts";
import { openNonceStore } from "./nonce-store.ts";
import { countNonces, createRig, NOW_MS } from "./test-rig.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "blf-nonces-"));
  path = join(folder, "nonces.sqlite");
});
afterEach(() => rmSync(folder, { recursive: true }));

const nowSec = NOW_MS / 1000;
const request = { keyId: "worker-1", nonce: "a", createdSec: nowSec };

it("a nonce is taken once, whoever has the file, and another key's is another nonce", () => {
  const [one, other] = [openNonceStore(path), openNonceStore(path)];
  expect(one.take(request, NOW_MS)).toBe("taken");
  expect(one.take(request, NOW_MS)).toBe("replayed");
  expect(other.take(request, NOW_MS)).toBe("replayed");
  expect(other.take({ ...request, keyId: "worker-2" }, NOW_MS)).toBe("taken");
  expect(other.take({ ...request, nonce: "b" }, NOW_MS)).toBe("taken");
  one.close();
  other.close();
});

it("a restart forgets none", () => {
  const before = openNonceStore(path);
  expect(before.take(request, NOW_MS)).toBe("taken");
  before.close();
  const after = openNonceStore(path);
  expect(after.take(request, NOW_MS + 30_000)).toBe("replayed");
  after.close();
});

it("a request that was captured before the restart is refused by the app after it", async () => {
  const captured: Sent = await genuine();
  const deliver = async (rig: Awaited<ReturnType<typeof createRig>>) => {
    const headers = captured.fields.map(({ name, value }): [string, string] => [name, value]);
    return rig.app.fetch(new Request(captured.targetUri, { method: captured.method, headers, body: captured.body }));
  };
  const before = await createRig({ nonces: openNonceStore(path) });
  expect((await deliver(before)).status).toBe(202);
  before.nonces.close();
  const after = await createRig({ nonces: openNonceStore(path) });
  const reply = await deliver(after);
  expect([reply.status, await reply.json()]).toMatchObject([401, { error: { code: "replayed" } }]);
  expect(after.service.calls).toEqual([]);
  after.nonces.close();
});

it("what is too old to be taken anyway is dropped, so that the file does not grow", () => {
  const store = openNonceStore(path);
  for (let minute = 0; minute < 60; minute++) {
    for (let count = 0; count < 5; count++) {
      const createdSec = nowSec + minute * 60;
      expect(store.take({ ...request, nonce: `${minute}/${count}`, createdSec }, createdSec * 1000)).toBe("taken");
    }
  }
  store.close();
  // Ten minutes of them, and the minute at hand.
  expect(countNonces(path)).toBe(55);
});

it("a clock that is set back opens nothing: what is as old as what was dropped is refused", () => {
  const store = openNonceStore(path);
  expect(store.take(request, NOW_MS)).toBe("taken");
  const hourLater = { ...request, nonce: "b", createdSec: nowSec + 3_600 };
  expect(store.take(hourLater, NOW_MS + 3_600_000)).toBe("taken");
  store.close();
  const after = openNonceStore(path);
  expect(after.take(request, NOW_MS)).toBe("stale");
  expect(after.take({ ...request, nonce: "new" }, NOW_MS)).toBe("stale");
  after.close();
});
