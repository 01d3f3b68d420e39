/** Whether {@linkcode openFiles} can tell. */
export const KNOWS_OPEN_FILES = Deno.build.os === "linux";

/**
 * How many descriptors this process has open on what begins so: a path, or
 * `socket:` for connections.
 */
export function openFiles(beginning: string): number {
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`).startsWith(beginning);
    } catch {
      // Closed since.
      return false;
    }
  }).length;
}
