import { assertEquals, assertStringIncludes } from "@std/assert";
import { eventually } from "../helpers/eventually.ts";
import { WatchedFolder } from "../helpers/watched_folder.ts";

/** Longer than any test: what is written is never finished, what is renamed is. */
const NEVER_MS = 3_600_000;
const onWindows = Deno.build.os === "windows";

Deno.test("FolderWatcher takes over what is in the folder at the start, at any depth", async () => {
  await using folder = new WatchedFolder();
  folder.write("a.png");
  folder.write("2026/11/b.png");
  await folder.start();
  await folder.took("a.png", "2026/11/b.png");
});

Deno.test("FolderWatcher takes over what comes, with its size and modification time", async () => {
  await using folder = new WatchedFolder();
  await folder.start();
  const path = folder.write("a.png", "1234567");
  await folder.took("a.png");
  assertEquals(folder.taken, [{
    path,
    size: 7,
    mtimeMs: Deno.statSync(path).mtime!.getTime(),
    metadata: {},
  }]);
});

Deno.test("FolderWatcher takes what it finds in the order of the names", async () => {
  await using folder = new WatchedFolder();
  const names = Array.from({ length: 600 }, (_, i) => `${1000 + i}.png`);
  // In an order that no file system would keep by itself.
  for (const [i] of names.entries()) folder.write(names[(i * 7) % 600]!, "");
  await folder.watcher({ settleMs: 0 }).scan();
  const taken = folder.taken.map(({ path }) => path);
  assertEquals(taken, names.map((name) => folder.join(name)));
});

Deno.test("FolderWatcher hands large files over before it looks at many more", async () => {
  await using folder = new WatchedFolder();
  for (let i = 0; i < 300; i++) {
    const path = folder.write(`${1000 + i}.film`, "");
    // Takes no room.
    if (i < 50) Deno.truncateSync(path, 2 * 1024 * 1024);
  }
  const handedOver: number[] = [];
  folder.onFinished = (files) => void handedOver.push(files.length);
  await folder.watcher({ settleMs: 0 }).scan();
  assertEquals(handedOver, [100, 200]);
});

Deno.test("FolderWatcher takes a file that was renamed into place at once, and no other before it has settled", async () => {
  await using folder = new WatchedFolder();
  await folder.start({ settleMs: NEVER_MS });
  folder.write("written.png");
  folder.write("finished.png.tmp");
  Deno.renameSync(folder.join("finished.png.tmp"), folder.join("finished.png"));
  Deno.renameSync(folder.writeOutside("moved.png"), folder.join("moved.png"));
  await folder.took("finished.png", "moved.png");
});

Deno.test("FolderWatcher waits for a file that grows", async () => {
  await using folder = new WatchedFolder();
  await folder.start({ settleMs: 1_000 });
  const path = folder.join("film.mp4");
  using file = Deno.openSync(path, { create: true, write: true });
  const begun = performance.now();
  let size = 0;
  // For longer than it would have to stay as it is.
  for (let i = 0; performance.now() - begun < 1_500; i++) {
    size += file.writeSync(new Uint8Array(1000));
    // Is taken at once, when the events before it have been heard.
    const mark = `${i}.png`;
    Deno.renameSync(folder.writeOutside(mark), folder.join(mark));
    await eventually("the mark", () => folder.names.includes(mark));
  }
  await eventually("the film", () => folder.names.includes("film.mp4"));
  const films = folder.taken.filter((file) => file.path === path);
  assertEquals(films.map(({ size }) => size), [size]);
});

Deno.test("FolderWatcher takes an old file with a new content as a new capture", async () => {
  await using folder = new WatchedFolder();
  await folder.start();
  folder.write("a.png", "first");
  await folder.took("a.png");
  folder.write("a.png", "the second");
  await eventually("it is taken again", () => folder.taken.length >= 2);
  assertEquals(folder.taken.map(({ size }) => size), [5, 10]);
});

Deno.test("FolderWatcher takes nothing twice after a restart", async () => {
  await using folder = new WatchedFolder();
  folder.write("a.png");
  await folder.start();
  await folder.took("a.png");
  await folder.stop();
  await folder.watcher().scan();
  await folder.took("a.png");
});

