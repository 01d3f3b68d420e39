import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { setImmediate } from "node:timers";
import { eventually } from "../helpers/eventually.ts";
import { WatchedFolder } from "../helpers/watched_folder.ts";

/** Where thousands of files are quickly made. */
const IN_MEMORY = Deno.build.os === "linux" ? { dir: "/dev/shm" } : {};

Deno.test("FolderWatcher waits for a folder that is not there, and says so once", async () => {
  await using folder = new WatchedFolder();
  Deno.removeSync(folder.path);
  await folder.start();
  folder.write("a.png");
  await folder.took("a.png");
  await eventually("it is back", () => folder.logged.length > 1);
  assertEquals(folder.logged, [
    `warn Cannot find the folder "${folder.path}", waiting for it`,
    `info Watching "${folder.path}"`,
  ]);
});

Deno.test("FolderWatcher hears of a folder again that was deleted and made anew", async () => {
  await using folder = new WatchedFolder();
  await folder.start();
  folder.write("a.png");
  await folder.took("a.png");
  Deno.removeSync(folder.path, { recursive: true });
  folder.write("b.png");
  await folder.took("a.png", "b.png");
  // A rescan would take minutes.
  folder.write("c.png");
  await folder.took("a.png", "b.png", "c.png");
});

Deno.test("FolderWatcher hears of the folder that took the place of another", async () => {
  await using folder = new WatchedFolder();
  await folder.start();
  const other = folder.outside("other");
  Deno.mkdirSync(other, { recursive: true });
  Deno.renameSync(folder.path, folder.outside("old"));
  Deno.renameSync(other, folder.path);
  for (const name of ["a.png", "b.png"]) {
    folder.write(name);
    await eventually(`${name} taken`, () => folder.names.includes(name));
  }
});

Deno.test("FolderWatcher tries again when files cannot be taken over, and says so once", async () => {
  await using folder = new WatchedFolder();
  let tries = 0;
  folder.onFinished = () => {
    if (++tries < 4) throw new Error("the disk is full");
  };
  folder.write("a.png");
  await folder.start({ rescanMs: 50 });
  await folder.took("a.png");
  assertEquals(folder.logged, [
    "warn Cannot take over watched files, will try again: the disk is full",
  ]);
});

Deno.test("FolderWatcher takes the others when one file cannot be taken over", async () => {
  await using folder = new WatchedFolder();
  folder.onFinished = (files) => {
    if (files.some(({ path }) => path.includes("bad"))) throw new Error("bad");
  };
  const names = Array.from({ length: 250 }, (_, i) => `${i}.png`);
  for (const name of names) folder.write(name, "");
  folder.write("bad.png");
  folder.write("deep/bad.png");
  await folder.start({ rescanMs: 50 });
  await folder.took(...names);
});

Deno.test("FolderWatcher takes no file twice when several are taken in part", async () => {
  await using folder = new WatchedFolder();
  folder.onFinished = (files) => {
    if (files.length === 1) return;
    folder.take(files.slice(0, 2));
    throw new Error("the disk is full");
  };
  const names = ["a.png", "b.png", "c.png", "d.png"];
  for (const name of names) folder.write(name);
  await folder.start();
  await folder.took(...names);
});

Deno.test("FolderWatcher comes back for files when there are more than it can wait for", async () => {
  await using folder = new WatchedFolder(IN_MEMORY);
  // Their own time does not say that they are finished.
  const nextYear = Date.now() / 1000 + 31_536_000;
  for (let i = 0; i < 10_100; i++) {
    Deno.utimeSync(folder.write(`${i}.png`), nextYear, nextYear);
  }
  await folder.start();
  await eventually("all are taken", () => folder.taken.length >= 10_100);
  assertEquals(folder.taken.length, 10_100);
});

Deno.test("FolderWatcher.scan() throws what prevents it", async () => {
  await using folder = new WatchedFolder();
  folder.onFinished = () => {
    throw new Error("the disk is full");
  };
  folder.write("a.png");
  const error = await folder.watcher({ settleMs: 0 }).scan()
    .catch((error) => error);
  assertEquals(error?.message, "the disk is full");
});

Deno.test("FolderWatcher ends at once when it is stopped amid many files", async () => {
  await using folder = new WatchedFolder();
  for (let i = 0; i < 2_000; i++) folder.write(`${i}.png`, "");
  const begun = Promise.withResolvers<void>();
  const stopped = Promise.withResolvers<void>();
  folder.onFinished = () => {
    begun.resolve();
    return stopped.promise;
  };
  const running = folder.start({ settleMs: 0 });
  await begun.promise;
  const stopping = folder.stop();
  stopped.resolve();
  await Promise.all([running, stopping]);
  assert(folder.taken.length < 2_000, `${folder.taken.length} were taken`);
});

Deno.test("FolderWatcher leaves folders that are nested deeper than any path may be long", async () => {
  await using folder = new WatchedFolder(IN_MEMORY);
  const level = `${"d".repeat(250)}/`;
  folder.write(`${level.repeat(9)}a.png`);
  let inner = folder.outside("0");
  folder.writeOutside(`0/${level.repeat(10)}deep.png`);
  for (const n of [1, 2, 3]) {
    const outer = folder.outside(`${n}`);
    Deno.mkdirSync(join(outer, level.repeat(9)), { recursive: true });
    Deno.renameSync(inner, join(outer, level.repeat(9), level));
    inner = outer;
  }
  Deno.renameSync(inner, folder.join(level.repeat(9), level));
  await folder.watcher({ settleMs: 0 }).scan();
  assertEquals(folder.names, [`${level.repeat(9)}a.png`]);
});

Deno.test("FolderWatcher lets others have their turn after each of very many folders", async () => {
  await using folder = new WatchedFolder(IN_MEMORY);
  for (let n = 0; n < 500; n++) Deno.mkdirSync(folder.join(`${n}`));
  const watcher = folder.watcher();
  await watcher.scan();
  let isOver = false;
  const scan = watcher.scan().then(() => isOver = true);
  let turns = 0;
  for (; !isOver; turns++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  await scan;
  assert(turns > 500);
});

Deno.test("FolderWatcher looks through so many folders that its memory is bounded, and says so once", async () => {
  await using folder = new WatchedFolder();
  folder.write("a.png");
  for (const name of ["b", "c", "d", "e"]) folder.write(`${name}/x.png`);
  const watcher = folder.watcher({ settleMs: 0, maxFolders: 3 });
  await watcher.scan();
  await watcher.scan();
  assertEquals([folder.names.length, folder.logged.length], [3, 1]);
  assertMatch(
    folder.logged[0]!,
    /^warn Cannot look through all folders in ".*": there are more than 3, ".*" is one of the others; remove some$/,
  );
});
