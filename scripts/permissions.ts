/**
 * What the executable may do, from source and compiled: nothing that it does not need.
 *
 * - read, write: captures and the queue lie wherever the user says
 * - net: the server is the user's choice
 * - env: settings, and those of the proxy and the system's SQLite
 * - sys: the host's name goes with every capture; the free space is told before it runs out
 * - ffi: SQLite's C library
 *
 * It runs no other program. What is missing is refused, never asked for.
 */
export const PERMISSIONS: readonly string[] = [
  "--no-prompt",
  "--allow-read",
  "--allow-write",
  "--allow-net",
  "--allow-env",
  "--allow-sys=hostname,statfs",
  "--allow-ffi",
];
