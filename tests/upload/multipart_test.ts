import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
} from "@std/assert";
import { delay } from "@std/async/delay";
import { CaptureFileError } from "../../sync/capture/errors.ts";
import {
  type OpenCapture,
  openCapture,
} from "../../sync/upload/capture_file.ts";
import { openBytes } from "../../sync/upload/capture_bytes.ts";
import {
  type Envelope,
  envelopeOf,
  FileBody,
} from "../../sync/upload/multipart.ts";
import { contentOf } from "../../sync/upload/request.ts";
import { sampleBytes as bytes } from "../helpers/sample_bytes.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const CHUNK_BYTES = 256 * 1024;
const SIZES = [
  0,
  1,
  ...[1, 2, 5].flatMap((n) => [-1, 0, 1].map((d) => n * CHUNK_BYTES + d)),
  1_500_000,
];

function formWith(
  file: BlobPart[],
  filename: string,
  metadataJson: string,
): FormData {
  const form = new FormData();
  form.append("metadata", metadataJson);
  form.append("file", new Blob(file, { type: "image/png" }), filename);
  return form;
}

function envelope(filename = "a.png", metadataJson = "{}"): Promise<Envelope> {
  return envelopeOf(formWith([], filename, metadataJson));
}

async function parse(
  type: string,
  body: BodyInit,
): Promise<{ metadata: FormDataEntryValue | null; file: File }> {
  const form = await new Response(body, { headers: { "content-type": type } })
    .formData();
  assertEquals([...form.keys()], ["metadata", "file"]);
  return { metadata: form.get("metadata"), file: form.get("file") as File };
}

/** Takes a body as a connection would, until it ends or breaks off. */
async function take(body: FileBody): Promise<{
  chunks: Uint8Array[];
  error: unknown;
}> {
  const chunks: Uint8Array[] = [];
  try {
    // Each is taken back when the next one is asked for.
    for await (const chunk of body.stream()) chunks.push(chunk.slice());
  } catch (error) {
    return { chunks, error };
  }
  return { chunks, error: undefined };
}

function fileBody(
  given: Envelope,
  capture: OpenCapture,
  onProgress = () => {},
): FileBody {
  return new FileBody(given, capture, { onProgress });
}

Deno.test("FileBody is a form with the capture's bytes, of the length that it announces, at every size", async () => {
  await using dir = new TempDir();
  const given = await envelope("a.png", '{"door":3}');
  for (const size of SIZES) {
    using capture = await openCapture(dir.write("a.png", bytes(size)));
    const body = fileBody(given, capture);
    const { chunks, error } = await take(body);
    assertEquals(error, undefined);
    const taken = await new Blob(chunks as BlobPart[]).bytes();
    assertEquals(taken.length, body.size);
    const { metadata, file } = await parse(given.type, taken);
    assertEquals(metadata, '{"door":3}');
    assertEquals([file.name, file.type], ["a.png", "image/png"]);
    assertEquals(await file.bytes(), bytes(size));
    assertEquals([body.isWhole, body.failure], [true, undefined]);
  }
});

Deno.test("FileBody keeps its chunks small, whatever the file's size", async () => {
  const given = await envelope();
  using capture = await openBytes(bytes(1_500_000), 0);
  const { chunks } = await take(fileBody(given, capture));
  const largest = Math.max(...chunks.map((chunk) => chunk.length));
  const around = given.head.length + given.tail.length;
  assert(largest <= CHUNK_BYTES + around, `${largest}`);
});

Deno.test("contentOf() is whole also where a disk gives less than it is asked for", async () => {
  const given = await envelope();
  using capture = await openBytes(bytes(10), 0);
  const read: OpenCapture["read"] = (into, offset) =>
    capture.read(into.subarray(0, 1), offset);
  const content = await contentOf(fileBody(given, { ...capture, read }));
  assertInstanceOf(content, Uint8Array);
  const { file } = await parse(given.type, content);
  assertEquals(await file.bytes(), bytes(10));
});

Deno.test("FileBody reads nothing ahead, and tells whenever more is taken", async () => {
  const given = await envelope();
  let asked = 0;
  using capture = await openBytes(bytes(3 * CHUNK_BYTES), 0);
  const body = fileBody(given, capture, () => asked++);
  const reader = body.stream().getReader();
  await delay(0);
  assertEquals(asked, 0);
  await reader.read();
  assertEquals(asked, 1);
  await reader.read();
  assertEquals(asked, 2);
  assertEquals(body.isWhole, false);
});

