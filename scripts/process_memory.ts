/**
 * Returns the memory of a process, in bytes: now (`VmRSS`) or at its peak (`VmHWM`).
 * Known on Linux alone.
 */
export function memoryOf(
  pid: number | "self",
  what: "VmRSS" | "VmHWM",
): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(RegExp(`^${what}:\\s+(\\d+) kB`, "m").exec(status)![1]) * 1024;
}
