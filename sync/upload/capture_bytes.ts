import { createHash } from "node:crypto";
import { delay } from "@std/async/delay";
import { CaptureFileError } from "../capture/errors.ts";
import type { KnownCapture, OpenCapture } from "./capture_file.ts";

/** The bytes that are hashed before other work has its turn. */
const TURN_BYTES = 8 * 1024 * 1024;

/** Opens bytes that are in memory. */
export async function openBytes(
  bytes: Uint8Array,
  mtimeMs: number,
  known: KnownCapture = {},
): Promise<OpenCapture> {
  const sha256 = await hashOf(bytes);
  if (known.sha256 !== undefined && known.sha256.toLowerCase() !== sha256) {
    throw new CaptureFileError("Cannot send other bytes than were handed over");
  }
  return inMemory(bytes, { mtimeMs, sha256, identity: null });
}

/** Returns the SHA-256 of bytes, in hexadecimal. */
async function hashOf(bytes: Uint8Array): Promise<string> {
  const hash = createHash("sha256");
  for (let at = 0; at < bytes.length; at += TURN_BYTES) {
    if (at > 0) await delay(0);
    hash.update(bytes.subarray(at, at + TURN_BYTES));
  }
  return hash.digest("hex");
}

/** A capture whose bytes are in memory: they stay, also when its file changes or goes. */
export function inMemory(
  bytes: Uint8Array,
  facts: Pick<OpenCapture, "mtimeMs" | "sha256" | "identity">,
): OpenCapture {
  return {
    ...facts,
    size: bytes.length,
    read(into, offset) {
      const part = bytes.subarray(offset, offset + into.length);
      into.set(part);
      return Promise.resolve(part.length);
    },
    assertUnchanged: () => Promise.resolve(),
    [Symbol.dispose]() {},
  };
}
