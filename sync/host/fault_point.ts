/**
 * Points at which a test may end the process. Outside tests this is a call to an
 * empty function; nothing in a program's environment or arguments can change it.
 *
 * @module
 */

let handler: (point: string) => void = () => {};

/** Marks that a step was reached (their names stand in `intake.ts`). */
export function reached(point: string): void {
  handler(point);
}

/** Lets a test act when a step is reached. Only for tests. */
export function onReached(act: (point: string) => void): void {
  handler = act;
}
