/** Random texts to look for. They are long enough to be met nowhere by chance, and every encoding carries them as they are. */
import { randomBytes } from "node:crypto";

export function token(): string {
  return randomBytes(18).toString("hex");
}
