/**
 * Leaves out of a sequence that fails each part without which it fails still.
 *
 * @returns A sequence that fails and of which no single step can be left out.
 */
export async function shrink<T>(
  steps: readonly T[],
  fails: (steps: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  let shortest = steps;
  // Large parts first: most of a sequence has nothing to do with its failure.
  for (let size = steps.length; size >= 1;) {
    let shorter = false;
    for (let at = 0; at < shortest.length;) {
      const rest = [...shortest.slice(0, at), ...shortest.slice(at + size)];
      if (rest.length < shortest.length && await fails(rest)) {
        shortest = rest;
        shorter = true;
      } else {
        at += size;
      }
    }
    if (size > 1) size = Math.floor(size / 2);
    else if (!shorter) break;
  }
  return shortest;
}
