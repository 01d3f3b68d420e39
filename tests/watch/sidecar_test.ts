import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { readSidecar } from "../../sync/watch/sidecar.ts";
import { eventually } from "../helpers/eventually.ts";
import { TempDir } from "../helpers/temp_dir.ts";
import { WatchedFolder } from "../helpers/watched_folder.ts";

/** The metadata that a file was taken over with. */
function metadataOf(folder: WatchedFolder, name: string): unknown {
  return folder.taken.find(({ path }) => path === folder.join(name))?.metadata;
}

Deno.test("a sidecar is the metadata of its capture, and no capture itself", async () => {
  await using folder = new WatchedFolder();
  folder.write("a.png");
  folder.write("a.png.json", '{"door": 3}');
  await folder.start();
  await folder.took("a.png");
  folder.write("b.png.json", '{"door": 4}');
  folder.write("b.png");
  await folder.took("a.png", "b.png");
  assertEquals(metadataOf(folder, "a.png"), { door: 3 });
  assertEquals(metadataOf(folder, "b.png"), { door: 4 });
});

Deno.test("a sidecar that is there already counts for a capture that is renamed into place", async () => {
  await using folder = new WatchedFolder();
  folder.write("a.png.json.tmp", '{"door": 3}');
  await folder.start({ settleMs: 200 });
  Deno.renameSync(folder.join("a.png.json.tmp"), folder.join("a.png.json"));
  Deno.renameSync(folder.writeOutside("a.png"), folder.join("a.png"));
  await eventually("it is taken", () => folder.names.includes("a.png"));
  assertEquals(metadataOf(folder, "a.png"), { door: 3 });
});

Deno.test("a capture that is renamed into place waits for a sidecar that is still written", async () => {
  await using folder = new WatchedFolder();
  await folder.start({ settleMs: 500 });
  folder.write("a.png.json", '{"door"');
  Deno.renameSync(folder.writeOutside("a.png"), folder.join("a.png"));
  Deno.renameSync(folder.writeOutside("mark"), folder.join("mark"));
  await eventually("the mark", () => folder.names.includes("mark"));
  folder.write("a.png.json", '{"door": 3}');
  await eventually("it is taken", () => folder.names.includes("a.png"));
  assertEquals(metadataOf(folder, "a.png"), { door: 3 });
});

Deno.test("a capture waits for its sidecar to be finished", async () => {
  await using folder = new WatchedFolder();
  await folder.start({ settleMs: 1_000 });
  folder.write("a.png");
  const begun = performance.now();
  // For longer than the capture would have to stay as it is.
  for (let i = 0; performance.now() - begun < 1_500; i++) {
    Deno.writeTextFileSync(folder.join("a.png.json"), `{"tries": ${i}`);
    const mark = `${i}.png`;
    Deno.renameSync(folder.writeOutside(mark), folder.join(mark));
    await eventually("the mark", () => folder.names.includes(mark));
  }
  Deno.writeTextFileSync(folder.join("a.png.json"), '{"door": 3}');
  await eventually("it is taken", () => folder.names.includes("a.png"));
  assertEquals(metadataOf(folder, "a.png"), { door: 3 });
  assertEquals(folder.logged, []);
});

Deno.test("a capture or a sidecar whose time lies in the future holds nothing up", async () => {
  await using folder = new WatchedFolder();
  const nextYear = Date.now() / 1000 + 31_536_000;
  folder.write("a.png");
  Deno.utimeSync(folder.write("a.png.json", "{}"), nextYear, nextYear);
  Deno.utimeSync(folder.write("b.png"), nextYear, nextYear);
  await folder.start();
  await folder.took("a.png", "b.png");
});

Deno.test("a sidecar that comes when its capture is taken is left alone", async () => {
  await using folder = new WatchedFolder();
  await folder.start();
  folder.write("a.png");
  await folder.took("a.png");
  folder.write("a.png.json", '{"door": 3}');
  folder.write("last.png");
  await folder.took("a.png", "last.png");
});

Deno.test("a sidecar alone is a capture, like any other file called .json", async () => {
  await using folder = new WatchedFolder();
  folder.write("alone.png.json", '{"door": 3}');
  await folder.start();
  await folder.took("alone.png.json");
});

Deno.test("a capture goes without a sidecar that cannot be used, which is told once and without its text", async () => {
  await using folder = new WatchedFolder();
  const broken = ['{"secret', "[1]", "secret", '{"a":'.repeat(101)];
  broken.forEach((text, i) => {
    folder.write(`${i}.png`);
    folder.write(`${i}.png.json`, text);
  });
  await folder.start({ rescanMs: 50 });
  const names = broken.map((_, i) => `${i}.png`);
  await folder.took(...names);
  assertEquals(names.map((name) => metadataOf(folder, name)), [{}, {}, {}, {}]);
  assertEquals(folder.logged.length, broken.length);
  assertStringIncludes(folder.logged.join(), "0.png.json");
  assertEquals(folder.logged.join().includes("secret"), false);
});

Deno.test("readSidecar() refuses what the queue would refuse", async () => {
  await using dir = new TempDir();
  const path = dir.write("a.png", "");
  const zeros = "0".repeat(1024 * 1024);
  dir.write("a.png.json", `{"a": "${zeros}"}`);
  assertThrows(() => readSidecar(path), RangeError, "expected at most 1048576");
  // These grow when they are written again.
  const numbers = Array(100_000).fill("1e20").join();
  dir.write("a.png.json", `{"a": [${numbers}]}`);
  assertThrows(() => readSidecar(path), RangeError, "more than 1048576");
});

Deno.test("readSidecar() finds no metadata beside a file that has none", async () => {
  await using dir = new TempDir();
  assertEquals(readSidecar(dir.write("a.png", "")), {});
});

Deno.test("a sidecar that comes behind the listing of its folder counts while its capture is unfinished", async () => {
  await using folder = new WatchedFolder();
  for (let i = 0; i < 150; i++) folder.write(`${1000 + i}.png`, "");
  const path = folder.write("z.png");
  const sidecar = folder.join("z.png.json");
  const settleMs = 500;
  const watcher = folder.watcher({
    settleMs,
    areKnown: (files) => {
      const isFirst = files.every((file) => file.path !== path);
      if (isFirst) {
        Deno.writeTextFileSync(sidecar, '{"door": 3}');
        // By the time that the last is looked at, all have settled.
        const writtenMs = Date.now();
        while (Date.now() - writtenMs <= settleMs);
      }
      return files.map(() => false);
    },
  });
  await watcher.scan();
  assertEquals(metadataOf(folder, "z.png"), { door: 3 });
});

Deno.test("a sidecar of a capture that had settled counts if it is in the listing", async () => {
  await using folder = new WatchedFolder();
  folder.write("a.png");
  folder.write("a.png.json", '{"door": 3}');
  folder.write("b.png");
  await folder.watcher({ settleMs: 0 }).scan();
  assertEquals(folder.names, ["a.png", "b.png"]);
  assertEquals(metadataOf(folder, "a.png"), { door: 3 });
  assertEquals(metadataOf(folder, "b.png"), {});
});
