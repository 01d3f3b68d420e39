/** The service's files: its unit, and the environment file with its settings. */

import { dirname, isAbsolute, join } from "@std/path";
import { assertOwn } from "../../host/data_dir.ts";
import { variable } from "../../host/environment.ts";
import { exists } from "../../host/files.ts";
import { createPrivateDir, replaceFile } from "../../host/private_files.ts";
import { readSmallText } from "../../host/small_file.ts";
import { ifThere } from "../../host/try_to.ts";
import { UsageError } from "../arguments.ts";
import { configDir, settingsFileIn } from "../settings/own_files.ts";
import { updateEnvFile } from "./env_file.ts";
import { isAsWritten, UNIT } from "./unit.ts";

const HEADER =
  `# What jarvis-agent runs with; "jarvis-agent run --help" lists the variables.
# After a change: systemctl --user reload jarvis-agent
# After a change of folders: jarvis-agent service install
`;

/**
 * The paths of the service's files.
 *
 * @throws {UsageError} if HOME is not set to an absolute path.
 */
export function servicePaths(): {
  home: string;
  unit: string;
  envFile: string;
} {
  const home = variable("HOME");
  if (!home || !isAbsolute(home)) {
    throw new UsageError(
      "Cannot tell where the unit belongs: expected HOME to be an absolute path",
    );
  }
  const config = configDir(variable)!;
  return {
    home,
    unit: join(config, "systemd", "user", UNIT),
    envFile: settingsFileIn(config),
  };
}

/** Brings the environment file up to date; its other lines stay. */
export function writeEnvFile(
  path: string,
  changes: ReadonlyMap<string, string>,
  out: (line: string) => void,
): void {
  const before = readEnvFile(path);
  const after = updateEnvFile(before || HEADER, changes);
  if (after === before) {
    const mode = Deno.statSync(path).mode ?? 0;
    if ((mode & 0o077) !== 0) {
      Deno.chmodSync(path, 0o600);
      out(`"${path}" was open to other users, it is closed now`);
    }
    return out(`"${path}" is up to date`);
  }
  createPrivateDir(dirname(path));
  replaceFile(path, after, 0o600);
  out(`Wrote "${path}"`);
}

/** Writes the unit; an edited one is kept under another name. */
export function writeUnit(
  path: string,
  text: string,
  out: (line: string) => void,
): void {
  const before = readIfThere(path);
  if (before !== "" && before !== text && !isAsWritten(before)) {
    const kept = `${path}.${Date.now()}.old`;
    Deno.renameSync(path, kept);
    out(`"${path}" was edited; your version is kept as "${kept}"`);
  }
  if (before !== text) {
    createPrivateDir(dirname(path));
    replaceFile(path, text, 0o644);
    out(`Wrote "${path}"`);
  } else {
    out(`"${path}" is up to date`);
  }
}

/**
 * The text of the environment file; empty if there is none.
 *
 * @throws {Error} if it belongs to another user.
 */
export function readEnvFile(path: string): string {
  if (exists(path)) assertOwn(path);
  return readIfThere(path);
}

/** The text of a file; empty if there is none. */
export function readIfThere(path: string): string {
  return ifThere(() => readSmallText(path)) ?? "";
}
