import { assert, assertEquals, assertRejects } from "@std/assert";
import { CaptureFileError } from "../../sync/capture/errors.ts";
import { libc } from "../../sync/host/libc.ts";
import {
  type OpenedFile,
  openRegularFile,
} from "../../sync/host/opened_file.ts";
import {
  copyPrivately,
  openSource,
  UnfinishedFileError,
} from "../../sync/spool/private_copy.ts";
import { IS_OLDEST_DENO } from "../helpers/deno_version.ts";
import { sampleBytes } from "../helpers/sample_bytes.ts";
import { sha256Of } from "../../sync/host/sha256.ts";
import { testAcrossFileSystems } from "../helpers/store_fixture.ts";
import { TempDir } from "../helpers/temp_dir.ts";
import { LoopDisk, REFLINK_DISK } from "../helpers/loop_disk.ts";

const POSIX = Deno.build.os !== "windows";

/** Does something to a file just before it is read for the nth time. */
function beforeRead(
  file: OpenedFile,
  nth: number,
  act: () => void,
): OpenedFile {
  let reads = 0;
  const count = () => {
    if (++reads === nth) act();
  };
  const { readSync, read } = file;
  return Object.assign(file, {
    cloneTo(path: string) {
      Deno.createSync(path).close();
      return false;
    },
    readSync(into: Uint8Array, offset: number) {
      count();
      return readSync.call(file, into, offset);
    },
    read(into: Uint8Array, offset: number) {
      count();
      return read.call(file, into, offset);
    },
  });
}

/** Times that the oldest Deno tells without their sign. */
const BEFORE_1970 = IS_OLDEST_DENO ? [] : [-86_400_000];

function setTime(path: string, ms: number): void {
  Deno.utimeSync(path, new Date(ms), new Date(ms));
}

Deno.test("a copy has the bytes and the time of the original, shares nothing with it, and is its user's alone", async () => {
  await using dir = new TempDir();
  for (const size of [0, 5, 3_000_000]) {
    for (const mtimeMs of [...BEFORE_1970, 0, 1_763_942_400_999]) {
      const bytes = sampleBytes(size);
      const source = dir.write("capture.png", bytes);
      if (POSIX) Deno.chmodSync(source, 0o644);
      setTime(source, mtimeMs);
      const path = dir.join(`copy ${size} ${mtimeMs}`);
      using file = openRegularFile(source);
      assertEquals(await copyPrivately(file, path), sha256Of(bytes));
      Deno.writeTextFileSync(source, "scribbled over");
      assertEquals(sha256Of(Deno.readFileSync(path)), sha256Of(bytes));
      const info = Deno.statSync(path);
      assertEquals(info.mtime!.getTime(), mtimeMs);
      if (POSIX) assertEquals(info.mode! & 0o777, 0o600);
    }
  }
});

testAcrossFileSystems(
  "a copy can be made from another file system",
  async (other) => {
    await using dir = new TempDir();
    using file = openRegularFile(other.write("capture.png", "bytes"));
    await copyPrivately(file, dir.join("copy"));
    assertEquals(Deno.readTextFileSync(dir.join("copy")), "bytes");
  },
);

Deno.test("no byte is written if there may not be room", async () => {
  await using dir = new TempDir();
  using file = openRegularFile(dir.write("capture.png", "bytes"));
  const beforeCopy = () => {
    throw new RangeError("no room");
  };
  const path = dir.join("copy");
  await assertRejects(
    () => copyPrivately(file, path, { beforeCopy }),
    RangeError,
  );
  assertEquals(Deno.statSync(path).size, 0);
});

const CHANGES: Record<string, (path: string) => void> = {
  "grows": (path) => Deno.writeTextFileSync(path, "more", { append: true }),
  "is truncated": (path) => Deno.truncateSync(path, 3),
  "is emptied and written anew": (path) =>
    Deno.writeFileSync(path, sampleBytes(1000).fill(7)),
  "is overwritten in place, and its time is set back": (path) => {
    const { mtime } = Deno.statSync(path);
    using file = Deno.openSync(path, { write: true });
    file.writeSync(new Uint8Array(10));
    file.utimeSync(mtime!, mtime!);
  },
};

for (const [what, change] of Object.entries(CHANGES)) {
  for (const size of [1000, 3_000_000]) {
    Deno.test(`a file of ${size} bytes that ${what} while it is copied is refused`, async () => {
      await using dir = new TempDir();
      const source = dir.write("capture.png", sampleBytes(size));
      setTime(source, 1_700_000_000_000);
      using opened = openRegularFile(source);
      // When something was read already.
      using file = beforeRead(opened, 2, () => change(source));
      await assertRejects(
        () => copyPrivately(file, dir.join("copy")),
        UnfinishedFileError,
        `Cannot take "${source}": it is still being written to`,
      );
    });
  }
}

