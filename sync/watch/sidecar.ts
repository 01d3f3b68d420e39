import { decodeMetadata, MAX_METADATA_BYTES } from "../capture/metadata.ts";
import { metadataHash } from "../capture/metadata_hash.ts";
import type { Folder, FolderEntry } from "../host/folder.ts";
import type { OnceLog } from "../host/log.ts";
import {
  type FileIdentity,
  isSameFile,
  isSameVersion,
  NotRegularFileError,
  type OpenedFile,
} from "../host/opened_file.ts";
import type { Candidate } from "./finishing.ts";
import type { SidecarOwners } from "./sidecar_owners.ts";

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

/** Which capture a file would be the sidecar of; `undefined` if its name does not say so. */
export function captureOf(name: string): string | undefined {
  return /[^/]\.json$/.test(name) ? name.slice(0, -".json".length) : undefined;
}

/** What has this name in a folder; `undefined` if nothing has, or it cannot be reached. */
export function lookAt(
  folder: Folder,
  name: string,
): ReturnType<Folder["look"]> {
  try {
    return folder.look(name);
  } catch {
    // A link, or a folder that is closed to this user, is on the way.
    return undefined;
  }
}

/** The file of this name in a folder; `undefined` if there is none, or something else. */
export function fileAt(
  folder: Folder,
  name: string,
): FileIdentity & { links: number } | undefined {
  const info = lookAt(folder, name);
  return info?.kind === "file" ? info : undefined;
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
    throw new SidecarError((error as Error).message, { cause: error });
  }
}

/**
 * A delivered file's sidecar as it is now, and whether it is what was delivered as
 * metadata: `undefined` if it cannot be used. Without the hash of those, or while
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
    return { identity, isSent: metadataHash(metadataJson) === metadataSha256 };
  } catch (error) {
    if (!(error instanceof SidecarError)) throw error;
    return { identity: beside, isSent: undefined };
  }
}

function open(folder: Folder, name: string): OpenedFile {
  try {
    return folder.openFile(name);
  } catch (error) {
    const isHopeless = error instanceof NotRegularFileError ||
      (error as { code?: string }).code === "ELOOP";
    if (!isHopeless) throw error;
    throw new SidecarError((error as Error).message, { cause: error });
  }
}

/** What a sidecar may not be, which is not opened: a pipe might block. */
const WRONG: Partial<Record<FolderEntry["kind"], string>> = {
  link: "it is a link, expected a file",
  folder: "it is a folder, expected a file",
  other: "it is a pipe, a socket or a device, expected a file",
};

/** Finds and reads the sidecars of files that may be captures; says once which cannot be used. */
export class SidecarReader {
  readonly #owners: SidecarOwners;
  readonly #log: OnceLog;

  constructor(owners: SidecarOwners, log: OnceLog) {
    this.#owners = owners;
    this.#log = log;
  }

  /** A file's sidecar, unless it belongs to an earlier version; or what is wrong with it. */
  find(
    { folder, name, path, identity }: Candidate,
  ): { sidecar?: FileIdentity; wrong?: string } {
    const beside = lookAt(folder, sidecarOf(name));
    if (!beside) return {};
    if (beside.kind !== "file") return { wrong: WRONG[beside.kind]! };
    const owner = this.#owners.lateFor({ path, identity }, beside);
    return owner && !isSameFile(owner, identity) ? {} : { sidecar: beside };
  }

  /** Reads the metadata of a file that has a sidecar; `undefined` while somebody writes it. */
  read(candidate: Candidate): string | undefined {
    const { folder, name } = candidate;
    try {
      return readSidecar(folder, sidecarOf(name))?.metadataJson;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "{}";
      if (!(error instanceof SidecarError)) throw error;
      this.sayUnusable(candidate, error.message);
      return "{}";
    }
  }

  sayUnusable({ path }: Candidate, reason: string): void {
    const sidecar = sidecarOf(path);
    this.#log.warn(
      sidecar,
      `Cannot use "${sidecar}", the capture goes without it: ${reason}`,
    );
  }
}
