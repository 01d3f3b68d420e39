/** Deno's refusal of a path below /dev, /proc or /sys, also within JSON text. */
const REFUSAL =
  /Requires all access to (\\?"[^"]*"), run again with the --allow-all flag/g;

/** Paths that Deno opens only to programs with all permissions; this one has few. */
export const OUT_OF_BOUNDS =
  "below /dev, /proc or /sys, where nothing can be used";

/**
 * Replaces Deno's advice to set flags, which nobody can do here, by this program's
 * words. All output goes through here: such an error may come from any path.
 */
export function inOwnWords(text: string): string {
  return text.replace(REFUSAL, `$1 is ${OUT_OF_BOUNDS}, expected another path`);
}
