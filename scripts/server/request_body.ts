/** Reads request bodies, up to a limit. */

import { ConnectionCut } from "./refusal.ts";

/** More of a refused body is not read. */
const MAX_SKIPPED_BYTES = 16 * 1024 * 1024;

/**
 * Reads a body, up to `readableBytes` of it, and leaves the rest for later.
 *
 * @throws {ConnectionCut} when there is more, or the client goes away.
 */
export async function* readBody(
  body: Request["body"],
  readableBytes: number,
): AsyncGenerator<Uint8Array> {
  let left = readableBytes;
  try {
    for await (const chunk of body?.values({ preventCancel: true }) ?? []) {
      if ((left -= chunk.length) < 0) break;
      yield chunk;
    }
  } catch (cause) {
    throw new ConnectionCut("by the client, nothing is stored", { cause });
  }
  if (left < Infinity) throw new ConnectionCut("amid the body");
}

/** Reads the rest of a refused body, so that the client gets to see the answer. */
export async function skipBody(body: Request["body"]): Promise<void> {
  let left = MAX_SKIPPED_BYTES;
  try {
    for await (const chunk of body ?? []) {
      if ((left -= chunk.length) < 0) break;
    }
  } catch {
    // The client is gone, and the rest of the body with it.
  }
}
