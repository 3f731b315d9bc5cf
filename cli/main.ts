/** The operator's command, `blindference-edge`, as a process. */
import { execute } from "./execute.ts";
import { EXIT_CODES } from "./exit-codes.ts";

// Whoever reads may have read enough: `blindference-edge logs --follow | head`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(EXIT_CODES.ok.code);
});

const code = await execute(process.argv.slice(2));
if (code !== EXIT_CODES.ok.code) process.exitCode = code;
