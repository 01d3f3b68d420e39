/** The systems that there is an executable for. */

import { UsageError } from "../program.ts";

/** One system, as Deno calls it, and its particulars. */
export interface CompileTarget {
  os: typeof Deno.build.os;
  /** The ending of an executable's name. */
  extension: "" | ".exe";
  /** The library's file name among the releases of `@db/sqlite`. */
  sqliteRelease: string;
  /** The file name that `sync/queue/native_sqlite.ts` looks for. */
  sqliteLibrary: string;
  /** Bytes that only this system's executables have, by their offset. */
  signature: Record<number, readonly number[]>;
}

const ELF = [0x7f, 0x45, 0x4c, 0x46];
const MACH_O = [0xcf, 0xfa, 0xed, 0xfe];
const LINUX = {
  os: "linux",
  extension: "",
  sqliteLibrary: "libsqlite3.so",
} as const;
const MAC = {
  os: "darwin",
  extension: "",
  sqliteLibrary: "libsqlite3.dylib",
} as const;

/** Every system, by the name that goes into its executable's. */
export const TARGETS: Record<string, CompileTarget> = {
  "x86_64-unknown-linux-gnu": {
    ...LINUX,
    sqliteRelease: "libsqlite3.so",
    signature: { 0: ELF, 18: [0x3e, 0x00] },
  },
  "aarch64-unknown-linux-gnu": {
    ...LINUX,
    sqliteRelease: "libsqlite3_aarch64.so",
    signature: { 0: ELF, 18: [0xb7, 0x00] },
  },
  "x86_64-apple-darwin": {
    ...MAC,
    sqliteRelease: "libsqlite3.dylib",
    signature: { 0: MACH_O, 4: [0x07, 0x00, 0x00, 0x01] },
  },
  "aarch64-apple-darwin": {
    ...MAC,
    sqliteRelease: "libsqlite3_aarch64.dylib",
    signature: { 0: MACH_O, 4: [0x0c, 0x00, 0x00, 0x01] },
  },
  "x86_64-pc-windows-msvc": {
    os: "windows",
    extension: ".exe",
    sqliteRelease: "sqlite3.dll",
    sqliteLibrary: "sqlite3.dll",
    signature: { 0: [0x4d, 0x5a] },
  },
};

/**
 * Returns the target of this name.
 *
 * @throws {UsageError} if there is none.
 */
export function targetOf(name: string): CompileTarget {
  const target = Object.hasOwn(TARGETS, name) ? TARGETS[name] : undefined;
  if (target) return target;
  throw new UsageError(
    `Unknown target "${name}": expected one of ${
      Object.keys(TARGETS).join(", ")
    }`,
  );
}

/** Whether the file is a program or a library of the target's system. */
export function isMadeFor(target: CompileTarget, path: string): boolean {
  const head = new Uint8Array(64);
  using file = Deno.openSync(path);
  file.readSync(head);
  return Object.entries(target.signature).every(([offset, bytes]) =>
    bytes.every((byte, i) => head[Number(offset) + i] === byte)
  );
}
