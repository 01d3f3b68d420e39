import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { type FolderEntry, openFolder } from "../../sync/host/folder.ts";
import { bindingFlags } from "../../scripts/task/bindings.ts";
import { libc } from "../../sync/host/libc.ts";
import {
  NotRegularFileError,
  openRegularFile,
} from "../../sync/host/opened_file.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const LEASE_CHILD = import.meta.resolve("./lease_child.ts");
/** What only Linux's own calls can do; `portable_test.ts` runs the rest without them. */
const ignore = libc === undefined;

function contentOf(file: ReturnType<typeof openRegularFile>): string {
  const bytes = new Uint8Array(file.identity.size);
  file.readSync(bytes, 0);
  return new TextDecoder().decode(bytes);
}

Deno.test("a file is read as it is, at any offset, and goes on when its name has gone", async () => {
  await using dir = new TempDir();
  dir.write("a.txt", "hello world");
  using file = openRegularFile(join(dir.path, "a.txt"));
  Deno.removeSync(join(dir.path, "a.txt"));
  const bytes = new Uint8Array(5);
  assertEquals(file.readSync(bytes, 6), 5);
  assertEquals(new TextDecoder().decode(bytes), "world");
  assertEquals(await file.read(bytes, 9), 2);
  assertEquals(await file.read(bytes, 11), 0);
});

Deno.test("a pipe, a folder and a link where none may be are refused and not waited for", async () => {
  await using dir = new TempDir();
  dir.write("a.txt", "a");
  const path = (name: string) => join(dir.path, name);
  await new Deno.Command("mkfifo", { args: [path("pipe")] }).output();
  Deno.symlinkSync(path("a.txt"), path("link"));
  using folder = openFolder(dir.path);
  assertThrows(() => openRegularFile(path("pipe")), NotRegularFileError);
  assertThrows(() => openRegularFile(dir.path), NotRegularFileError);
  assertThrows(() => openRegularFile(path("link"), { noFollow: true }));
  assertThrows(() => folder.openFile("pipe"), NotRegularFileError);
  assertThrows(() => folder.openFile("link"));
  using followed = openRegularFile(path("link"));
  assertEquals(contentOf(followed), "a");
});

Deno.test("nothing outside a folder is reached through it, by links or by names", async () => {
  await using dir = new TempDir();
  dir.write("secret/key.txt", "secret");
  dir.write("watched/sub/a.txt", "a");
  using folder = openFolder(join(dir.path, "watched"));
  Deno.renameSync(
    join(dir.path, "watched/sub"),
    join(dir.path, "watched/old"),
  );
  Deno.symlinkSync(join(dir.path, "secret"), join(dir.path, "watched/sub"));
  for (const name of ["sub/key.txt", "../secret/key.txt", "old/../../x"]) {
    assertThrows(() => folder.openFile(name), name);
  }
  assertThrows(() => folder.openFile(join(dir.path, "secret/key.txt")));
  assertThrows(() => folder.openFolder("sub"));
  const { kind: _, ...secret } = openFolder(join(dir.path, "secret"))
    .look("key.txt")!;
  assertThrows(() => folder.remove("sub/key.txt", secret));
  using target = openFolder(join(dir.path, "watched"));
  const to = { to: target, as: "stolen", expected: secret };
  assertThrows(() => folder.move("sub/key.txt", to));
  assertEquals(
    Deno.readTextFileSync(join(dir.path, "secret/key.txt")),
    "secret",
  );
});

Deno.test("a folder goes on being the one that was opened when a link takes its name, or is refused", async () => {
  await using dir = new TempDir();
  dir.write("watched/a.txt", "mine");
  dir.write("other/a.txt", "theirs");
  const path = join(dir.path, "watched");
  using folder = openFolder(path);
  Deno.renameSync(path, join(dir.path, "moved"));
  Deno.symlinkSync(join(dir.path, "other"), path);
  if (ignore) {
    assertThrows(() => folder.openFile("a.txt"), Error, "another folder now");
    assertThrows(() => [...folder.list()], Error, "another folder now");
    return;
  }
  using file = folder.openFile("a.txt");
  assertEquals(contentOf(file), "mine");
});

