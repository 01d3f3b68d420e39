/** The most memory that this process used; known on Linux alone. */

/** Forgets the peak so far. */
export function resetPeak(): void {
  if (Deno.build.os !== "linux") return;
  Deno.writeTextFileSync("/proc/self/clear_refs", "5");
}

/** The most that the process held since {@linkcode resetPeak}, in bytes; elsewhere what it holds. */
export function peakBytes(): number {
  if (Deno.build.os !== "linux") return Deno.memoryUsage().rss;
  const status = Deno.readTextFileSync("/proc/self/status");
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)![1]) * 1024;
}
