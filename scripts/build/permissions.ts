/**
 * The permissions of the executable on a system, from source and compiled: none that
 * it does not need.
 *
 * - read, write: captures and the queue lie wherever the user says
 * - net: the server is the user's choice
 * - env: settings, and those of the proxy and the system's SQLite
 * - sys: the host's name goes with every capture; the free space is told before
 *   it runs out; what belongs to another uid is refused
 * - ffi: SQLite, and what only the C library can do (see `sync/host/libc.ts`)
 * - run: the shell for `--token-command`, but not on Windows; on Linux systemd's
 *   programs for `service`
 *
 * A missing permission is refused, never asked for.
 */
export function permissionsOn(os: typeof Deno.build.os): string[] {
  // By full path: a name that is not found would be told at every start.
  const systemd = ["systemctl", "loginctl", "journalctl"]
    .map((name) => `/usr/bin/${name}`);
  return [
    "--no-prompt",
    "--allow-read",
    "--allow-write",
    "--allow-net",
    "--allow-env",
    "--allow-sys=hostname,statfs,uid",
    "--allow-ffi",
    ...(os === "windows"
      ? []
      : [`--allow-run=${["/bin/sh", ...(os === "linux" ? systemd : [])]}`]),
  ];
}

/** The permissions of the program on this system. */
export const PERMISSIONS: readonly string[] = permissionsOn(Deno.build.os);

/**
 * The flags of V8: `sync/cli/daemon/memory.ts` collects when idle, and a heap that may take
 * no gigabyte is collected before it is several times as large as the part in use.
 */
export const V8_FLAGS = "--v8-flags=--expose-gc,--max-old-space-size=1024";
