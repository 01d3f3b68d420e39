import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { bytesCapture, openCapture } from "../../sync/upload/capture_file.ts";
import {
  CaptureFileError,
  CaptureReadError,
} from "../../sync/capture/errors.ts";
import { KNOWS_OPEN_FILES, openFiles } from "../helpers/open_files.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const IS_WINDOWS = Deno.build.os === "windows";

function refusal(path: string): string {
  const error = assertThrows(() => openCapture(path), CaptureFileError);
  assertStringIncludes(error.message, `Cannot read the capture "${path}": `);
  return error.message.slice(error.message.indexOf('": ') + 3);
}

Deno.test("openCapture() reads a file as it is now", async () => {
  await using dir = new TempDir();
  const path = dir.write("a.bin", new Uint8Array([1, 2, 3, 4, 5]));
  Deno.utimeSync(path, 1_700_000_000.123, 1_700_000_000.123);
  using capture = openCapture(path);
  assertEquals(capture.size, 5);
  assertEquals(capture.mtimeMs, 1_700_000_000_123);
  const bytes = new Uint8Array(5);
  const read = await capture.read(bytes.subarray(0, 2));
  assertEquals(read + capture.readSync(bytes.subarray(read)), 5);
  assertEquals(bytes, new Uint8Array([1, 2, 3, 4, 5]));
  capture.assertUnchanged();
});

Deno.test("openCapture() says what is wrong with a path for good", async () => {
  await using dir = new TempDir();
  assertEquals(refusal(dir.join("missing.png")), "the file is gone");
  assertEquals(refusal(dir.path), "it is a directory, expected a file");
  const file = dir.write("file", "x");
  refusal(`${file}/below`);
  refusal(dir.join("n".repeat(300)));
  refusal(`${file}\0`);
  refusal("");
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
    for (const path of [pipe, dir.join("socket"), "/dev/null"]) {
      assertEquals(refusal(path), "it is not a regular file, expected a file");
    }
    Deno.symlinkSync(dir.join("loop"), dir.join("loop"));
    refusal(dir.join("loop"));
  },
});

Deno.test({
  name: "openCapture() refuses a file that it may not read",
  // Root may read every file.
  ignore: IS_WINDOWS || Deno.uid() === 0,
  fn: async () => {
    await using dir = new TempDir();
    const path = dir.write("secret.png", "x");
    Deno.chmodSync(path, 0);
    assertEquals(refusal(path), "permission denied");
  },
});

Deno.test("openCapture() refuses another file than the expected one", async () => {
  await using dir = new TempDir();
  const path = dir.write("a.png", "12345");
  const { size, mtimeMs } = openAndClose(path);
  openCapture(path, { size, mtimeMs })[Symbol.dispose]();
  for (
    const expected of [{ size: 4, mtimeMs }, { size, mtimeMs: mtimeMs - 1 }]
  ) {
    assertThrows(
      () => openCapture(path, expected),
      CaptureFileError,
      "changed after it was handed over",
    );
  }
});

Deno.test({
  name:
    "openCapture() leaves no descriptor open when it refuses or is disposed of",
  ignore: !KNOWS_OPEN_FILES,
  fn: async () => {
    await using dir = new TempDir();
    const path = dir.write("a.png", "12345");
    openAndClose(path);
    assertThrows(() => openCapture(path, { size: 1, mtimeMs: 1 }));
    assertThrows(() => openCapture(dir.path));
    assertEquals(openFiles(dir.path), 0);
    using _capture = openCapture(path);
    assertEquals(openFiles(dir.path), 1);
  },
});

Deno.test("a capture that becomes shorter cannot be read on", async () => {
  await using dir = new TempDir();
  const path = dir.write("a.bin", "12345");
  using capture = openCapture(path);
  Deno.truncateSync(path, 2);
  const into = new Uint8Array(5);
  assertEquals(capture.readSync(into), 2);
  const error = await assertRejects(() => capture.read(into), CaptureReadError);
  assertStringIncludes(error.message, "it had 5 bytes");
  assertThrows(() => capture.readSync(into), CaptureReadError);
});

Deno.test("a capture notices what happens to its file", async () => {
  await using dir = new TempDir();
  const changes: Record<string, (path: string) => void> = {
    "grown": (path) => {
      Deno.writeTextFileSync(path, "6", { append: true });
      Deno.utimeSync(path, 1_700_000_000, 1_700_000_000);
    },
    "shrunk": (path) => {
      Deno.truncateSync(path, 4);
      Deno.utimeSync(path, 1_700_000_000, 1_700_000_000);
    },
    "emptied": (path) => Deno.truncateSync(path, 0),
    "written over": (path) => {
      Deno.writeTextFileSync(path, "54321");
      Deno.utimeSync(path, 1_700_000_001, 1_700_000_001);
    },
  };
  for (const [name, change] of Object.entries(changes)) {
    const path = dir.write(name, "12345");
    Deno.utimeSync(path, 1_700_000_000, 1_700_000_000);
    using capture = openCapture(path);
    capture.assertUnchanged();
    change(path);
    assertThrows(() => capture.assertUnchanged(), CaptureReadError, "changed");
  }
});

Deno.test({
  name: "a capture stays what it was when its name is taken away",
  // Windows does not let go of an open file's name.
  ignore: IS_WINDOWS,
  fn: async () => {
    await using dir = new TempDir();
    const changes: Record<string, (path: string) => void> = {
      "replaced": (path) => Deno.renameSync(dir.write("other", "67890"), path),
      "removed": (path) => Deno.removeSync(path),
    };
    for (const [name, change] of Object.entries(changes)) {
      const path = dir.write(name, "12345");
      using capture = openCapture(path);
      change(path);
      const bytes = new Uint8Array(5);
      assertEquals(await capture.read(bytes), 5);
      assertEquals(new TextDecoder().decode(bytes), "12345");
      capture.assertUnchanged();
    }
  },
});

Deno.test("a capture whose disk fails may be tried again", async () => {
  await using dir = new TempDir();
  const capture = openCapture(dir.write("a.bin", "12345"));
  capture[Symbol.dispose]();
  const error = await assertRejects(
    () => capture.read(new Uint8Array(5)),
    CaptureReadError,
    "Cannot read the capture",
  );
  assertInstanceOf(error.cause, Error);
});

Deno.test("bytesCapture() reads bytes that are in memory", async () => {
  using capture = bytesCapture(new Uint8Array([1, 2, 3]), 42);
  assertEquals([capture.size, capture.mtimeMs], [3, 42]);
  const into = new Uint8Array(2);
  assertEquals(await capture.read(into), 2);
  assertEquals(into, new Uint8Array([1, 2]));
  assertEquals(capture.readSync(into), 1);
  assertEquals(into[0], 3);
});

function openAndClose(path: string): { size: number; mtimeMs: number } {
  using capture = openCapture(path);
  return capture;
}
