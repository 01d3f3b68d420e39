import { basename, dirname, extname } from "@std/path";
import type { OnceLog } from "../host/log.ts";
import type { FileIdentity } from "../host/opened_file.ts";
import type { Candidate } from "./candidate.ts";
import { fileAt, type Place } from "./place.ts";
import { sidecarOf } from "./sidecar.ts";
import { changedAt, type Stability } from "./stability.ts";
import { ALONE_MS } from "./watcher_options.ts";

/** The suffixes of the files that programs keep beside `NAME`, as `NAME.aria2`, until it is whole. */
const CONTROLS = [".aria2", ".lftp-pget-status"];
/** Those of the files that take its name once they are whole: until then it is kept by an empty one. */
const PARTS = [
  ".part",
  ".partial",
  ".filepart",
  ".crdownload",
  ".download",
  ".opdownload",
];

/** The file that a control file is of; `undefined` if it has no such name. */
export function controlledBy({ root, name }: Place): Place | undefined {
  const suffix = extname(name);
  if (![...CONTROLS, ...PARTS].includes(suffix)) return undefined;
  return { root, name: name.slice(0, -suffix.length) };
}

/**
 * Has a file wait while a control file is beside it, or beside its sidecar, and returns
 * the reason; `undefined` if there is none. One to which nothing happens is logged, once
 * a folder: its download broke off.
 */
export function awaitControlFile(
  { folder, name, place, path, identity }: Candidate,
  { sidecar, stability, log, aloneMs = ALONE_MS }: {
    sidecar: FileIdentity | undefined;
    stability: Stability;
    log: OnceLog;
    aloneMs?: number | undefined;
  },
): string | undefined {
  const files: [string, FileIdentity][] = [[name, identity]];
  if (sidecar) files.push([sidecarOf(name), sidecar]);
  for (const [one, { size }] of files) {
    for (const suffix of size === 0 ? [...CONTROLS, ...PARTS] : CONTROLS) {
      const control = fileAt(folder, one + suffix);
      if (!control) continue;
      const waitsFor = `waits for "${basename(one) + suffix}" to go`;
      if (Date.now() - changedAt(control) >= aloneMs) {
        log.warn(
          `control file in ${dirname(path)}`,
          `"${path}" ${waitsFor}, as others in its folder may: a download that broke off has such a file beside it; end the download, or remove that file to have the other delivered as it is`,
        );
      }
      // An event tells when it goes, but no event is a promise.
      stability.later(place, aloneMs);
      return waitsFor;
    }
  }
}
