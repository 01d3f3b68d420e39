/**
 * What the executable may do, from source and compiled: nothing that it does not need.
 *
 * Read and write: captures and the queue lie wherever the user says. Net: the server is the
 * user's choice. FFI: SQLite's C library. Run: to ask whether a process is alive.
 */
export const PERMISSIONS: readonly string[] = [
  "--no-prompt",
  "--allow-read",
  "--allow-write",
  "--allow-net",
  "--allow-env",
  "--allow-sys=hostname,osRelease,uid,gid,systemMemoryInfo,statfs",
  "--allow-ffi",
  "--allow-run",
];
