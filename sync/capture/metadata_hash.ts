import { sha256Of } from "../host/sha256.ts";

/**
 * Returns the SHA-256 of metadata as text, in hexadecimal. It tells a sidecar that
 * was delivered from one that was not, without keeping private text.
 */
export function metadataHash(metadataJson: string): string {
  return sha256Of(metadataJson);
}
