/** Whether this process looks for a native SQLite. */
let isNativeWanted = true;

/**
 * Makes this process use the SQLite that is built into Deno: loading a native one
 * takes longer than all that a short command does. Has an effect only before
 * `database.ts` is loaded, so that a process never uses both.
 */
export function preferBuiltin(): void {
  isNativeWanted = false;
}

/** Whether a native SQLite is to be used where one loads. */
export function wantsNative(): boolean {
  return isNativeWanted;
}
