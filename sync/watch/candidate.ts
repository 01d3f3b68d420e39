import type { Folder } from "../host/folder.ts";
import { type FileIdentity, isSameVersion } from "../host/opened_file.ts";
import type { FileSystem } from "./file_system.ts";
import type { Place } from "./place.ts";

/** A file that may be a capture. */
export interface Candidate {
  path: string;
  identity: FileIdentity;
  place: Place;
  /** An open folder, and the name of the file in it. */
  folder: Folder;
  name: string;
  /** Whether a sidecar is beside it just now. */
  hasMetadata: () => boolean;
  fileSystem: FileSystem;
  /** Whether its disk was mounted a moment ago: it may be another one. */
  isUnsure: boolean;
  /** Whether it was renamed into place. */
  isRenamed: boolean;
  /** Whether events name it, or it is waited for: it was not found by looking through a folder. */
  isNamed: boolean;
}

/**
 * Whether a file may be a whole version, that has yet to prove it: it was renamed into
 * place, or it is new, and was found where nobody saw how it came. An empty one may
 * keep a name free.
 */
export function mayBeWhole(
  { isRenamed, isNamed, identity, fileSystem }: Candidate,
  { isNew }: { isNew: boolean },
): boolean {
  const wasFound = !isNamed && identity.size > 0 && fileSystem.tellsWriters;
  return isRenamed || isNew && wasFound;
}

/** Whether a file is being written to, as far as that can be detected. */
export function isInUse(
  { folder, name, identity, fileSystem, isRenamed }: Candidate,
): boolean {
  using file = folder.openFile(name);
  if (!isSameVersion(file.identity, identity)) return true;
  const isWritten = fileSystem.tellsWriters
    ? file.isOpenForWriting()
    : undefined;
  // If writers cannot be detected, a rename does not show that it is finished.
  return isWritten ?? isRenamed;
}
