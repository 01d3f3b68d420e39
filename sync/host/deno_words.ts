/** What Deno says of a path below /dev, /proc or /sys, also where the text is JSON. */
const REFUSAL =
  /Requires all access to (\\?"[^"]*"), run again with the --allow-all flag/g;

/** Where only programs with all permissions may do anything, and this one has few. */
export const OUT_OF_BOUNDS =
  "below /dev, /proc or /sys, where nothing can be used";

/**
 * Says in this program's words what Deno says in terms of flags that nobody can set.
 * Whatever is written anywhere goes through here: such an error may come from any path.
 */
export function inOwnWords(text: string): string {
  return text.replace(REFUSAL, `$1 is ${OUT_OF_BOUNDS}, expected another path`);
}
