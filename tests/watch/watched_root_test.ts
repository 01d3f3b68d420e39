/** Which folder is the one that was to be watched. */
import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { CaptureReadError } from "../../sync/capture/errors.ts";
import { openRegularFile } from "../../sync/host/opened_file.ts";
import { openersIn } from "../../sync/watch/openers.ts";
import { WatchedRoot } from "../../sync/watch/watched_root.ts";
import { eventually } from "../helpers/eventually.ts";
import {
  CAN_GIVE_AWAY,
  NEIGHBOUR,
  neighboursLink,
} from "../helpers/neighbour.ts";
import { WatchedFolder } from "../helpers/watched_folder.ts";

const isRoot = Deno.build.os === "linux" && Deno.uid() === 0;
const ignore = Deno.build.os === "windows";
const NOBODY = 65534;

/** A root, and what it says. */
function rootOf(path: string): { root: WatchedRoot; said: string[] } {
  const said: string[] = [];
  return { root: new WatchedRoot(path, (_, text) => said.push(text)), said };
}

/** Whether it opens, and as a folder with this file in it. */
function opens(root: WatchedRoot, file?: string): boolean {
  using folder = root.open();
  return folder !== undefined &&
    (file === undefined || folder.look(file) !== undefined);
}

Deno.test({
  name: "a watched folder that becomes a link is waited for, and said once",
  ignore,
  async fn() {
    await using folder = new WatchedFolder();
    folder.writeOutside("secret/key.png");
    await folder.start();
    folder.write("a.png");
    await folder.took("a.png");
    Deno.renameSync(folder.path, folder.outside("old"));
    Deno.symlinkSync(folder.outside("secret"), folder.path);
    await eventually("it is said", () => folder.logged.length > 0);
    Deno.removeSync(folder.path);
    folder.write("b.png");
    await folder.took("a.png", "b.png");
    assertEquals(folder.logged, [
      `warn Cannot watch "${folder.path}", waiting: it was a folder and is a symbolic link now; start the agent again if that is right`,
      `info Watching "${folder.path}"`,
    ]);
  },
});

Deno.test("the log says of a watched folder that goes and comes back at once that it is watched again", async () => {
  await using folder = new WatchedFolder();
  const { root, said } = rootOf(folder.path);
  assertEquals(root.check(), "new");
  Deno.renameSync(folder.path, folder.path + ".old");
  assert(!opens(root));
  Deno.mkdirSync(folder.path);
  assert(opens(root));
  assertEquals(root.check(), "back");
  assertEquals(said, [
    `Cannot find the folder "${folder.path}", waiting for it`,
    `Watching "${folder.path}"`,
  ]);
});

Deno.test({
  name:
    "a subfolder that is swapped for a link to elsewhere is not looked into",
  ignore,
  async fn() {
    await using folder = new WatchedFolder();
    folder.writeOutside("secret/key.png");
    folder.write("sub/a.png");
    await folder.start({ rescanMs: 20 });
    await folder.took("sub/a.png");
    const { mtime } = Deno.statSync(folder.path);
    Deno.renameSync(folder.join("sub"), folder.outside("sub"));
    Deno.symlinkSync(folder.outside("secret"), folder.join("sub"));
    // As if nothing had changed.
    Deno.utimeSync(folder.path, mtime!, mtime!);
    folder.writeOutside("secret/more.png");
    folder.write("mark.png");
    await folder.took("sub/a.png", "mark.png");
    folder.write("mark 2.png");
    await folder.took("sub/a.png", "mark.png", "mark 2.png");
  },
});

Deno.test({
  name:
    "a file that is exchanged for a link, or for another one, after it was seen is not opened",
  ignore,
  async fn() {
    await using folder = new WatchedFolder();
    const secret = folder.writeOutside("secret", "12345");
    const paths = [folder.write("a.png", "12345"), folder.write("b.png")];
    await folder.watcher({ settleMs: 0 }).scan();
    const [a, b] = folder.taken;
    paths.forEach((path) => Deno.removeSync(path));
    const { mtime } = Deno.statSync(secret);
    Deno.symlinkSync(secret, paths[0]!);
    Deno.linkSync(secret, paths[1]!);
    Deno.utimeSync(secret, mtime!, mtime!);
    for (const file of [a, b]) {
      let opened: Disposable | undefined;
      try {
        opened = file!.open();
      } catch {
        // As it should be.
      }
      assertEquals(opened, undefined);
    }
    using _still = openRegularFile(secret);
  },
});

Deno.test({
  name:
    "a watched folder that belongs to another user than before is waited for",
  ignore: !isRoot,
  async fn() {
    await using folder = new WatchedFolder();
    const { root, said } = rootOf(folder.path);
    assert(opens(root));
    Deno.chownSync(folder.path, NOBODY, NOBODY);
    assert(!opens(root));
    assert(!opens(root));
    assertEquals(said.length, 1);
    assertStringIncludes(said[0]!, `belongs to user ${NOBODY} now`);
    Deno.chownSync(folder.path, 0, 0);
    assert(opens(root));
  },
});

Deno.test({
  name:
    "a watched folder of another user is taken for the same when he makes it anew",
  ignore: !isRoot,
  async fn() {
    await using folder = new WatchedFolder();
    Deno.chownSync(folder.path, NOBODY, NOBODY);
    const { root, said } = rootOf(folder.path);
    assert(opens(root));
    Deno.removeSync(folder.path);
    assert(!opens(root));
    folder.write("new");
    Deno.chownSync(folder.path, NOBODY, NOBODY);
    assert(opens(root, "new"));
    Deno.chownSync(folder.path, 1, 1);
    assert(!opens(root));
    assertEquals(said.length, 2);
  },
});

