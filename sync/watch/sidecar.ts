import { decodeMetadata, MAX_METADATA_BYTES } from "../capture/metadata.ts";
import type { Folder } from "../host/folder.ts";
import { messageOf } from "../host/message_of.ts";
import {
  type FileIdentity,
  isNotRegular,
  isSameVersion,
  type OpenedFile,
} from "../host/opened_file.ts";
import { sha256Of } from "../host/sha256.ts";
import { fileAt } from "./place.ts";

/** A sidecar as it was read. */
export interface Sidecar {
  /** A JSON object, as it was written. */
  metadataJson: string;
  identity: FileIdentity;
}

/** The metadata of `NAME` is `NAME.json` beside it. */
export function sidecarOf(name: string): string {
  return `${name}.json`;
}

/** The name of the capture that a file may be the sidecar of; `undefined` if it has no such name. */
export function captureOf(name: string): string | undefined {
  return /[^/]\.json$/.test(name) ? name.slice(0, -".json".length) : undefined;
}

/** A sidecar that no further attempt would make usable. */
export class SidecarError extends Error {
  override name = "SidecarError";
}

/**
 * Reads a sidecar; `undefined` while somebody writes to it.
 *
 * @throws {SidecarError} if it is not a JSON object, too deep or too large. The message
 * does not repeat it: metadata is private.
 * @throws {Error} if it cannot be read now.
 */
export function readSidecar(
  folder: Folder,
  name: string,
): Sidecar | undefined {
  using file = open(folder, name);
  const { identity } = file;
  if (file.isOpenForWriting()) return undefined;
  if (identity.size > MAX_METADATA_BYTES) {
    throw new SidecarError(
      `it has ${identity.size} bytes, expected at most ${MAX_METADATA_BYTES}`,
    );
  }
  const bytes = file.readFirst(identity.size);
  if (!isSameVersion(file.stat(), identity)) return undefined;
  try {
    return { metadataJson: decodeMetadata(bytes), identity };
  } catch (error) {
    throw new SidecarError(messageOf(error), { cause: error });
  }
}

/**
 * A delivered file's sidecar as it is now, and whether it is the metadata that was
 * delivered: `undefined` if it cannot be used. Without the hash of those, or while
 * somebody writes to it, it is as if there were none.
 */
export function sidecarNow(
  folder: Folder,
  name: string,
  { metadataSha256 }: { metadataSha256: string | null },
): { identity: FileIdentity; isSent: boolean | undefined } | undefined {
  const beside = fileAt(folder, sidecarOf(name));
  if (metadataSha256 === null || !beside) return undefined;
  try {
    const sidecar = readSidecar(folder, sidecarOf(name));
    if (!sidecar) return undefined;
    const { metadataJson, identity } = sidecar;
    return { identity, isSent: sha256Of(metadataJson) === metadataSha256 };
  } catch (error) {
    if (!(error instanceof SidecarError)) throw error;
    return { identity: beside, isSent: undefined };
  }
}

function open(folder: Folder, name: string): OpenedFile {
  try {
    return folder.openFile(name);
  } catch (error) {
    if (!isNotRegular(error)) throw error;
    throw new SidecarError(messageOf(error), { cause: error });
  }
}
