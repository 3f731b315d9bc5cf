import { describe, expect, it } from "vitest";
import { makeSnpReport, p384Key } from "../../test/swtpm/reports.ts";
import { MalformedEvidence } from "./bytes.ts";
import { parseSnpReport, SNP_REPORT_BYTES, verifySnpSignature } from "./sev-report.ts";

const filled = (length: number, byte: number) => new Uint8Array(length).fill(byte);
const REPORT = makeSnpReport();

describe("an SEV-SNP report", () => {
  it("is read field by field at the offsets of AMD's specification", () => {
    expect(parseSnpReport(REPORT)).toMatchObject({
      version: 3,
      guestSvn: 0x01020304,
      policy: 0x30000n,
      debugAllowed: false,
      migrationAgentAllowed: false,
      familyId: filled(16, 0x10),
      imageId: filled(16, 0x20),
      vmpl: 1,
      currentTcb: { bootLoader: 1, tee: 2, snp: 7, microcode: 8 },
      platformInfo: 0x25n,
      authorKey: true,
      maskedChipKey: false,
      signingKey: "vlek",
      reportData: filled(64, 0x50),
      measurement: filled(48, 0x90),
      hostData: filled(32, 0xc0),
      idKeyDigest: filled(48, 0xe0),
      authorKeyDigest: filled(48, 0x11),
      reportId: filled(32, 0x14),
      reportIdMa: filled(32, 0x16),
      reportedTcb: { bootLoader: 11, tee: 12, snp: 17, microcode: 18 },
      cpu: { family: 0x19, model: 0x11, stepping: 1 },
      chipId: filled(64, 0x1a),
      committedTcb: { bootLoader: 21, tee: 22, snp: 27, microcode: 28 },
      currentFirmware: { build: 1, minor: 2, major: 3 },
      committedFirmware: { build: 4, minor: 5, major: 6 },
      launchTcb: { bootLoader: 31, tee: 32, snp: 37, microcode: 38 },
    });
  });

  it("of version 2 names no processor", () => {
    expect(parseSnpReport(makeSnpReport({ version: 2 })).cpu).toBeNull();
  });

  it("of a Turin processor has its TCB in another order", () => {
    const report = parseSnpReport(makeSnpReport({ family: 0x1a }));
    expect(report.currentTcb).toEqual({ fmc: 1, bootLoader: 2, tee: 3, snp: 4, microcode: 8 });
  });

  it.each([
    ["debugging", 1n << 19n, { debugAllowed: true, migrationAgentAllowed: false }],
    ["a migration agent", 1n << 18n, { debugAllowed: false, migrationAgentAllowed: true }],
  ])("tells that its policy allows %s", (_name, bit, expected) => {
    expect(parseSnpReport(makeSnpReport({ policy: 0x30000n | bit }))).toMatchObject(expected);
  });

  it.each([0, SNP_REPORT_BYTES - 1, SNP_REPORT_BYTES + 1])("of %i bytes is refused", (length) => {
    expect(() => parseSnpReport(new Uint8Array(length))).toThrow(MalformedEvidence);
  });

  it.each([0, 1, 6])("of version %i is refused", (version) => {
    expect(() => parseSnpReport(makeSnpReport({ version }))).toThrow(MalformedEvidence);
  });

  it("with another signature's algorithm, or a number that is too large, is refused", () => {
    const algorithm = REPORT.slice();
    algorithm[0x34] = 2;
    expect(() => parseSnpReport(algorithm)).toThrow(MalformedEvidence);
    const number = REPORT.slice();
    number[0x2a0 + 71] = 1;
    expect(() => parseSnpReport(number)).toThrow(MalformedEvidence);
  });
});

describe("an SEV-SNP report's signature", () => {
  it("is accepted by the key that made it and by no other, and covers everything before it", async () => {
    const key = await p384Key();
    const signed = await key.sign(REPORT);
    expect(await verifySnpSignature(signed, key.point)).toBe(true);
    expect(await verifySnpSignature(signed, (await p384Key()).point)).toBe(false);
    for (let at = 8; at < 0x2a0; at += 5) {
      const changed = signed.map((byte, index) => (index === at && at !== 0x34 ? byte ^ 1 : byte));
      if (at < 0x34 || at > 0x37) expect(await verifySnpSignature(changed, key.point)).toBe(false);
    }
  });

  it("is refused by a key that is none", async () => {
    expect(await verifySnpSignature(REPORT, new Uint8Array(97))).toBe(false);
  });
});
