import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { eventually } from "../helpers/eventually.ts";
import { LATIN_1, UTF_16 } from "../helpers/not_utf8.ts";
import { WatchedFolder } from "../helpers/watched_folder.ts";

/** The metadata that a file was taken over with. */
function metadataOf(folder: WatchedFolder, name: string): unknown {
  const path = folder.join(name);
  const file = folder.taken.find((file) => file.path === path);
  return file && JSON.parse(file.metadataJson);
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
  await folder.looked("a.png", () => {
    Deno.renameSync(folder.writeOutside("a.png"), folder.join("a.png"));
  });
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
    await folder.looked("a.png", () => {
      Deno.writeTextFileSync(folder.join("a.png.json"), `{"tries": ${i}`);
    });
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

Deno.test("a sidecar waits for its capture, which comes later", async () => {
  await using folder = new WatchedFolder();
  folder.write("a.png.json", '{"door": 3}');
  folder.write("bare.json", '{"door": 4}');
  await folder.start();
  // For longer than it would have to stay as it is.
  folder.write("mark.png");
  await folder.took("mark.png");
  folder.write("a.png");
  folder.write("bare");
  await folder.took("a.png", "bare", "mark.png");
  assertEquals(metadataOf(folder, "a.png"), { door: 3 });
  assertEquals(metadataOf(folder, "bare"), { door: 4 });
});

Deno.test("a sidecar that comes while its capture has yet to settle counts", async () => {
  await using folder = new WatchedFolder();
  await folder.start({ settleMs: 600 });
  await folder.looked("a.png", () => folder.write("a.png"));
  folder.write("a.png.json", '{"door": 3}');
  await folder.took("a.png");
  assertEquals(metadataOf(folder, "a.png"), { door: 3 });
});

Deno.test("a JSON file alone is a capture after a while, unless its name says that it is a sidecar, which is reported once", async () => {
  await using folder = new WatchedFolder();
  folder.write("a.png.json");
  folder.write("b.png.json");
  folder.write("event.json");
  await folder.start({ aloneMs: 200, rescanMs: 50 });
  await folder.took("event.json");
  await eventually("it is reported", () => folder.logged.length > 0);
  folder.write("mark.png");
  await folder.took("event.json", "mark.png");
  assertEquals(folder.logged.length, 1);
  assertStringIncludes(folder.logged[0]!, "waits for its capture");
  folder.write("a.png");
  await folder.took("a.png", "event.json", "mark.png");
});

Deno.test("JSON files are captures where a glob says so, unless they are sidecars of captures that are there", async () => {
  await using folder = new WatchedFolder();
  folder.write("a.png.json");
  folder.write("b.png.json", '{"door": 3}');
  folder.write("b.png");
  folder.write("c.gif.json");
  folder.write("c.gif");
  const include = ["*.{json,png}"];
  await folder.watcher({ settleMs: 0, include }).scan();
  assertEquals(folder.names, ["a.png.json", "b.png", "c.gif.json"]);
  assertEquals(metadataOf(folder, "b.png"), { door: 3 });
});

Deno.test("a capture that a glob includes has its sidecar, which is none itself", async () => {
  await using folder = new WatchedFolder();
  folder.write("a.png");
  folder.write("a.png.json", '{"door": 3}');
  folder.write("b.gif");
  folder.write("b.gif.json");
  await folder.watcher({ settleMs: 0, aloneMs: 0, include: ["*.png"] }).scan();
  assertEquals(folder.names, ["a.png"]);
  assertEquals(metadataOf(folder, "a.png"), { door: 3 });
  assertEquals(folder.logged, []);
});

Deno.test("a sidecar may begin with a byte order mark, and is carried as it was written", async () => {
  await using folder = new WatchedFolder();
  folder.write("a.png");
  folder.write("a.png.json", '\ufeff{"n": 1732647310123456789, "x": 1e400}');
  await folder.watcher({ settleMs: 0 }).scan();
  assertEquals(
    folder.taken[0]!.metadataJson,
    '{"n": 1732647310123456789, "x": 1e400}',
  );
});

Deno.test("a capture goes without a sidecar that cannot be used, which is told once and without its text", async () => {
  await using folder = new WatchedFolder();
  const broken = [
    LATIN_1,
    UTF_16,
    '{"secret',
    "[1]",
    "secret",
    '{"a":'.repeat(101),
    `{"secret": "${"0".repeat(1024 * 1024)}"}`,
  ];
  broken.forEach((text, i) => {
    folder.write(`${i}.png`);
    folder.write(`${i}.png.json`, text);
  });
  await folder.start({ rescanMs: 50 });
  const names = broken.map((_, i) => `${i}.png`);
  await folder.took(...names);
  assertEquals(
    names.map((name) => metadataOf(folder, name)),
    broken.map(() => ({})),
  );
  assertEquals(folder.logged.length, broken.length);
  const logged = folder.logged.join();
  assertStringIncludes(logged, '0.png.json", the capture goes without it');
  assertStringIncludes(logged, "expected JSON in UTF-8, it is UTF-16");
  assertEquals(folder.logged.join().includes("secret"), false);
});

Deno.test({
  name:
    "a sidecar that is a link, a pipe or a folder is none, is not read, and is reported",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = new WatchedFolder();
    const secret = folder.writeOutside("secret.json", '{"secret": 1}');
    for (const name of ["a", "b", "c"]) folder.write(`${name}.png`);
    Deno.symlinkSync(secret, folder.join("a.png.json"));
    new Deno.Command("mkfifo", { args: [folder.join("b.png.json")] })
      .outputSync();
    Deno.mkdirSync(folder.join("c.png.json"));
    await folder.watcher({ settleMs: 0 }).scan();
    assertEquals(folder.names, ["a.png", "b.png", "c.png"]);
    const logged = folder.logged.toSorted();
    assertEquals(logged.length, 3);
    ["a link", "a pipe", "a folder"].forEach((what, n) => {
      assertStringIncludes(logged[n]!, `it is ${what}`);
    });
    assertEquals(folder.taken.map((file) => file.metadataJson), [
      "{}",
      "{}",
      "{}",
    ]);
  },
});

