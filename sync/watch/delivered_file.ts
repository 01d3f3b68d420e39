import type { Folder } from "../host/folder.ts";
import { type FileIdentity, isSameVersion } from "../host/opened_file.ts";
import { readHashed } from "../host/sha256.ts";
import type { KnownIdentity } from "../queue/capture_row.ts";
import type { DeliveredCapture } from "../queue/queue.ts";
import { fileAt } from "./place.ts";

/** A file of a watched folder that was delivered. */
export interface DeliveredFile extends DeliveredCapture {
  /** As it was taken over, as far as that is known. */
  identity: KnownIdentity;
  /** Whether the path is not the one that it was known by. @default {false} */
  isOtherName?: boolean;
}

/**
 * A file as it was opened, if it is the one that was delivered and nobody writes to it.
 *
 * @param options Whether its content decides in any case, as its disk `isUnsure`.
 */
export async function identityNow(
  root: Folder,
  name: string,
  { identity, sha256 }: DeliveredFile,
  { isUnsure }: { isUnsure: boolean },
): Promise<FileIdentity & { links: number } | undefined> {
  const now = fileAt(root, name);
  const isOther = now?.size !== identity.size ||
    "fileId" in identity && now.fileId !== identity.fileId;
  if (isOther) return undefined;
  const { links } = now;
  using file = root.openFile(name);
  if (file.isOpenForWriting()) return undefined;
  const isSameFile = "fileId" in identity &&
    isSameVersion(file.identity, identity);
  if (isSameFile && !isUnsure) return { ...file.identity, links };
  // It was touched, written to, or is on another disk.
  if (sha256 === null) return undefined;
  const isSame = (await readHashed(file)).sha256 === sha256;
  return isSame ? { ...file.identity, links } : undefined;
}
