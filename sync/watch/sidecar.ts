import {
  encodeMetadata,
  MAX_METADATA_BYTES,
  type Metadata,
  parseMetadata,
} from "../capture/metadata.ts";

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
 * @throws {TypeError | RangeError} if it is not a JSON object, too deep, or too
 * large. The message does not repeat it: metadata is private.
 * @throws {Error} if it cannot be read.
 */
export function readSidecar(path: string): Metadata {
  const sidecar = sidecarOf(path);
  const info = regularFile(sidecar);
  if (!info) return {};
  if (info.size > MAX_METADATA_BYTES) {
    throw new RangeError(
      `it has ${info.size} bytes, expected at most ${MAX_METADATA_BYTES}`,
    );
  }
  const metadata = parseMetadata(Deno.readTextFileSync(sidecar));
  // A number like 1e300 is longer when the queue writes it.
  encodeMetadata(metadata);
  return metadata;
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
