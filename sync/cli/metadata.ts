import {
  checkMetadata,
  decodeMetadata,
  MAX_METADATA_BYTES,
  withEntries,
} from "../capture/metadata.ts";
import { messageOf } from "../host/message_of.ts";
import { readSmallFileOrPipe } from "../host/small_file.ts";
import { type OptionValues, UsageError } from "./arguments.ts";

/**
 * Returns the metadata of a command line as JSON text: that of `--metadata-json` or
 * `--metadata-file`, as it was written, with the entries of `--metadata KEY=VALUE`
 * on top.
 *
 * @throws {UsageError} if it cannot be used. The message does not repeat it.
 */
export async function readMetadata(given: OptionValues): Promise<string> {
  const entries = given.texts("metadata").map(entryOf);
  if (new Set(entries.map(([key]) => key)).size < entries.length) {
    throw new UsageError(
      "Cannot use several --metadata with the same key: expected each key once",
    );
  }
  const [json, file] = [
    given.text("metadata-json"),
    given.text("metadata-file"),
  ];
  if ([json, ...entries.flat()].some((text) => text?.includes("\ufffd"))) {
    throw new UsageError(
      "Cannot use metadata with bytes that are not UTF-8, or the character U+FFFD, which stands for them: expected UTF-8, or --metadata-file",
    );
  }
  given.atMostOne("metadata-json", "metadata-file");
  const bytes = file === undefined
    ? undefined
    : await readBytes(file).catch(({ message }) => {
      throw given.wrong(
        "metadata-file",
        `a file with a JSON object, or - for standard input (${message})`,
      );
    });
  try {
    const base = bytes ? decodeMetadata(bytes) : checkMetadata(json ?? "{}");
    if (entries.length === 0) return base;
    return checkMetadata(withEntries(base, Object.fromEntries(entries)));
  } catch (cause) {
    const source = file !== undefined
      ? "--metadata-file: "
      : json !== undefined
      ? "--metadata-json: "
      : "";
    throw new UsageError(source + messageOf(cause), { cause });
  }
}

function entryOf(text: string): [key: string, value: string] {
  const at = text.indexOf("=");
  if (at < 1) {
    throw new UsageError(
      "Cannot use a --metadata without a key and a value: expected KEY=VALUE, like door=3",
    );
  }
  return [text.slice(0, at), text.slice(at + 1)];
}

/** The content of a file or pipe, or of standard input for `-`; only its beginning if that is too long. */
async function readBytes(path: string): Promise<Uint8Array> {
  if (path !== "-") {
    return await readSmallFileOrPipe(path, { maxBytes: MAX_METADATA_BYTES });
  }
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of Deno.stdin.readable) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_METADATA_BYTES) break;
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
