/**
 * Functions of the C library for which Deno has no counterpart, or only one that
 * takes long to load.
 *
 * @module
 */

/** As 64-bit Linux has them. */
const SYMBOLS = {
  statvfs: { parameters: ["buffer", "buffer"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // It may have to wait for the other side.
  sendto: {
    parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"],
    result: "isize",
    nonblocking: true,
  },
  close: { parameters: ["i32"], result: "i32" },
  malloc_trim: { parameters: ["usize"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The functions; what fails answers -1, and cannot say why. */
export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** `undefined` where they are not to be had: no Linux, no glibc, or no permission. */
export const libc: Libc | undefined = load();

/** Returns a text as bytes that can be handed over. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  // A copy, because older Denos do not say what memory the other one is in.
  return new Uint8Array(new TextEncoder().encode(text));
}

/** Returns a text as a string of C, which a zero ends. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return bytesOf(`${text}\0`);
}

function load(): Libc | undefined {
  if (Deno.build.os !== "linux") return undefined;
  try {
    return Deno.dlopen("libc.so.6", SYMBOLS).symbols;
  } catch {
    return undefined;
  }
}
