import {
  encodeMetadata,
  type Metadata,
  parseMetadata,
} from "../capture/metadata.ts";
import { type Given, UsageError } from "./arguments.ts";

/**
 * Returns the metadata of a command line: `--metadata-json`, with the entries
 * of `--metadata KEY=VALUE` on top.
 *
 * @throws {UsageError} if it cannot be used. The message does not repeat it.
 */
export function readMetadata(given: Given): Metadata {
  const entries = given.texts("metadata").map((text) => {
    const at = text.indexOf("=");
    if (at < 1) {
      throw new UsageError(
        "Cannot use a --metadata without a key and a value: expected KEY=VALUE, like door=3",
      );
    }
    return [text.slice(0, at), text.slice(at + 1)] as const;
  });
  const metadata = { ...readJson(given), ...Object.fromEntries(entries) };
  try {
    encodeMetadata(metadata);
  } catch (cause) {
    throw new UsageError((cause as Error).message, { cause });
  }
  return metadata;
}

function readJson(given: Given): Metadata {
  const text = given.text("metadata-json");
  if (text === undefined) return {};
  try {
    return parseMetadata(text);
  } catch (cause) {
    const { message } = cause as Error;
    throw new UsageError(`--metadata-json: ${message}`, { cause });
  }
}