Deno.test({
  name:
    "a link given as a watched folder may be pointed elsewhere by its owner",
  ignore,
  async fn() {
    await using folder = new WatchedFolder();
    const link = folder.outside("link");
    folder.writeOutside("one/1");
    folder.writeOutside("two/2");
    const point = (to: string) => {
      Deno.symlinkSync(folder.outside(to), `${link}.new`);
      Deno.renameSync(`${link}.new`, link);
    };
    point("one");
    const { root, said } = rootOf(link);
    assert(opens(root, "1"));
    point("two");
    assert(opens(root, "2"));
    assertEquals(said, []);
  },
});

Deno.test({
  name:
    "a link given as a watched folder may not be pointed elsewhere by anybody else",
  ignore: !isRoot,
  async fn() {
    await using folder = new WatchedFolder();
    const link = folder.outside("link");
    folder.writeOutside("one/1");
    folder.writeOutside("two/2");
    const point = (to: string, uid: number) => {
      Deno.symlinkSync(folder.outside(to), `${link}.new`);
      new Deno.Command("chown", { args: ["-h", `${uid}`, `${link}.new`] })
        .outputSync();
      Deno.renameSync(`${link}.new`, link);
    };
    point("one", 0);
    const { root, said } = rootOf(link);
    assert(opens(root, "1"));
    point("two", NOBODY);
    assert(!opens(root));
    // Not even to what is his own.
    Deno.chownSync(folder.outside("two"), NOBODY, NOBODY);
    assert(!opens(root));
    point("one", 0);
    assert(opens(root, "1"));
    assertEquals(said.length, 2, said.join("\n"));
    // Nor at the start to what is another's.
    point("one", NOBODY);
    assert(!opens(rootOf(link).root));
  },
});

Deno.test("a file is not gone while its folder is an empty one on another disk", async () => {
  await using folder = new WatchedFolder();
  const filepath = folder.write("a.raw");
  using file = openRegularFile(filepath);
  const { root } = rootOf(folder.path);
  const open = (fileId: string) =>
    openersIn([root]).openOriginal({
      ...{ id: "one", filepath, watched: true },
      identity: { ...file.identity, fileId },
    })[Symbol.dispose]();
  const other = "ffff.1:2";
  open(other);
  Deno.removeSync(filepath);
  assertThrows(() => open(file.identity.fileId), Deno.errors.NotFound);
  assertThrows(() => open(other), CaptureReadError, "on another disk");
  folder.write("b.raw");
  assertThrows(() => open(other), Deno.errors.NotFound);
});

Deno.test("a file is not gone while the folder on its way that is there is another disk's", async () => {
  await using folder = new WatchedFolder();
  const filepath = folder.write("card/DCIM/a.raw");
  using file = openRegularFile(filepath);
  const { root } = rootOf(folder.path);
  folder.write("b.raw");
  const open = (fileId: string) =>
    openersIn([root]).openOriginal({
      ...{ id: "one", filepath, watched: true },
      identity: { ...file.identity, fileId },
    })[Symbol.dispose]();
  const other = "ffff.1:2";
  const away = (place: string) =>
    `its disk is away, "${folder.join(place)}" is on another disk`;
  Deno.removeSync(filepath);
  assertThrows(() => open(other), CaptureReadError, away("card/DCIM"));
  Deno.removeSync(folder.join("card/DCIM"));
  assertThrows(() => open(other), CaptureReadError, away("card"));
  assertEquals([...root.away.keys()], ["one"]);
  Deno.removeSync(folder.join("card"));
  assertThrows(() => open(other), CaptureReadError, away(""));
  assertThrows(() => open(file.identity.fileId), Deno.errors.NotFound);
  assertEquals(root.away.size, 0);
  // Its own disk may have another number by now.
  folder.write("card/DCIM/b.raw");
  assertThrows(() => open(other), Deno.errors.NotFound);
});

Deno.test({
  name:
    "a link of another user on the way to a watched folder is not followed, whenever it comes",
  ignore: !CAN_GIVE_AWAY,
  async fn() {
    await using folder = new WatchedFolder();
    folder.writeOutside("home/private/key.png");
    folder.writeOutside("share/in/private/a.png");
    const path = folder.outside("share/in/private");
    const { root, said } = rootOf(path);
    assert(opens(root, "a.png"));
    // Whoever may write to `share` may exchange what is in it.
    Deno.renameSync(folder.outside("share/in"), folder.outside("share/old"));
    neighboursLink(folder.outside("home"), folder.outside("share/in"));
    assert(!opens(root));
    assert(!opens(root));
    assert(!opens(rootOf(path).root));
    assertEquals(said.length, 1);
    assertStringIncludes(
      said[0]!,
      `Cannot watch "${path}", waiting: "${
        folder.outside("share/in")
      }" is a symbolic link of user ${NEIGHBOUR} to "${
        folder.outside("home")
      }", expected one of this user`,
    );
    Deno.removeSync(folder.outside("share/in"));
    Deno.renameSync(folder.outside("share/old"), folder.outside("share/in"));
    assert(opens(root, "a.png"));
  },
});
