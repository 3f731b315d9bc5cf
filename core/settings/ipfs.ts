/** Where prompts come from and where answers go. */
import { defaulted, optional, textTo } from "./setting.ts";
import { readToken } from "./text.ts";
import { readUrl } from "./url.ts";

export const ipfsShape = {
  PINATA_JWT: optional(textTo(readToken), {
    description: "Pinata token that pins a leader's answers. A verifier needs none.",
    fix: "Set PINATA_JWT to a token with the scope pinFileToIPFS from https://app.pinata.cloud/developers/api-keys.",
    secret: true,
    aliases: ["BLF_IPFS_UPLOAD_JWT"],
  }),
  PINATA_API_URL: defaulted(textTo(readUrl), "https://api.pinata.cloud", {
    description: "Base URL of the pinning service.",
    fix: "Write an https URL, or remove it for the default.",
  }),
  PINATA_GATEWAY_URL: defaulted(textTo(readUrl), "https://ipfs.io/ipfs", {
    description: "The IPFS gateway to ask first; public ones follow.",
    fix: "Write the gateway's https URL, or remove it for the default.",
    aliases: ["BLF_IPFS_GATEWAY"],
  }),
};
