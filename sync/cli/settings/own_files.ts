/**
 * The files of the agent's own: where they are, and that none is taken for a capture.
 *
 * @module
 */

import {
  basename,
  dirname,
  isAbsolute,
  join,
  resolve,
  SEPARATOR,
} from "@std/path";
import { CaptureFileError } from "../../capture/errors.ts";
import {
  orphansDir,
  sharedFilesOf,
  spoolDir,
} from "../../host/data_dir_paths.ts";
import { exists } from "../../host/files.ts";
import { fileIdAt } from "../../host/opened_file.ts";
import { CaptureFilter } from "../../watch/capture_filter.ts";
import { type Ambient, type OptionValues, UsageError } from "../arguments.ts";
import { contains, isInDataDir, nameIn, realPath } from "./folders.ts";
import { type OptionName, OPTIONS, specOf } from "./options.ts";

/** The folder of this user's settings; `undefined` if it is not known. */
export function configDir(env: Ambient["env"]): string | undefined {
  const base = env("XDG_CONFIG_HOME");
  // The standard says to ignore a relative one.
  if (base && isAbsolute(base)) return base;
  const home = env("HOME");
  return home && isAbsolute(home) ? join(home, ".config") : undefined;
}

/** The path at which a settings file is looked for; `undefined` if it is not known. */
export function namedSettingsFile(
  given: OptionValues,
  { env }: Ambient,
): string | undefined {
  const dir = configDir(env);
  return given.text("config") ?? (dir && settingsFileIn(dir));
}

/** The settings file in this user's folder of settings. */
export function settingsFileIn(dir: string): string {
  return join(dir, "jarvis", "agent.env");
}

/** The settings file, as messages call it. */
export const SETTINGS_FILE = "the settings file";

/** The options that name a file of the agent's own, besides the settings file. */
const OWN_FILES = (Object.keys(OPTIONS) as OptionName[])
  .filter((name) => specOf(name).path === "file" && name !== "config");

/** The files of the agent's own that are named by its settings, that of the settings first. */
export function ownFiles(
  given: OptionValues,
  env: Ambient["env"],
): { what: string; path: string }[] {
  const settings = given.takes("config")
    ? namedSettingsFile(given, { env, err: () => {} })
    : undefined;
  const named = OWN_FILES.map((option) => ({
    what: given.source(option),
    path: given.text(option),
  }));
  return [{ what: SETTINGS_FILE, path: settings }, ...named]
    .flatMap(({ what, path }) => path ? [{ what, path: resolve(path) }] : []);
}

/**
 * Makes sure that no file of the agent's own would be taken for a capture, which is
 * sent, and may be deleted.
 *
 * @throws {UsageError} that names the file and its watched folder.
 */
export function assertNotWatched(
  given: OptionValues,
  env: Ambient["env"],
  { watch, filter }: { watch: string[]; filter: CaptureFilter },
): void {
  for (const { what, path } of ownFiles(given, env)) {
    const dir = watch.find((dir) => isTaken(path, dir, filter));
    if (!dir || what === SETTINGS_FILE && !exists(path)) continue;
    throw new UsageError(
      `Cannot use ${what} "${path}": it would be sent from the watched "${dir}", expected a file outside of it, or one that --exclude leaves out`,
    );
  }
}

/**
 * Refuses a file of the data directory that is handed over: it may be the only copy of
 * another capture. What was set aside for a person may be handed over again.
 *
 * @throws {CaptureFileError} that names the file and the data directory.
 */
export function assertNotKept(path: string, dataDir: string): void {
  const setAside = orphansDir(spoolDir(dataDir));
  const isKept = isInDataDir(path, dataDir) && !contains(setAside, path);
  const id = fileIdAt(path);
  const isShared = id !== undefined &&
    sharedFilesOf(dataDir).some((file) => fileIdAt(file) === id);
  if (!isKept && !isShared) return;
  throw new CaptureFileError(
    `Cannot take "${path}": it is in the data directory "${dataDir}", expected a file outside of it; "jarvis-agent export" copies captures out`,
  );
}

/** Whether a file is a capture in a watched folder, or becomes one when it is written anew. */
function isTaken(path: string, dir: string, filter: CaptureFilter): boolean {
  // A link may be replaced by a file of the same name.
  const place = join(realPath(dirname(path)), basename(path));
  return [place, realPath(path)].some((path) => {
    const names = nameIn(dir, path)?.split(SEPARATOR);
    return names?.every((_, at) =>
      filter.objection(
        names.slice(0, at + 1).join("/"),
        at === names.length - 1 ? "file" : "folder",
      ) === undefined
    );
  });
}
