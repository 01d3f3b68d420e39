import { createHash } from "node:crypto";

/**
 * Returns the SHA-256 of metadata as text, in hexadecimal. It tells a sidecar that
 * was delivered from one that was not, without keeping private text.
 */
export function metadataHash(metadataJson: string): string {
  return createHash("sha256").update(metadataJson).digest("hex");
}
