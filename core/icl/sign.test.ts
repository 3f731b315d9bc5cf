import { toAccount } from "viem/accounts";
import { describe, expect, it } from "vitest";
import vectors from "../../test/vectors/blindference-0.3.5.json" with { type: "json" };
import { Secret } from "../secret.ts";
import { localSigner } from "../signer.ts";
import { authHeaders } from "./sign.ts";

const CASES = vectors.icl_auth.cases.map((vector) => [vector.body_json ?? "no body", vector] as const);

describe("signed headers", () => {
  it.each(CASES)("are the network's for %s", async (_name, vector) => {
    const signer = localSigner(new Secret(vector.private_key as `0x${string}`));
    const body = vector.body_json ?? "";
    expect(`${body}${vector.timestamp}`).toBe(vector.signed_text);
    expect(await authHeaders(signer, body, Number(vector.timestamp))).toEqual(vector.headers);
  });

  it("cut a fraction of a second off", async () => {
    const signed: unknown[] = [];
    const account = {
      address: "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A",
      signMessage: async ({ message }: { message: unknown }) => {
        signed.push(message);
        return "0x00" as const;
      },
    } as const;
    expect(await authHeaders(account, "{}", 1700000000.999)).toMatchObject({ "X-Timestamp": "1700000000" });
    expect(signed).toEqual(["{}1700000000"]);
  });

  it("spell the address as EIP-55 does, even where the account does not", async () => {
    const account = toAccount({
      address: "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a",
      signMessage: async () => "0x00",
      signTransaction: async () => "0x00",
      signTypedData: async () => "0x00",
    });
    const headers = await authHeaders(account, "", 1);
    expect(headers["X-Node-Address"]).toBe("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A");
  });
});
