/**
 * Loads a module while the global `process` is not to be seen.
 *
 * `@std/path` asks for it as it is loaded, to tell Node from Deno, and Deno then
 * loads what it has of Node: as long as a short command takes for all else.
 */
export async function withoutNode<T>(load: () => Promise<T>): Promise<T> {
  const process = Object.getOwnPropertyDescriptor(globalThis, "process")!;
  Object.defineProperty(globalThis, "process", {
    value: undefined,
    configurable: true,
  });
  try {
    return await load();
  } finally {
    Object.defineProperty(globalThis, "process", process);
  }
}
