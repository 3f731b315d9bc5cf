/** Who may use the node's API, what it logs, and what only the command line reads. */
import type { LogLevel } from "../ports.ts";
import { defaulted, optional, textTo } from "./setting.ts";
import { readAccessToken, readChoice, readPassword, readText } from "./text.ts";

/** At 4 bits a character still 64 bits, which no one guesses over HTTP. */
const TOKEN_MIN = 16;

const LEVELS: Readonly<Record<string, LogLevel>> = {
  debug: "debug",
  info: "info",
  warn: "warn",
  warning: "warn",
  error: "error",
};

export const apiShape = {
  BLF_ADMIN_TOKEN: optional(textTo(readAccessToken(TOKEN_MIN)), {
    description: `Bearer token for the API, at least ${TOKEN_MIN} characters. Without it the API stays closed.`,
    fix: "Make one with `openssl rand -hex 32`.",
    secret: true,
  }),
  BLF_SPEND_TOKEN: optional(textTo(readAccessToken(TOKEN_MIN)), {
    description:
      "A second token, for transactions through the API. Without it the API stays closed. Must differ from the first.",
    fix: "Make another one with `openssl rand -hex 32`.",
    secret: true,
  }),
  BLF_LOG_LEVEL: defaulted(textTo(readChoice(LEVELS)), "INFO", {
    description: "`DEBUG`, `INFO`, `WARN` (or `WARNING`) or `ERROR`, in any case.",
    fix: "Set BLF_LOG_LEVEL to DEBUG, INFO, WARN or ERROR.",
  }),
  BLF_CONFIG_DIR: defaulted(textTo(readText(4096)), "./", {
    description: "Command line only: folder of its files.",
    fix: "Write a folder's path.",
  }),
  BLF_KEYSTORE: defaulted(textTo(readText(4096)), "./keystore.json", {
    description: "Command line only: the encrypted keystore file.",
    fix: "Write the keystore file's path.",
  }),
  BLF_KEY_PASSWORD: optional(textTo(readPassword), {
    description: "Command line only: password of the keystore file.",
    fix: "Write the password that the keystore was made with.",
    secret: true,
  }),
};
