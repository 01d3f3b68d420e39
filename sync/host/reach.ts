import { dirname } from "@std/path";
import { obstacleTo } from "./data_dir.ts";

/** A path of this program's own cannot be reached now: whether it is there is not known. */
export class UnreachableError extends Error {
  override name = "UnreachableError";
}

/**
 * The identity of the file or folder at a path; `undefined` if nothing is there.
 *
 * @throws {UnreachableError} if that cannot be told: permission was taken away, a
 * network's disk does not answer.
 */
export function identityAt(path: string): string | undefined {
  try {
    const { dev, ino } = Deno.statSync(path);
    return `${dev} ${ino}`;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    const obstacle = obstacleTo(dirname(path), cause);
    throw new UnreachableError(`Cannot reach "${path}": ${obstacle}`, {
      cause,
    });
  }
}
