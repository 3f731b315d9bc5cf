import { describe, expect, it } from "vitest";
import vectors from "../../test/vectors/blindference-0.3.5.json" with { type: "json" };
import { answerDigest, commitment, commitmentFromDigest, normalizeOutput } from "./commitment.ts";
import { sha256Hex } from "./sha256.ts";

const CASES = vectors.commitment.map((vector) => [JSON.stringify(vector.output_text).slice(0, 40), vector] as const);

describe("a commitment", () => {
  it.each(CASES)("to %s is the network's", async (_text, vector) => {
    expect(normalizeOutput(vector.output_text)).toBe(vector.normalized);
    expect(await commitment(vector.output_cid, vector.output_text)).toBe(vector.commitment);
  });

  it.each(CASES)("to %s needs only the answer's digest", async (_text, vector) => {
    const digest = await answerDigest(vector.output_text);
    expect(digest).toBe(await sha256Hex(vector.normalized));
    expect(await commitmentFromDigest(vector.output_cid, digest)).toBe(vector.commitment);
    expect(await commitmentFromDigest(vector.output_cid, digest.toUpperCase())).toBe(vector.commitment);
  });

  it.each(["", "ab", `0x${"a".repeat(64)}`, "g".repeat(64), "a".repeat(65)])(
    "refuses the digest %j",
    async (digest) => {
      await expect(commitmentFromDigest("cid", digest)).rejects.toThrow(RangeError);
    },
  );
});

describe("normalizeOutput", () => {
  it("takes exactly Python's 29 characters for whitespace, wherever they stand", () => {
    const taken: number[] = [];
    for (let code = 0; code <= 0xffff; code++) {
      const character = String.fromCharCode(code);
      const normalized = normalizeOutput(`${character}a${character}${character}b${character}`);
      if (normalized === "a b") taken.push(code);
      else if (normalized !== `${character}a${character}${character}b${character}`)
        throw new Error(`U+${code.toString(16)}`);
    }
    // str.isspace() over the whole BMP, CPython 3.11.
    const expected =
      "9 a b c d 1c 1d 1e 1f 20 85 a0 1680 2000 2001 2002 2003 2004 2005 2006 2007 2008 2009 200a 2028 2029 202f 205f 3000";
    expect(taken.map((code) => code.toString(16)).join(" ")).toBe(expected);
  });

  it("is done in linear time on whitespace that never ends", () => {
    const text = ` ${"\u2003 ".repeat(500_000)}x`;
    const startedMs = performance.now();
    expect(normalizeOutput(text)).toBe("x");
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });
});
