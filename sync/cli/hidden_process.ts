/**
 * Takes the global `process` away while the modules behind this one are loaded.
 *
 * `@std/path` asks for it, to tell Node from Deno, and Deno then loads what it has
 * of Node: as long as a short command takes for all else. So this is the first
 * module that a program imports.
 *
 * @module
 */

const process = Object.getOwnPropertyDescriptor(globalThis, "process")!;

Object.defineProperty(globalThis, "process", {
  value: undefined,
  configurable: true,
});

/** Gives it back; to be called when all is loaded. */
export function restoreProcess(): void {
  Object.defineProperty(globalThis, "process", process);
}
