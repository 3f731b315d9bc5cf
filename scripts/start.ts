/** Builds what is needed and runs the devnet's program in this very process: `node scripts/start.ts demo|devnet …`. */
import { whenOrphaned } from "../bin/orphan.js";
import { buildAll } from "./build.ts";

whenOrphaned(() => process.kill(process.pid, "SIGTERM"));

await buildAll();
const { main } = (await import(new URL("../dist/devnet.js", import.meta.url).href)) as {
  main(args: string[]): Promise<number>;
};
process.exit(await main(process.argv.slice(2)));
