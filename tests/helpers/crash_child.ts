/**
 * The command line, in a process that kills itself as soon as a step is reached:
 * `crash_child.ts STEP COMMAND ...`. The steps' names stand in `intake.ts`.
 */

import { runCommandLine } from "../../sync/cli/cli.ts";
import { onReached } from "../../sync/host/fault_point.ts";

const [step, ...args] = Deno.args;

onReached((point) => {
  if (point === step) Deno.kill(Deno.pid, "SIGKILL");
});

await runCommandLine(args, {
  out: (line) => console.log(line),
  err: (line) => console.error(line),
  env: (name) => Deno.env.get(name),
  envNames: () => [],
  stopSignal: () => new AbortController().signal,
  onReload: () => {},
});
console.error(`"${step}" was never reached`);
Deno.exit(99);