Deno.test({
  name: "a capture waits while somebody has its sidecar open for writing",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using folder = new WatchedFolder();
    folder.write("a.png");
    const path = folder.write("a.png.json", '{"door": 3');
    const file = Deno.openSync(path, { append: true });
    await folder.start();
    folder.write("mark.png");
    await folder.took("mark.png");
    file.writeSync(new TextEncoder().encode("}"));
    file.close();
    await folder.took("a.png", "mark.png");
    assertEquals(metadataOf(folder, "a.png"), { door: 3 });
  },
});

Deno.test("a capture whose sidecar is written anew again and again goes with it after a while, as it is then", async () => {
  await using folder = new WatchedFolder();
  await folder.start({ settleMs: 300, aloneMs: 600 });
  folder.write("a.png");
  let n = 0;
  await eventually("it is taken", () => {
    folder.write("a.png.json", `{"n":${++n}}`);
    return folder.names.includes("a.png");
  });
  const taken = metadataOf(folder, "a.png") as { n: number };
  assert(taken.n > 1 && taken.n <= n, `${taken.n} of ${n}`);
  folder.write("a.png.json", "{}");
  folder.write("mark");
  await folder.took("a.png", "mark");
  assertEquals(folder.logged, []);
});

Deno.test({
  name:
    "a capture goes without a sidecar that is written to all the time, which is told",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using folder = new WatchedFolder();
    folder.write("a.png");
    const path = folder.write("a.png.json", '{"secret":"');
    using file = Deno.openSync(path, { append: true });
    await folder.start({ settleMs: 100, aloneMs: 300 });
    await eventually("it is taken", () => {
      file.writeSync(new Uint8Array(1));
      return folder.names.includes("a.png");
    });
    assertEquals(metadataOf(folder, "a.png"), {});
    assertEquals(folder.logged, [
      `warn Cannot use "${path}", the capture goes without it: somebody writes to it all the time`,
    ]);
  },
});

Deno.test({
  name:
    "a sidecar that somebody had open for long has to settle once it is written",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using folder = new WatchedFolder();
    folder.write("a.png");
    const file = Deno.openSync(folder.write("a.png.json"), { append: true });
    await folder.start({ settleMs: 500, aloneMs: 0 });
    // For several times as long as it has to settle.
    for (let i = 0; i < 4; i++) await folder.looked("a.png", () => {});
    file.close();
    await folder.looked("a.png", () => folder.write("a.png.json", '{"door"'));
    folder.write("a.png.json", '{"door": 3}');
    await folder.took("a.png");
    assertEquals(metadataOf(folder, "a.png"), { door: 3 });
  },
});

Deno.test("a sidecar that comes after the listing of its folder counts while its capture is unfinished", async () => {
  await using folder = new WatchedFolder();
  for (let i = 0; i < 150; i++) folder.write(`${1000 + i}.png`, "");
  const path = folder.write("z.png");
  const sidecar = folder.join("z.png.json");
  const settleMs = 500;
  const watcher = folder.watcher({
    settleMs,
    known: (files) => {
      const isFirst = files.every((file) => file.path !== path);
      if (isFirst) {
        Deno.writeTextFileSync(sidecar, '{"door": 3}');
        // By the time that the last is looked at, all have settled.
        const writtenMs = Date.now();
        while (Date.now() - writtenMs <= settleMs);
      }
      return files.map(() => undefined);
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

Deno.test("a file that an event tells of is waited for, however old its times are by a clock that was set ahead", async () => {
  await using folder = new WatchedFolder();
  await folder.start({ settleMs: 500 });
  const now = Date.now;
  Date.now = () => now() + 365 * 86_400_000;
  try {
    await folder.looked("a.png", () => folder.write("a.png"));
    folder.write("a.png.json", '{"n":1}');
    await folder.took("a.png");
  } finally {
    Date.now = now;
  }
  assertEquals(folder.taken[0]!.metadataJson, '{"n":1}');
});
