import { type BinaryLike, createHash } from "node:crypto";

/** SHA-256 in lower-case hexadecimal. */
export function sha256Of(content: BinaryLike): string {
  return createHash("sha256").update(content).digest("hex");
}
