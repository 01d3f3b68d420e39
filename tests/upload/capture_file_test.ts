import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  CaptureFileError,
  CaptureReadError,
} from "../../sync/capture/errors.ts";
import { openBytes } from "../../sync/upload/capture_bytes.ts";
import {
  type OpenCapture,
  openCapture,
} from "../../sync/upload/capture_file.ts";
import { KNOWS_OPEN_FILES, openFiles } from "../helpers/open_files.ts";
import { sampleBytes } from "../helpers/sample_bytes.ts";
import { sha256Of } from "../../sync/host/sha256.ts";
import { TempDir } from "../helpers/temp_dir.ts";

/** Files up to this size are read at once. */
const IN_MEMORY_BYTES = 1024 * 1024;
const IS_WINDOWS = Deno.build.os === "windows";
/** One that is read at once, and one that is not. */
const SIZES = [5, IN_MEMORY_BYTES + 1];

/** Reads all of a capture, in two pieces. */
async function readAll(capture: OpenCapture): Promise<Uint8Array> {
  const bytes = new Uint8Array(capture.size);
  let length = await capture.read(bytes.subarray(0, 2), 0);
  while (length < bytes.length) {
    length += await capture.read(bytes.subarray(length), length);
  }
  return bytes;
}

async function refusal(path: string): Promise<string> {
  const error = await assertRejects(() => openCapture(path), CaptureFileError);
  assertStringIncludes(error.message, `Cannot read the capture "${path}": `);
  return error.message.slice(error.message.indexOf('": ') + 3);
}

Deno.test("openCapture() reads a file as it is now", async () => {
  await using dir = new TempDir();
  for (const size of SIZES) {
    const content = sampleBytes(size);
    const path = dir.write("a.bin", content);
    Deno.utimeSync(path, 1_700_000_000.123, 1_700_000_000.123);
    using capture = await openCapture(path);
    assertEquals(capture.size, size);
    assertEquals(capture.mtimeMs, 1_700_000_000_123);
    assertEquals(capture.identity!.size, size);
    assertEquals(capture.sha256, sha256Of(content));
    for (let attempt = 1; attempt <= 2; attempt++) {
      assertEquals(await readAll(capture), content);
      await capture.assertUnchanged();
    }
  }
});

Deno.test("openCapture() says what is wrong with a path for good", async () => {
  await using dir = new TempDir();
  assertEquals(await refusal(dir.join("missing.png")), "the file is gone");
  const directory = "it is a directory, expected a file";
  assertEquals(await refusal(dir.path), directory);
  const file = dir.write("file", "x");
  await refusal(`${file}/below`);
  await refusal(dir.join("n".repeat(300)));
  await refusal(`${file}\0`);
  await refusal("");
});

Deno.test({
  name: "openCapture() refuses what is not a regular file, without waiting",
  ignore: IS_WINDOWS,
  fn: async () => {
    await using dir = new TempDir();
    const pipe = dir.join("pipe");
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    using _socket = Deno.listen({
      transport: "unix",
      path: dir.join("socket"),
    });
    for (const path of [pipe, "/dev/null"]) {
      const reason = "it is not a regular file, expected a file";
      assertEquals(await refusal(path), reason);
    }
    await refusal(dir.join("socket"));
    Deno.symlinkSync(dir.join("loop"), dir.join("loop"));
    await refusal(dir.join("loop"));
  },
});

Deno.test({
  name:
    "openCapture() says of a file that it may not read that it may be tried again",
  // Root may read every file.
  ignore: IS_WINDOWS || Deno.uid() === 0,
  fn: async () => {
    await using dir = new TempDir();
    const path = dir.write("secret.png", "x");
    Deno.chmodSync(path, 0);
    const opening = () => openCapture(path);
    await assertRejects(opening, CaptureReadError, "permission denied");
  },
});

Deno.test("openCapture() refuses another file than the expected one, unless its bytes are known", async () => {
  await using dir = new TempDir();
  for (const size of SIZES) {
    const path = dir.write("a.png", sampleBytes(size));
    using capture = await openCapture(path);
    const { identity, sha256 } = capture;
    const { mtimeMs } = identity!;
    for (
      const expected of [
        identity!,
        { size, mtimeMs },
        // As after a chmod; as on a disk that has another number since a restart.
        { ...identity!, ctimeMs: 1 },
        { ...identity!, fileId: "1:1" },
      ]
    ) {
      (await openCapture(path, { expected }))[Symbol.dispose]();
    }
    for (
      const expected of [
        { size: size - 1, mtimeMs },
        { size, mtimeMs: mtimeMs - 1 },
        { ...identity!, fileId: "1:1", ctimeMs: 1 },
      ]
    ) {
      await assertRejects(
        () => openCapture(path, { expected }),
        CaptureFileError,
        "changed after it was handed over",
      );
      (await openCapture(path, { expected, sha256 }))[Symbol.dispose]();
    }
    await assertRejects(
      () => openCapture(path, { sha256: "0".repeat(64) }),
      CaptureFileError,
      "changed after it was handed over",
    );
  }
});

Deno.test("openCapture() ends when it is told to while it computes the hash", async () => {
  await using dir = new TempDir();
  const path = dir.write("a.bin", new Uint8Array(4 * IN_MEMORY_BYTES));
  const stop = new AbortController();
  const opening = openCapture(path, {}, stop.signal);
  const reason = new Error("told to stop");
  stop.abort(reason);
  assertEquals(await opening.catch((error) => error), reason);
});

