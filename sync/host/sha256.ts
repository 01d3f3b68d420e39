import type { OpenedFile } from "./opened_file.ts";

/** How much is read at a time, in bytes. */
const PIECE_BYTES = 256 * 1024;
/** Up to here a file is read in one piece, in bytes. */
const ONE_PIECE_BYTES = 1024 * 1024;

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
  return file.identity.size <= ONE_PIECE_BYTES
    ? await readAtOnce(file, take)
    : await readInPieces(file, take);
}

/** By Web Crypto: to load `node:crypto` takes as long as the rest of `enqueue`. */
async function readAtOnce(
  file: OpenedFile,
  take: (piece: Uint8Array) => void,
): Promise<HashedBytes> {
  // One more than there should be, so that a file that has grown shows.
  const bytes = file.readFirst(file.identity.size + 1);
  take(bytes);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return { sha256: hexOf(new Uint8Array(digest)), size: bytes.length };
}

async function readInPieces(
  file: OpenedFile,
  take: (piece: Uint8Array) => void,
): Promise<HashedBytes> {
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  const buffer = new Uint8Array(PIECE_BYTES);
  let size = 0;
  // One that grows as fast as it is read would have no end.
  while (size <= file.identity.size) {
    const read = await file.read(buffer, size);
    if (read === 0) break;
    const piece = buffer.subarray(0, read);
    hash.update(piece);
    take(piece);
    size += read;
  }
  return { sha256: hash.digest("hex"), size };
}

/** Bytes in lower-case hexadecimal. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}
