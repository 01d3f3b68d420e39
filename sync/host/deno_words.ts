/** Deno's refusal of a path below /dev, /proc or /sys, also within JSON text. */
const REFUSAL =
  /Requires all access to (\\?"[^"]*"), run again with the --allow-all flag/g;

/** The end of Deno's message on a path: the error's number, the system's call, and the path. */
const CALL = / \(os error \d+\): \w+ '([^']*)'/g;

/** Paths that Deno opens only to programs with all permissions; this one has few. */
export const OUT_OF_BOUNDS =
  "below /dev, /proc or /sys, where nothing can be used";

/**
 * Replaces Deno's advice to set flags, which nobody can do here, by this program's
 * words, and leaves out which call of the system failed, and a path that is named
 * before. All output goes through here: such an error may come from any path.
 */
export function inOwnWords(text: string): string {
  return text
    .replace(REFUSAL, `$1 is ${OUT_OF_BOUNDS}, expected another path`)
    .replace(
      CALL,
      (_, path, at) => text.lastIndexOf(path, at) < 0 ? `: ${path}` : "",
    );
}
