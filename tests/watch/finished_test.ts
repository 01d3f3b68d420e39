/** When a file of a watched folder is finished. */
import { assert, assertEquals } from "@std/assert";
import { eventually } from "../helpers/eventually.ts";
import { HAS_NAMESPACES, startWatchProcess } from "../helpers/watch_process.ts";
import { WatchedFolder } from "../helpers/watched_folder.ts";

const ignore = Deno.build.os !== "linux";
/** Longer than any test: what is written is never finished, what is renamed is. */
const NEVER_MS = 3_600_000;

/** Waits until the watcher has heard and looked at whatever happened until now, and for as long. */
async function heard(folder: WatchedFolder, mark: string): Promise<void> {
  folder.write(mark);
  await eventually(`${mark} is taken`, () => folder.names.includes(mark));
}

function sizes(folder: WatchedFolder, name: string): number[] {
  return folder.taken.filter(({ path }) => path === folder.join(name))
    .map(({ identity }) => identity.size);
}

Deno.test({
  name:
    "a file that somebody has open for writing is not finished, however quiet",
  ignore,
  async fn() {
    await using folder = new WatchedFolder();
    await folder.start();
    const path = folder.join("rec.mkv");
    {
      using recorder = Deno.openSync(path, { create: true, write: true });
      for (let i = 0; i < 5; i++) {
        recorder.writeSync(new Uint8Array(1000));
        // Several times the settle time.
        await heard(folder, `${i}.png`);
        await heard(folder, `${i} again.png`);
      }
      assertEquals(sizes(folder, "rec.mkv"), []);
    }
    await eventually("it is taken", () => folder.names.includes("rec.mkv"));
    assertEquals(sizes(folder, "rec.mkv"), [5000]);
  },
});

Deno.test({
  name:
    "a file that is open for writing since before the start is not finished, be it old",
  ignore,
  async fn() {
    await using folder = new WatchedFolder();
    const path = folder.write("rec.mkv", "1234");
    const file = Deno.openSync(path, { append: true });
    await folder.watcher({ settleMs: 0 }).scan();
    await folder.start();
    await heard(folder, "a.png");
    assertEquals(sizes(folder, "rec.mkv"), []);
    file.close();
    await eventually("it is taken", () => folder.names.includes("rec.mkv"));
  },
});

Deno.test({
  name:
    "a file that is renamed while it is written is not finished: into the folder, and within it",
  ignore,
  async fn() {
    await using folder = new WatchedFolder();
    await folder.start();
    const file = Deno.openSync(folder.writeOutside("rec"), { append: true });
    Deno.renameSync(folder.outside("rec"), folder.join("a.mkv"));
    await heard(folder, "a.png");
    Deno.renameSync(folder.join("a.mkv"), folder.join("b.mkv"));
    await heard(folder, "b.png");
    file.writeSync(new Uint8Array(100));
    await heard(folder, "c.png");
    assertEquals(folder.names, ["a.png", "b.png", "c.png"]);
    file.close();
    await eventually("it is taken", () => folder.names.includes("b.mkv"));
    assertEquals(sizes(folder, "b.mkv"), [103]);
  },
});

Deno.test({
  name:
    "where files have no sidecars, one that was renamed into place is finished at once, and no other before it has settled",
  ignore,
  async fn() {
    await using folder = new WatchedFolder();
    folder.write("first.png");
    await folder.watcher({ settleMs: 0 }).scan();
    await folder.start({ settleMs: NEVER_MS });
    folder.write("written.png");
    folder.write("finished.png.tmp");
    Deno.renameSync(
      folder.join("finished.png.tmp"),
      folder.join("finished.png"),
    );
    Deno.renameSync(folder.writeOutside("moved.png"), folder.join("moved.png"));
    await folder.took("finished.png", "first.png", "moved.png");
  },
});

Deno.test("a file that is appended to again and again, and closed in between, is not torn", async () => {
  await using folder = new WatchedFolder();
  await folder.start({ settleMs: 500 });
  const begun = performance.now();
  let size = 0;
  // For longer than it would have to stay as it is.
  while (performance.now() - begun < 1_000) {
    await folder.looked("log", () => {
      Deno.writeTextFileSync(folder.join("log"), "line", { append: true });
    });
    size += 4;
  }
  await eventually("the log", () => folder.names.includes("log"));
  assertEquals(sizes(folder, "log"), [size]);
});

for (const metadata of [undefined, '{"n":1}']) {
  const beside = metadata ? "with a sidecar" : "alone";
  Deno.test({
    name:
      `a young file that is there at the start, ${beside}, is taken though another one takes its name before it has settled`,
    ignore,
    async fn() {
      await using folder = new WatchedFolder();
      folder.write("latest.jpg", "first");
      if (metadata) folder.write("latest.jpg.json", metadata);
      folder.write("empty.jpg", "");
      await folder.start({ settleMs: NEVER_MS });
      for (const name of ["latest.jpg", "empty.jpg"]) {
        Deno.renameSync(
          folder.writeOutside(name, "second one"),
          folder.join(name),
        );
      }
      await eventually(
        "the first one is taken",
        () => sizes(folder, "latest.jpg").length > 0,
      );
      assertEquals(sizes(folder, "latest.jpg")[0], 5);
      assertEquals(folder.taken[0]!.metadataJson, metadata ?? "{}");
      assert(!sizes(folder, "empty.jpg").includes(0));
    },
  });
}

Deno.test("a file that was taken and touched before the start is not taken again when another one takes its name", async () => {
  await using folder = new WatchedFolder();
  const path = folder.write("latest.jpg", "first");
  await folder.watcher({ settleMs: 0 }).scan();
  assertEquals(folder.names, ["latest.jpg"]);
  const now = new Date();
  Deno.utimeSync(path, now, now);
  await folder.start({ settleMs: NEVER_MS });
  const next = folder.writeOutside("latest.jpg", "the second");
  await folder.looked("latest.jpg", () => Deno.renameSync(next, path));
  await folder.looked("latest.jpg", () => Deno.chmodSync(path, 0o600));
  assertEquals(sizes(folder, "latest.jpg").filter((size) => size === 5), [5]);
});

Deno.test("an old file with a new content is a new capture", async () => {
  await using folder = new WatchedFolder();
  await folder.start();
  folder.write("a.png", "first");
  await folder.took("a.png");
  folder.write("a.png", "the second");
  await eventually("it is taken again", () => folder.taken.length >= 2);
  assertEquals(sizes(folder, "a.png"), [5, 10]);
});

Deno.test({
  name:
    "where it cannot be known who writes, a file is finished when it has been quiet for long",
  ignore: !HAS_NAMESPACES || Deno.uid() !== 0,
  async fn() {
    await using folder = new WatchedFolder();
    // Another user's file: the system does not tell this one who writes it.
    const path = folder.write("rec.mkv", "1234");
    const file = Deno.openSync(path, { append: true });
    Deno.chmodSync(path, 0o644);
    Deno.chownSync(path, 65534, 65534);
    await using agent = await startWatchProcess(folder.path, {
      through: ["unshare", "-Ur"],
      settleMs: 300,
    });
    await agent.took("rec.mkv");
    file.close();
  },
});
