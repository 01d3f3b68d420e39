import { libc } from "./libc.ts";

const SIGUSR1 = 10;
const SIG_IGN = 1n;

/**
 * Makes SIGUSR1 do nothing, on Linux. From 2.9.2 on Deno opens its debugger then, by
 * which every user of the host can do what this process may. No executable has it.
 */
export function ignoreDebugSignal(): void {
  if (!libc) return;
  // Deno begins to listen half a second after the start. Only the first listener sets
  // what the system does with a signal.
  Deno.addSignalListener("SIGUSR1", () => {});
  libc.signal(SIGUSR1, SIG_IGN);
}
