import type { Folder } from "../host/folder.ts";
import type { Place } from "./place.ts";

/** Some files of one folder. */
export interface FoundFiles {
  place: Place;
  /** The folder itself, open until the next ones are asked for. */
  folder: Folder;
  names: string[];
}

/** How many files are found at a time. */
const BATCH = 100;

/** Yields files a few at a time, in the order of their names; once, without any, if there are none. */
export function* inBatches(
  { names, ...found }: FoundFiles,
): Generator<FoundFiles> {
  if (names.length === 0) yield { ...found, names };
  // Names in their order stand side by side in the queue as well.
  names.sort();
  for (let at = 0; at < names.length; at += BATCH) {
    yield { ...found, names: names.slice(at, at + BATCH) };
  }
}