Deno.test("only the very version of a file that is expected is removed or moved", async () => {
  await using dir = new TempDir();
  dir.write("a.txt", "one");
  dir.write("sub/b.txt", "one");
  Deno.mkdirSync(join(dir.path, "sent"));
  using folder = openFolder(dir.path);
  using target = openFolder(join(dir.path, "sent"));
  const { kind: _, ...before } = folder.look("a.txt")!;
  const other = { ...before, size: 4 };
  assertEquals(folder.remove("a.txt", other), false);
  assertEquals(
    folder.move("a.txt", { to: target, as: "a.txt", expected: other }),
    false,
  );
  assert(folder.move("a.txt", { to: target, as: "a.txt", expected: before }));
  const { kind: __, ...b } = folder.look("sub/b.txt")!;
  assertThrows(() =>
    folder.move("sub/b.txt", { to: target, as: "a.txt", expected: b })
  );
  assert(folder.remove("sub/b.txt", b));
  assertEquals(folder.look("sub/b.txt"), undefined);
  assertEquals(Deno.readTextFileSync(join(dir.path, "sent/a.txt")), "one");
});

Deno.test("a listing has every name, and tells those that are not UTF-8", async () => {
  await using dir = new TempDir();
  for (let n = 0; n < 3000; n++) dir.write(`f${n}`, "");
  Deno.mkdirSync(join(dir.path, "folder"));
  Deno.symlinkSync("nowhere", join(dir.path, "link"));
  await new Deno.Command("sh", {
    args: ["-c", "touch \"$(printf 'a\\377b')\""],
    cwd: dir.path,
  }).output();
  using folder = openFolder(dir.path);
  const entries = [...folder.list()].flat();
  assertEquals(entries.length, 3003);
  const of = (kind: FolderEntry["kind"]) =>
    entries.filter((entry) => entry.kind === kind).map(({ name }) => name);
  assertEquals([of("folder"), of("link")], [["folder"], ["link"]]);
  assertEquals(
    entries.filter(({ isUtf8 }) => !isUtf8).map(({ name }) => name),
    ["a\ufffdb"],
  );
  assertEquals([...folder.list()].flat().length, 3003);
});

Deno.test({
  name:
    "a file that somebody has open for writing is told from one that nobody has",
  ignore,
  async fn() {
    await using dir = new TempDir();
    dir.write("a.txt", "a");
    const path = join(dir.path, "a.txt");
    using file = openRegularFile(path);
    assertEquals(file.isOpenForWriting(), false);
    {
      using _writer = Deno.openSync(path, { append: true });
      assertEquals(file.isOpenForWriting(), true);
    }
    assertEquals(file.isOpenForWriting(), false);
  },
});

Deno.test({
  name:
    "asking whether a file is open for writing survives those who open it just then",
  ignore,
  async fn() {
    await using dir = new TempDir();
    const path = dir.write("a.txt", "a");
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", ...bindingFlags(), LEASE_CHILD, path],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const lines = child.stdout.getReader();
    // It asks without a pause from its first word on.
    await lines.read();
    for (let n = 0; n < 100_000; n++) {
      Deno.openSync(path, { append: true }).close();
    }
    await child.stdin.close();
    while (!(await lines.read()).done);
    assert((await child.status).success);
  },
});

Deno.test("a file that is closed amid a read is closed when the read has ended", async () => {
  await using dir = new TempDir();
  dir.write("a.txt", "hello");
  const file = openRegularFile(join(dir.path, "a.txt"));
  const bytes = new Uint8Array(5);
  const reading = file.read(bytes, 0);
  file[Symbol.dispose]();
  assertEquals(await reading, 5);
});

Deno.test({
  name: "a file that gets the number of one that was removed is another file",
  ignore,
  async fn() {
    await using dir = new TempDir();
    const ids = new Set<string>();
    for (let i = 0; i < 200; i++) {
      const path = dir.write("a.png", "a");
      using file = openRegularFile(path);
      ids.add(file.identity.fileId);
      Deno.removeSync(path);
    }
    assertEquals(ids.size, 200);
  },
});
