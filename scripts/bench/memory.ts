/** How much memory this process uses; the peak is known on Linux alone. */

/** What the process holds now, in bytes. */
export function residentBytes(): number {
  return Deno.memoryUsage().rss;
}

/** Forgets the peak so far. */
export function resetPeak(): void {
  if (Deno.build.os !== "linux") return;
  Deno.writeTextFileSync("/proc/self/clear_refs", "5");
}

/** The most that the process held since {@linkcode resetPeak}, in bytes; elsewhere what it holds. */
export function peakBytes(): number {
  if (Deno.build.os !== "linux") return residentBytes();
  const status = Deno.readTextFileSync("/proc/self/status");
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)![1]) * 1024;
}
