/** The Worker's log sink: the platform collects what the console prints. Nothing else in the Worker uses it. */
export function printLine(line: string): void {
  console.log(line);
}
