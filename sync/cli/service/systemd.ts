/**
 * The user's systemd, through its own programs. By their full paths, which are
 * the only ones that this program may run.
 *
 * @module
 */

import { childEnvironment } from "../child_environment.ts";

/** The exit code and output of a program. */
export interface ProgramOutput {
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * Runs `systemctl --user` and returns its output.
 *
 * @throws {Error} if there is no systemd on this host.
 */
export function systemctl(...args: string[]): Promise<ProgramOutput> {
  return capture("systemctl", ["--user", "--no-pager", ...args]);
}

/**
 * Runs `systemctl --user` for something that must be done.
 *
 * @throws {Error} if it fails, in systemd's words.
 */
export async function mustSystemctl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await systemctl(...args);
  if (code === 0) return stdout;
  throw new Error(
    `Cannot ${args[0]} the service: ${stderr.trim() || `systemctl ${code}`}`,
  );
}

/** Lets a person see the output of one of systemd's programs; returns its exit code. */
export async function show(
  program: "systemctl" | "journalctl",
  ...args: string[]
): Promise<number> {
  const all = ["--user", "--no-pager", ...args];
  return (await run(program, all, "inherit")).code;
}

/** Returns systemd's version: a whole number like 252. */
export async function systemdVersion(): Promise<number> {
  const { stdout } = await systemctl("--version");
  return Number(/^systemd (\d+)/.exec(stdout)?.[1] ?? 0);
}

/**
 * Makes sure that the user's manager can be asked.
 *
 * @throws {Error} that names the missing part.
 */
export async function assertManager(): Promise<void> {
  const { code, stderr } = await systemctl("show", "--property=Version");
  if (code === 0) return;
  throw new Error(
    `Cannot reach the systemd of this user: ${stderr.trim()}; expected a login ` +
      "of that user (ssh, machinectl shell), not su or sudo",
  );
}

/** Properties of a unit, by their names. */
export async function properties(
  unit: string,
  ...names: string[]
): Promise<Record<string, string>> {
  const { stdout } = await systemctl("show", unit, `--property=${names}`);
  return Object.fromEntries(
    stdout.split("\n").filter(Boolean).map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
}

/** Whether the user's services outlive the login; `null` if it cannot be told. */
export async function isLingering(): Promise<boolean | null> {
  const { code, stdout, stderr } = await capture("loginctl", [
    "show-user",
    String(Deno.uid()),
    "--property=Linger",
  ]);
  if (code === 0) return /Linger=yes/.test(stdout);
  return /not logged in or lingering/.test(stderr) ? false : null;
}

async function capture(
  program: string,
  args: string[],
): Promise<ProgramOutput> {
  const { code, stdout, stderr } = await run(program, args, "piped");
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

async function run(
  program: string,
  args: string[],
  output: "inherit" | "piped",
): Promise<{ code: number; stdout?: Uint8Array; stderr?: Uint8Array }> {
  const path = `/usr/bin/${program}`;
  try {
    const child = new Deno.Command(path, {
      args,
      stdin: "null",
      stdout: output,
      stderr: output,
      // Words that are piped are read.
      ...childEnvironment(
        output === "piped" ? { LC_ALL: "C", SYSTEMD_COLORS: "0" } : {},
      ),
    }).spawn();
    return output === "piped" ? await child.output() : await child.status;
  } catch (cause) {
    throw new Error(
      `Cannot manage the service: there is no "${path}", expected a host with systemd`,
      { cause },
    );
  }
}
