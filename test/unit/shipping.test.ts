/** What ships beside the program names settings, files and ports that exist, and holds no secret. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { sidecarSchema } from "../../core/settings/schema.ts";
import { SETTING_NAMES } from "../../core/settings/settings.ts";
import { SIDECAR_SETTING_NAMES } from "../../core/settings/sidecar.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const FILES = [
  "Dockerfile",
  "deploy/docker-compose.yml",
  "deploy/sidecar.env.example",
  "deploy/blindference-edge-sidecar.service",
  "deploy/cloudflared.example.yml",
  "docs/operate/sidecar.md",
];
const read = (file: string) => readFileSync(join(root, file), "utf8");
const known = new Set<string>([...SETTING_NAMES, ...SIDECAR_SETTING_NAMES, "BLF_CONFIG_DIR"]);

describe.each(FILES)("%s", (file) => {
  const text = read(file);

  it("names settings that exist", () => {
    const named = [...text.matchAll(/\bBLF_[A-Z_]+\b/g)].map(([name]) => name).filter((name) => !name.endsWith("_"));
    expect([...new Set(named)].filter((name) => !known.has(name))).toEqual([]);
  });

  it("holds no key", () => {
    expect(text).not.toMatch(/\b(?:0x)?[0-9a-f]{64}\b/i);
  });

  it("speaks of the port that the sidecar listens on", () => {
    const { BLF_SIDECAR_PORT: port } = sidecarSchema.parse({});
    const ports = [...text.matchAll(/(?:127\.0\.0\.1:|BLF_SIDECAR_PORT=|EXPOSE )(\d{4,5})/g)].map(([, found]) => found);
    // 8000 is vLLM's.
    expect(ports.filter((found) => found !== "8000" && found !== String(port))).toEqual([]);
  });
});

describe("the image", () => {
  const text = read("Dockerfile");

  it("copies what a checkout or an earlier stage has", () => {
    const sources = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = ""]) => names.split(" "));
    expect(sources.length).toBeGreaterThan(0);
    expect(sources.filter((name) => name !== "." && !existsSync(join(root, name)))).toEqual([]);
    const built = [...text.matchAll(/^COPY --from=\w+ (.+) \S+$/gm)].flatMap(([, names = ""]) => names.split(" "));
    const made = ["node_modules", "package.json", "package-lock.json", "bin", "dist"].map((name) => `/app/${name}`);
    expect(built.toSorted()).toEqual(made.toSorted());
  });

  it("runs as a user without rights, and the program takes the signals", () => {
    expect(text).toMatch(/^USER node$/m);
    expect(text).toMatch(/^ENTRYPOINT \["node", "dist\/sidecar\.js"\]$/m);
  });

  it("takes no settings file, keystore or state of the operator's along", () => {
    const ignored = read(".dockerignore").split("\n");
    for (const name of ["**/.env", "**/*.env", "**/keystore.json", "**/secrets.json", "**/*.sqlite*", ".git"]) {
      expect(ignored).toContain(name);
    }
  });
});

describe("the unit and the compose file", () => {
  it("start the built program, and name files of the checkout", () => {
    const unit = read("deploy/blindference-edge-sidecar.service");
    expect(unit).toMatch(/^ExecStart=\/opt\/blindference-edge\/node_modules\/node\/bin\/node dist\/sidecar\.js$/m);
    expect(existsSync(join(root, "docs/operate/sidecar.md"))).toBe(true);
    expect(read("deploy/docker-compose.yml")).toMatch(/context: \.\.$/m);
  });

  it("give it no right to write but to its state, and no new rights", () => {
    const unit = read("deploy/blindference-edge-sidecar.service");
    for (const line of ["DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet="]) {
      expect(unit.split("\n")).toContain(line);
    }
    const sidecar = read("deploy/docker-compose.yml").split("\n  sidecar:\n")[1]?.split("\n  cloudflared:\n")[0] ?? "";
    for (const line of ["read_only: true", "cap_drop: [ALL]", 'security_opt: ["no-new-privileges:true"]']) {
      expect(sidecar).toContain(line);
    }
    expect(sidecar).not.toMatch(/^ {4}ports:/m);
  });
});
