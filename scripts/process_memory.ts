/**
 * The memory of a process, in bytes: what it holds (`VmRSS`), or the most that it held
 * (`VmHWM`). Known on Linux alone.
 */
export function memoryOf(
  pid: number | "self",
  what: "VmRSS" | "VmHWM",
): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(RegExp(`^${what}:\\s+(\\d+) kB`, "m").exec(status)![1]) * 1024;
}