Deno.test("FolderWatcher passes over hidden and unfinished names, and hidden folders", async () => {
  await using folder = new WatchedFolder();
  const names = [
    ".hidden.png",
    "a.tmp",
    "a.part",
    "a.CRDOWNLOAD",
    ".git/a.png",
  ];
  for (const name of names) folder.write(name);
  await folder.start();
  for (const name of names) folder.write(name.replace("a.", "b."));
  folder.write("last.png");
  await folder.took("last.png");
  await folder.stop();
  assertEquals(folder.names, ["last.png"]);
});

Deno.test({
  name: "FolderWatcher follows no links, and leaves pipes and sockets alone",
  ignore: onWindows,
  fn: async () => {
    await using folder = new WatchedFolder();
    Deno.symlinkSync(folder.writeOutside("target"), folder.join("link.png"));
    folder.writeOutside("secret");
    Deno.symlinkSync(folder.outside(), folder.join("linked"));
    await new Deno.Command("mkfifo", { args: [folder.join("pipe")] }).output();
    using _socket = Deno.listen({
      transport: "unix",
      path: folder.join("sock"),
    });
    await folder.start();
    folder.writeOutside("through a link.png");
    Deno.renameSync(folder.outside("secret"), folder.outside("renamed.png"));
    folder.write("last.png");
    await folder.took("last.png");
    await folder.stop();
    assertEquals(folder.names, ["last.png"]);
  },
});

Deno.test({
  name:
    "FolderWatcher takes a file once, under its own path, though links in the folder lead there",
  ignore: onWindows,
  fn: async () => {
    await using folder = new WatchedFolder();
    folder.write("real/before.png");
    // The system tells of a folder by one of its names.
    for (const name of ["a", "z"]) {
      Deno.symlinkSync(folder.join("real"), folder.join(name));
    }
    await folder.start();
    folder.write("real/after.png");
    await folder.took("real/before.png", "real/after.png");
  },
});

Deno.test("FolderWatcher looks into a tree that is moved in, and hears what comes in it later", async () => {
  await using folder = new WatchedFolder();
  await folder.start();
  folder.writeOutside("tree/a.png");
  folder.writeOutside("tree/deep/b.png");
  Deno.renameSync(folder.outside("tree"), folder.join("tree"));
  await folder.took("tree/a.png", "tree/deep/b.png");
  folder.write("tree/deep/c.png");
  await folder.took("tree/a.png", "tree/deep/b.png", "tree/deep/c.png");
});

Deno.test("FolderWatcher misses none of a burst of 5,000 files", async () => {
  await using folder = new WatchedFolder();
  const capture = folder.writeOutside("capture.png");
  for (let i = 0; i < 10; i++) Deno.mkdirSync(folder.join(`${i}`));
  await folder.start();
  // Faster than writing each.
  for (let i = 0; i < 5_000; i++) {
    Deno.linkSync(capture, folder.join(`${i % 10}`, `${i}.png`));
  }
  await eventually("all are taken", () => folder.taken.length >= 5_000);
  assertEquals(new Set(folder.names).size, 5_000);
  assertEquals(folder.taken.length, 5_000);
});

Deno.test({
  name:
    "FolderWatcher says once that a name is not valid UTF-8, and takes the others",
  // Deno 2.4 does not list such a name at all.
  ignore: Deno.build.os !== "linux" || Deno.version.deno.startsWith("2.4."),
  fn: async () => {
    await using folder = new WatchedFolder();
    const touch = (name: string) =>
      new Deno.Command("sh", {
        args: ["-c", `touch "$(printf '${name}')"`],
        cwd: folder.path,
      }).output();
    await touch("before\\377.png");
    await folder.start({ rescanMs: 50 });
    await touch("after\\377.png");
    folder.write('caf\u00e9 \u{1f4f7} "it\'s"\n.png');
    await folder.took('caf\u00e9 \u{1f4f7} "it\'s"\n.png');
    folder.write("later.png");
    await eventually(
      "a rescan later",
      () => folder.names.includes("later.png"),
    );
    const said = folder.logged.join("\n");
    assertStringIncludes(said, "not valid UTF-8; rename it");
    // Once for each, and nothing else.
    assertEquals(folder.logged.length, 2, said);
  },
});
