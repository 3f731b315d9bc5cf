import { describe, expect, it } from "vitest";
import { splitBindings, unreachableFrom } from "./bindings.ts";

describe("splitting settings into variables and secrets", () => {
  const kindOf = (name: string, text: string) => {
    const { vars, secrets } = splitBindings({ [name]: text });
    return [...Object.keys(vars).map(() => "variable"), ...Object.keys(secrets).map(() => "secret")].join();
  };

  it.each([
    ["BLF_PRIVATE_KEY", "11".repeat(32), "secret"],
    ["GROQ_API_KEY", "gsk_abc", "secret"],
    ["PINATA_JWT", "eyJ.a.b", "secret"],
    // An alias of it.
    ["BLF_IPFS_UPLOAD_JWT", "eyJ.a.b", "secret"],
    // A provider's key is part of its path.
    ["BLF_RPC_URL", "https://rpc.example/v2/abc", "secret"],
    ["BLF_COFHE_ENDPOINT", "https://rpc.example", "secret"],
    ["PINATA_GATEWAY_URL", "https://gateway.example/ipfs?token=0123456789abcdef0123", "secret"],
    ["PINATA_GATEWAY_URL", "https://gateway.example/ipfs", "variable"],
    ["BLF_ICL_ENDPOINT", "https://icl.example", "variable"],
    ["BLF_ROLES", "verifier", "variable"],
    // No setting: left out, in case it is a mistyped key.
    ["BLF_PRIVATE_KYE", "11".repeat(32), ""],
    ["PATH", "/usr/bin", ""],
    ["BLF_ROLES", "  ", ""],
  ])("makes %s=%s a %s", (name, text, kind) => {
    expect(kindOf(name, text)).toBe(kind);
  });

  it("gives a secret exactly as it was set", () => {
    expect(splitBindings({ GROQ_API_KEY: "gsk_$HOME " }).secrets.GROQ_API_KEY?.reveal()).toBe("gsk_$HOME ");
  });
});

describe("addresses of this machine", () => {
  it.each([
    ["BLF_RPC_URL", "http://127.0.0.1:8545", true],
    ["BLF_RPC_URL", "https://rpc.example/v2/k, http://localhost:8545", true],
    ["OPENAI_BASE_URL", "http://[::1]:8000/v1", true],
    ["BLF_RPC_URL", "https://rpc.example/v2/127.0.0.1", false],
    // Not a setting of the Worker.
    ["BLF_NODE_URL", "http://127.0.0.1:8787", false],
  ])("%s=%s is a fault: %s", (name, text, faulty) => {
    const faults = unreachableFrom({ [name]: text });
    expect(faults.map(({ setting, severity }) => [setting, severity])).toEqual(faulty ? [[name, "fault"]] : []);
  });
});