Deno.test("a file that was written a moment before the copy, and again within the same tick of the clock, is refused", async () => {
  await using dir = new TempDir();
  const source = dir.write("capture.png", "first");
  using opened = openRegularFile(source);
  const { identity } = opened;
  const again = () => Deno.writeTextFileSync(source, "again");
  using file = beforeRead(opened, 2, again);
  // As if the clock had not moved on.
  file.stat = () => identity;
  await assertRejects(
    () => copyPrivately(file, dir.join("copy")),
    UnfinishedFileError,
  );
});

Deno.test("a file that gets another name or other permissions while it is copied is copied", async () => {
  await using dir = new TempDir();
  for (const size of [1000, 3_000_000]) {
    const bytes = sampleBytes(size);
    const source = dir.write("capture.png", bytes);
    using opened = openRegularFile(source);
    using file = beforeRead(opened, 2, () => {
      Deno.renameSync(source, dir.join("renamed.png"));
      if (POSIX) Deno.chmodSync(dir.join("renamed.png"), 0o400);
    });
    const path = dir.join(`copy ${size}`);
    assertEquals(await copyPrivately(file, path), sha256Of(bytes));
  }
});

Deno.test({
  name:
    "a file whose size is said to be 0 and that has content is refused, and it is said why",
  ignore: !libc,
  async fn() {
    await using dir = new TempDir();
    using file = openSource("/proc/self/status");
    await assertRejects(
      () => copyPrivately(file, dir.join("copy")),
      CaptureFileError,
      "its size is said to be 0 and it has content",
    );
  },
});

Deno.test("a sparse file is copied as it reads", async () => {
  await using dir = new TempDir();
  const source = dir.write("capture.img", "");
  Deno.truncateSync(source, 5_000_000);
  using end = Deno.openSync(source, { append: true });
  end.writeSync(new TextEncoder().encode("end"));
  using file = openRegularFile(source);
  const sha256 = await copyPrivately(file, dir.join("copy"));
  assertEquals(sha256, sha256Of(Deno.readFileSync(source)));
  assertEquals(sha256, sha256Of(Deno.readFileSync(dir.join("copy"))));
});

const canReflink = await LoopDisk.canMount(REFLINK_DISK);
Deno.test({
  name: canReflink
    ? "where the file system can, a copy shares its bytes until one of the two is written to"
    : "a copy shares its bytes (skipped: no file system that can is to be had)",
  ignore: !canReflink || !libc,
  async fn() {
    await using disk = (await LoopDisk.mount(REFLINK_DISK))!;
    const bytes = sampleBytes(20 * 1024 * 1024);
    const source = `${disk.path}/capture.mkv`;
    Deno.writeFileSync(source, bytes);
    using file = openRegularFile(source);
    const path = `${disk.path}/copy`;
    const before = await disk.freeBytes();
    const sha256 = await copyPrivately(file, path, {
      beforeCopy: () => assert(false, "bytes are written"),
    });
    assert(before - await disk.freeBytes() < 1024 * 1024);
    assertEquals(sha256, sha256Of(bytes));
    Deno.writeTextFileSync(source, "scribbled over");
    assertEquals(sha256Of(Deno.readFileSync(path)), sha256);
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
  },
});

Deno.test("openSource() refuses what is no readable file, and says what it is", async () => {
  await using dir = new TempDir();
  const cases: [string, string][] = [
    [dir.join("missing"), "no such file"],
    [dir.path, "a directory"],
    [dir.join("broken"), "no such file"],
    [dir.join("loop"), "symbolic link"],
    [
      `${dir.write("file", "")}/below`,
      libc ? 'below": a file or a link is on' : "irectory",
    ],
    [dir.join("x".repeat(300)), "too long"],
  ];
  Deno.symlinkSync(dir.join("missing"), dir.join("broken"));
  Deno.symlinkSync(dir.join("loop"), dir.join("loop"));
  if (Deno.build.os === "linux") {
    const pipe = dir.join("pipe");
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    using _socket = Deno.listen({
      transport: "unix",
      path: dir.join("socket"),
    });
    cases.push([pipe, "not a regular file"]);
    cases.push([dir.join("socket"), libc ? "socket" : "not a regular file"]);
    if (libc) cases.push(["/dev/null", "not a regular file"]);
    for (const [path, words] of cases) {
      const error = await assertRejects(
        // deno-lint-ignore require-await -- so that it can be compared
        async () => openSource(path),
        CaptureFileError,
        words,
      );
      assert(error.message.includes(`"${path}"`), error.message);
    }
  }
});
