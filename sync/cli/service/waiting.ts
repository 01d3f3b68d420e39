/**
 * What waits in the data directories that a service leaves behind.
 *
 * @module
 */

import { resolve } from "@std/path";
import { capturesWait } from "../../host/counted.ts";
import { tryTo } from "../../host/try_to.ts";
import type { Settings } from "../settings/config.ts";
import { realPath } from "../settings/folders.ts";
import { lookInto } from "../store.ts";
import { parseEnvFile } from "./env_file.ts";
import { readIfThere, servicePaths } from "./files.ts";
import { dataDirIn } from "./unit.ts";

/**
 * The data directories of the installed service: that of its settings file first, then
 * that of its unit, which it had before somebody edited the file.
 */
export function servedDataDirs(): string[] {
  const { home, unit, envFile } = servicePaths();
  // What cannot be read is told by whoever needs it.
  const textOf = (path: string) => tryTo(() => readIfThere(path)) ?? "";
  const named = [
    parseEnvFile(textOf(envFile)).get("JARVIS_DATA_DIR"),
    dataDirIn(textOf(unit)),
  ];
  const paths = named.flatMap((path) => path ? [resolve(home, path)] : []);
  return [...new Set(paths)];
}

/** The line that says where the queue of a service that was removed stays. */
export function queueStays(settings: Settings): string {
  const waiting = countWaiting(settings);
  return `The queue stays in "${settings.dataDir}"` +
    (waiting ? `; ${capturesWait(waiting)} in it` : "");
}

/** A line for each data directory that is served no more, and in which captures may wait. */
export function leftBehind(served: string[], settings: Settings): string[] {
  const left = served.filter((path) =>
    realPath(path) !== realPath(settings.dataDir)
  );
  return left.flatMap((dataDir) => {
    const waiting = countWaiting({ ...settings, dataDir });
    if (waiting === 0) return [];
    const option = `--data-dir ${shellWord(dataDir)}`;
    return waiting === undefined
      ? `What waits in "${dataDir}", which is not served any more, cannot be ` +
        `told: "jarvis-agent doctor ${option}" says why`
      : `${capturesWait(waiting)} in "${dataDir}", which is not served any ` +
        `more: "jarvis-agent sync ${option}" delivers them`;
  });
}

/** Counts the captures that wait in a data directory; `undefined` if it cannot be told. */
function countWaiting(settings: Settings): number | undefined {
  return tryTo(() => {
    using look = lookInto(settings);
    return look?.queue.waiting() ?? 0;
  });
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text)
    ? text
    : `'${text.replaceAll("'", `'\\''`)}'`;
}
