import { assertEquals } from "@std/assert";
import { Busboy } from "@fastify/busboy";
import fc from "fast-check";
import { pipeline } from "node:stream/promises";
import {
  checkMetadata,
  withHostMetadata,
} from "../../sync/capture/metadata.ts";
import { openBytes } from "../../sync/upload/capture_bytes.ts";
import type { OpenCapture } from "../../sync/upload/capture_file.ts";
import { envelopeOf, FileBody } from "../../sync/upload/multipart.ts";
import { contentOf } from "../../sync/upload/request.ts";
import { formOf } from "../../sync/upload/uploader.ts";
import { jsonObject } from "./json_text.ts";
import { fileName } from "./odd_text.ts";
import { target } from "./target.ts";

/** A form as a server reads it. */
interface Read {
  fields: string[];
  name: string;
  metadata: string;
  bytes: Uint8Array;
}

const given = fc.record({
  name: fileName,
  metadata: jsonObject.map(({ text }) => text),
  bytes: fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(fc.constantFrom(0, 10, 13, 34, 45, 45, 45, 255), { maxLength: 80 })
      .map((bytes) => new Uint8Array(bytes)),
  ),
  chunkBytes: fc.integer({ min: 1, max: 200 }),
});

type Given = typeof given extends fc.Arbitrary<infer T> ? T : never;

async function readBack(
  { name, metadata, bytes, chunkBytes }: Given,
): Promise<void> {
  using capture = await openBytes(new Uint8Array(bytes), 0);
  const facts = { name, hostname: "kiosk-7", ...capture };
  const sent = withHostMetadata(checkMetadata(metadata), facts);
  // As from a disk that gives no more at a time.
  const slow: OpenCapture = {
    ...capture,
    read: (into, at) => capture.read(into.subarray(0, chunkBytes), at),
  };
  const envelope = await envelopeOf(formOf(name, sent));
  const body = new FileBody(envelope, slow, { onProgress() {} });
  const read = await contentOf(body) as Uint8Array<ArrayBuffer>;
  const expected: Read = {
    fields: ["metadata", "file"],
    name: unescape(name),
    // Forms end lines so, which in JSON stand between values only.
    metadata: sent.replaceAll(/\r\n?|\n/g, "\r\n"),
    bytes,
  };
  // To Deno's parser these mean something in quotes too.
  if (!/[;=]/.test(name)) {
    assertEquals(await natively(read, envelope.type), expected);
  }
  assertEquals(await byBusboy(read, envelope.type), expected);
}

/** What forms escape in a name; whether a name had it from the start, no reader can tell. */
function unescape(name: string): string {
  return name.replaceAll(/%22|%5C|%0D|%0A|%EF%BB%BF/gi, decodeURIComponent);
}

async function natively(
  body: Uint8Array<ArrayBuffer>,
  type: string,
): Promise<Read> {
  const headers = { "content-type": type };
  const form = await new Response(body, { headers }).formData();
  const file = form.get("file") as File;
  return {
    fields: [...form.keys()],
    name: unescape(file.name),
    metadata: form.get("metadata") as string,
    bytes: await file.bytes(),
  };
}

async function byBusboy(body: Uint8Array, type: string): Promise<Read> {
  const read: Partial<Read> = { fields: [] };
  const parser = new Busboy({
    headers: { "content-type": type },
    preservePath: true,
    limits: { fieldSize: Infinity },
  });
  const chunks: Uint8Array[] = [];
  parser.on("field", (name, value) => {
    read.fields!.push(name);
    read.metadata = value;
  });
  parser.on("file", (name, content, filename) => {
    read.fields!.push(name);
    read.name = unescape(filename);
    content.on("data", (chunk) => chunks.push(chunk));
  });
  await pipeline([body], parser);
  read.bytes = new Uint8Array(chunks.flatMap((chunk) => [...chunk]));
  return read as Read;
}

export const REQUEST_BODY = [
  target(
    "request bodies are read back",
    {
      share: 25,
      examples: ["\\", 'a\\"', "\ufeff", "a;b=c"].map((name) => ({
        name,
        metadata: "{\n}",
        bytes: new Uint8Array(3),
        chunkBytes: 1,
      })),
    },
    () => fc.asyncProperty(given, readBack),
  ),
];
