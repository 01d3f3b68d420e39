import { type Metadata, parseMetadata } from "./metadata.ts";
import { MAX_METADATA_BYTES } from "./metadata.ts";

/** The metadata of `NAME` is `NAME.json` beside it. */
export function sidecarOf(path: string): string {
  return path + ".json";
}

/** Whether a file is the metadata of another one: that one must be there. */
export function isSidecar(path: string): boolean {
  return path.endsWith(".json") &&
    regularFile(path.slice(0, -".json".length)) !== undefined;
}

/**
 * Reads the metadata beside a capture: empty if there is none.
 *
 * @throws {TypeError | RangeError} if it is not a JSON object, or too large.
 */
export function readSidecar(path: string): Metadata {
  const sidecar = sidecarOf(path);
  const info = regularFile(sidecar);
  if (!info) return {};
  if (info.size > MAX_METADATA_BYTES) {
    throw new RangeError(
      `Cannot use "${sidecar}" as metadata: it has ${info.size} bytes, expected at most ${MAX_METADATA_BYTES}`,
    );
  }
  return parseMetadata(Deno.readTextFileSync(sidecar));
}

/** Looks at a file; `undefined` if it is not there or not a regular file (a link is not). */
export function regularFile(path: string): Deno.FileInfo | undefined {
  try {
    const info = Deno.lstatSync(path);
    return info.isFile ? info : undefined;
  } catch {
    return undefined;
  }
}
