import { basename, dirname, extname } from "@std/path";
import type { OnceLog } from "../host/log.ts";
import type { FileIdentity } from "../host/opened_file.ts";
import type { Candidate } from "./candidate.ts";
import { fileAt, type Place } from "./place.ts";
import { sidecarOf } from "./sidecar.ts";
import { changedAt, type Stability } from "./stability.ts";
import { ALONE_MS } from "./watcher_options.ts";

/** The suffixes of the files that programs keep beside `NAME`, as `NAME.part`, until it is whole. */
const SUFFIXES = [
  ".aria2",
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
  if (!SUFFIXES.includes(suffix)) return undefined;
  return { root, name: name.slice(0, -suffix.length) };
}

/**
 * Has a file wait while a control file is beside it, or beside its sidecar, and returns
 * the reason; `undefined` if there is none. One to which nothing happens is logged, once
 * a folder: its download broke off.
 */
export function awaitControlFile(
  { folder, name, place, path }: Candidate,
  { sidecar, stability, log, aloneMs = ALONE_MS }: {
    sidecar: FileIdentity | undefined;
    stability: Stability;
    log: OnceLog;
    aloneMs?: number | undefined;
  },
): string | undefined {
  const controlled = sidecar ? [name, sidecarOf(name)] : [name];
  for (const one of controlled) {
    for (const suffix of SUFFIXES) {
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
