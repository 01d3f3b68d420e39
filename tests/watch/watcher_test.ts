import { assertEquals } from "@std/assert";
import { WatchedFolder } from "../helpers/watched_folder.ts";

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
  const [file] = folder.taken;
  assertEquals(file!.path, path);
  assertEquals(file!.metadataJson, "{}");
  assertEquals(file!.identity.size, 7);
  assertEquals(
    file!.identity.mtimeMs,
    Deno.statSync(path).mtime!.getTime(),
  );
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
  assertEquals(handedOver, [32, 268]);
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

Deno.test("FolderWatcher takes files with odd names", async () => {
  await using folder = new WatchedFolder();
  const names = [
    'caf\u00e9 \u{1f4f7} "it\'s"\n.png',
    "\ufeffa.png",
    "a\ufffd.png",
    "-",
    "a\\b",
  ];
  folder.write(names[0]!);
  await folder.start();
  names.slice(1).forEach((name) => folder.write(name));
  await folder.took(...names);
});
