import { createHash } from "node:crypto";
import type { OpenedFile } from "./opened_file.ts";

/** How much is read at a time, in bytes. */
const PIECE_BYTES = 256 * 1024;

/** The size and hash of a file's bytes as they were read. */
export interface HashedBytes {
  /** In lower-case hexadecimal. */
  sha256: string;
  /** How many bytes there were. */
  size: number;
}

/**
 * Reads and hashes an open file from its beginning to its end.
 *
 * @param take Is given each piece before the next one is read into the same memory.
 */
export async function readHashed(
  file: OpenedFile,
  take: (piece: Uint8Array) => void = () => {},
): Promise<HashedBytes> {
  const hash = createHash("sha256");
  const { size: expected } = file.identity;
  const buffer = new Uint8Array(Math.min(PIECE_BYTES, expected + 1));
  let size = 0;
  // One that grows as fast as it is read would have no end.
  while (size <= expected) {
    const read = await file.read(buffer, size);
    if (read === 0) break;
    const piece = buffer.subarray(0, read);
    hash.update(piece);
    take(piece);
    size += read;
  }
  return { sha256: hash.digest("hex"), size };
}

/** Returns the SHA-256 of bytes, or of a text as UTF-8, in lower-case hexadecimal. */
export function sha256Of(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
