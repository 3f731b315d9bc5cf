/** The Workers' platform compares in constant time under another name than Node. Stands in until undone. */
import { timingSafeEqual } from "node:crypto";

export function provideTimingSafeEqual(): () => void {
  const before = Object.getOwnPropertyDescriptor(crypto.subtle, "timingSafeEqual");
  const compare = (left: ArrayBuffer, right: ArrayBuffer) =>
    timingSafeEqual(new Uint8Array(left), new Uint8Array(right));
  Object.defineProperty(crypto.subtle, "timingSafeEqual", { value: compare, configurable: true });
  return () => {
    if (before === undefined) Reflect.deleteProperty(crypto.subtle, "timingSafeEqual");
    else Object.defineProperty(crypto.subtle, "timingSafeEqual", before);
  };
}
