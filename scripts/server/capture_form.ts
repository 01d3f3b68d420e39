/** Reads the body of an upload: a form with the fields `metadata` and `file`. */

import { Busboy, type BusboyInstance } from "@fastify/busboy";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { IncomingCapture } from "./incoming_capture.ts";
import { ConnectionCut, Refusal } from "./refusal.ts";

const MAX_METADATA_BYTES = 16 * 1024 * 1024;

export interface CaptureForm {
  /** The file name as the client sent it. */
  filename: string;
  /** The content type as the client sent it. */
  contentType: string;
  /** The JSON object in the field `metadata`, as it was written. */
  metadata: string;
  /** The `sha256` of the metadata; undefined if they have none. */
  expectedSha256: unknown;
}

/**
 * Reads a form to its end, the file into `incoming`.
 *
 * The fields may come in any order; others are skipped.
 *
 * @throws {Refusal} if the form is not as it has to be.
 */
export async function receiveForm(
  body: AsyncIterable<Uint8Array>,
  contentType: string | null,
  incoming: IncomingCapture,
): Promise<CaptureForm> {
  const parser = createParser(contentType);
  const form: Partial<CaptureForm> = {};
  let file: Readable | undefined;
  let writing: Promise<void> | undefined;
  let writeError: unknown;
  const check = (isFine: boolean, message: string) => {
    if (!isFine) parser.destroy(new Refusal(400, message));
    return isFine;
  };
  parser.on("field", (name, value, _isNameCut, isCut) => {
    check(name !== "file", 'Cannot take "file": expected a file name');
    if (name !== "metadata") return;
    check(form.metadata === undefined, 'Cannot take "metadata" twice');
    check(!isCut, `Cannot take more than ${MAX_METADATA_BYTES} bytes`);
    form.metadata = value;
  });
  parser.on("file", (name, content, filename, _encoding, type) => {
    // A part that ends early is an error of the form as well.
    content.on("error", () => {});
    if (
      name !== "file" ||
      !check(Boolean(filename), 'Cannot take "file": expected a file name') ||
      !check(file === undefined, 'Cannot take "file" twice')
    ) return void content.resume();
    file = content;
    form.filename = unescapeName(filename);
    form.contentType = type;
    writing = writeAll(content, incoming);
    writing.catch((error) => parser.destroy(writeError = error));
  });
  try {
    await pipeline(body, parser);
  } catch (error) {
    file?.destroy();
    await writing?.catch(() => {});
    const isOurs = error instanceof Refusal || error instanceof ConnectionCut;
    if (isOurs || error === writeError) throw error;
    throw new Refusal(400, `Cannot read the form: ${(error as Error).message}`);
  }
  await writing;
  return complete(form);
}

function createParser(contentType: string | null): BusboyInstance {
  try {
    return new Busboy({
      headers: { "content-type": contentType ?? "" },
      preservePath: true,
      limits: { fieldSize: MAX_METADATA_BYTES },
    });
  } catch (error) {
    throw new Refusal(
      400,
      `Cannot read the form: expected Content-Type multipart/form-data with a boundary, got ${
        JSON.stringify(contentType)
      } (${(error as Error).message})`,
    );
  }
}

/** @throws {Refusal} if a field is missing, or the metadata are no JSON object. */
function complete(form: Partial<CaptureForm>): CaptureForm {
  const { filename, metadata } = form;
  if (filename === undefined || metadata === undefined) {
    throw new Refusal(
      400,
      'Cannot take the form: expected the fields "metadata" and "file"',
    );
  }
  return { ...form as CaptureForm, expectedSha256: parse(metadata).sha256 };
}

async function writeAll(
  content: Readable,
  incoming: IncomingCapture,
): Promise<void> {
  for await (const chunk of content) await incoming.write(chunk);
}

/** Undoes the escapes of `fetch`, browsers and the agent in a file name. */
function unescapeName(name: string): string {
  return name.replace(/%22|%5C|%0D|%0A|%EF%BB%BF/gi, decodeURIComponent);
}

function parse(metadata: string): Record<string, unknown> {
  let value;
  try {
    value = JSON.parse(metadata);
  } catch {
    throw new Refusal(400, 'Cannot take "metadata": expected JSON');
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Refusal(400, 'Cannot take "metadata": expected a JSON object');
  }
  return value;
}