Deno.test("envelopeOf() is what native FormData puts around a file, whatever the form holds", async () => {
  const names = ["a.png", 'say "hi".png', "a\r\nb\nc\rd.png", "😀 ü;=\\.png"];
  const metadata = [
    "{}",
    '{"a":"\\r\\n--x--\\u0000 \\"😀\\""}',
    JSON.stringify({ text: "\r\n--boundary--\r\n--------\r\n\r\n" }),
  ];
  for (const name of names) {
    for (const metadataJson of metadata) {
      const given = await envelope(name, metadataJson);
      const whole = [given.head, bytes(10), given.tail] as BlobPart[];
      const text = await new Blob(whole).text();
      const native = new Response(formWith([bytes(10)], name, metadataJson));
      const [boundary, own] = [native.headers.get("content-type")!, given.type]
        .map((type) => type.split("boundary=")[1]!);
      assertEquals(text, (await native.text()).replaceAll(boundary!, own!));
      const { file } = await parse(given.type, new Blob(whole));
      assertEquals(await file.bytes(), bytes(10));
    }
  }
});

Deno.test("envelopeOf() gives every form a boundary of its own, as it is written in the type", async () => {
  const given = await envelope();
  assert((await envelope()).type !== given.type);
  using capture = await openBytes(new Uint8Array(), 0);
  const boundary = given.type.split("boundary=")[1]!;
  const text = new TextDecoder().decode(given.head);
  assert(text.startsWith(`--${boundary}\r\n`));
  assertEquals(fileBody(given, capture).type, given.type);
});

Deno.test("a form carries every name, quoted as browsers do", async () => {
  const names: [string, string][] = [
    ["plain.png", 'filename="plain.png"'],
    ['say "hi".png', 'filename="say %22hi%22.png"'],
    ["two\nlines.png", 'filename="two%0Alines.png"'],
    ["cr\r\nlf.png", 'filename="cr%0D%0Alf.png"'],
    ["😀 ü.png", 'filename="😀 ü.png"'],
    ["semi;colon=1.png", 'filename="semi;colon=1.png"'],
    ["back\\slash.png", 'filename="back\\slash.png"'],
    ["lone \ud800.png", 'filename="lone \ufffd.png"'],
    ["n".repeat(255), `filename="${"n".repeat(255)}"`],
  ];
  for (const [name, expected] of names) {
    const { head } = await envelope(name);
    const field = new TextDecoder().decode(head).split("\r\n")
      .find((line) => line.includes('name="file"'));
    assertEquals(
      field,
      `Content-Disposition: form-data; name="file"; ${expected}`,
    );
  }
});

Deno.test("no body ends its form when the file changed since it was opened", async () => {
  await using dir = new TempDir();
  const given = await envelope();
  const size = 5 * CHUNK_BYTES;
  const changes: Record<string, (path: string) => void> = {
    "grown": (path) => Deno.writeTextFileSync(path, "more", { append: true }),
    "shrunk by a byte": (path) => Deno.truncateSync(path, size - 1),
    "shrunk to a chunk's end": (path) => Deno.truncateSync(path, CHUNK_BYTES),
    "emptied": (path) => Deno.truncateSync(path, 0),
    "written over": (path) => Deno.writeFileSync(path, bytes(size).reverse()),
  };
  for (const [name, change] of Object.entries(changes)) {
    const path = dir.write(name, bytes(size));
    using capture = await openCapture(path);
    const body = fileBody(given, capture);
    const reader = body.stream().getReader();
    let taken = (await reader.read()).value!.length;
    change(path);
    await assertRejects(async () => {
      while (true) taken += (await reader.read()).value!.length;
    });
    assertInstanceOf(body.failure, CaptureFileError, name);
    assertEquals(body.isWhole, false, name);
    assert(taken <= body.size - given.tail.length, `${name}: ${taken}`);
  }
});

Deno.test("a FileBody that is held gives nothing more, and breaks off when it is stopped", async () => {
  const given = await envelope();
  using capture = await openBytes(bytes(5 * CHUNK_BYTES), 0);
  const body = fileBody(given, capture);
  const reader = body.stream().getReader();
  await reader.read();
  body.hold();
  const next = reader.read().then(() => "more", () => "broken off");
  const first = await Promise.race([next, delay(0).then(() => "nothing")]);
  assertEquals(first, "nothing");
  body.stop();
  assertEquals(await next, "broken off");
  // Not the file's fault.
  assertEquals(body.failure, undefined);
  assertEquals(body.isWhole, false);
});

Deno.test("a FileBody ends when its reader gives up, also in the middle of a read", async () => {
  await using dir = new TempDir();
  const given = await envelope();
  using capture = await openCapture(dir.write("a", bytes(5 * CHUNK_BYTES)));
  const body = fileBody(given, capture);
  const reader = body.stream().getReader();
  await reader.read();
  const reading = reader.read();
  await reader.cancel();
  await reading;
  assertEquals(body.failure, undefined);
  assertEquals(body.isWhole, false);
});