Deno.test({
  name:
    "openCapture() leaves no descriptor open when it refuses or is disposed of",
  ignore: !KNOWS_OPEN_FILES,
  fn: async () => {
    await using dir = new TempDir();
    const path = dir.write("a.png", new Uint8Array(IN_MEMORY_BYTES + 1));
    (await openCapture(path))[Symbol.dispose]();
    await assertRejects(() => openCapture(path, { sha256: "x" }));
    await assertRejects(() =>
      openCapture(path, { expected: { size: 1, mtimeMs: 1 } })
    );
    await assertRejects(() => openCapture(dir.path));
    assertEquals(openFiles(dir.path), 0);
    using _capture = await openCapture(path);
    assertEquals(openFiles(dir.path), 1);
  },
});

Deno.test("a large capture that becomes shorter cannot be read on", async () => {
  await using dir = new TempDir();
  const size = IN_MEMORY_BYTES + 1;
  const path = dir.write("a.bin", new Uint8Array(size));
  using capture = await openCapture(path);
  Deno.truncateSync(path, 2);
  const into = new Uint8Array(5);
  assertEquals(await capture.read(into, 0), 2);
  const reading = () => capture.read(into, 2);
  const error = await assertRejects(reading, CaptureFileError);
  assertStringIncludes(error.message, `it had ${size} bytes`);
});

Deno.test("a large capture notices what happens to its file, and only what happens to its bytes", async () => {
  await using dir = new TempDir();
  const size = IN_MEMORY_BYTES + 1;
  const back = (path: string) =>
    Deno.utimeSync(path, 1_700_000_000, 1_700_000_000);
  const changes: Record<string, (path: string) => void> = {
    "grown": (path) => Deno.writeTextFileSync(path, "6", { append: true }),
    "shrunk": (path) => Deno.truncateSync(path, size - 1),
    "emptied": (path) => Deno.truncateSync(path, 0),
    // Its size and times are what they were, as far as they can be set.
    "written over": (path) => Deno.writeFileSync(path, sampleBytes(size)),
  };
  for (const [name, change] of Object.entries(changes)) {
    const path = dir.write(name, new Uint8Array(size));
    back(path);
    using capture = await openCapture(path);
    change(path);
    back(path);
    await assertRejects(
      async () => {
        await readAll(capture);
        await capture.assertUnchanged();
      },
      CaptureFileError,
      "changed",
    );
  }
  const path = dir.write("touched", new Uint8Array(size));
  using capture = await openCapture(path);
  back(path);
  await readAll(capture);
  await capture.assertUnchanged();
});

Deno.test("other bytes than those with the hash are not sent, though size and times are the same", async () => {
  await using dir = new TempDir();
  for (const size of SIZES) {
    const path = dir.write(`${size}.bin`, sampleBytes(size));
    const times = [1_700_000_000, 1_700_000_000] as const;
    Deno.utimeSync(path, ...times);
    const mtimeMs = times[1] * 1_000;
    const known = {
      expected: { size, mtimeMs },
      sha256: sha256Of(sampleBytes(size)),
    };
    {
      using capture = await openCapture(path, known);
      await readAll(capture);
      await capture.assertUnchanged();
    }
    // As a failing disk does.
    using file = Deno.openSync(path, { write: true });
    file.writeSync(new Uint8Array([0, 0]));
    Deno.utimeSync(path, ...times);
    await assertRejects(
      async () => {
        using capture = await openCapture(path, known);
        await readAll(capture);
        await capture.assertUnchanged();
      },
      CaptureFileError,
      "changed",
    );
  }
});

Deno.test({
  name: "a capture stays what it was when its name is taken away",
  // Windows does not let go of an open file's name.
  ignore: IS_WINDOWS,
  fn: async () => {
    await using dir = new TempDir();
    const content = sampleBytes(IN_MEMORY_BYTES + 1);
    const changes: Record<string, (path: string) => void> = {
      "replaced": (path) => Deno.renameSync(dir.write("other", "67890"), path),
      "removed": (path) => Deno.removeSync(path),
    };
    for (const [name, change] of Object.entries(changes)) {
      const path = dir.write(name, content);
      using capture = await openCapture(path);
      change(path);
      assertEquals(await readAll(capture), content);
      await capture.assertUnchanged();
    }
  },
});

Deno.test("a capture whose disk fails may be tried again", async () => {
  await using dir = new TempDir();
  const path = dir.write("a.bin", new Uint8Array(IN_MEMORY_BYTES + 1));
  const capture = await openCapture(path);
  capture[Symbol.dispose]();
  const error = await assertRejects(
    () => capture.read(new Uint8Array(5), 0),
    CaptureReadError,
    "Cannot read the capture",
  );
  assertInstanceOf(error.cause, Error);
});

Deno.test("openBytes() reads bytes that are in memory", async () => {
  const bytes = new Uint8Array([1, 2, 3]);
  using capture = await openBytes(bytes, 42);
  assertEquals([capture.size, capture.mtimeMs], [3, 42]);
  assertEquals(capture.sha256, sha256Of(bytes));
  const into = new Uint8Array(2);
  assertEquals(await capture.read(into, 0), 2);
  assertEquals(into, new Uint8Array([1, 2]));
  assertEquals(await capture.read(into, 2), 1);
  assertEquals(into[0], 3);
});
