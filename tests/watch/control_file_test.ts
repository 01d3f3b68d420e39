import { assertEquals, assertStringIncludes } from "@std/assert";
import { eventually } from "../helpers/eventually.ts";
import { WatchedFolder } from "../helpers/watched_folder.ts";

/** Longer than any test: only events tell that a control file has gone. */
const NEVER_MS = 3_600_000;

const SUFFIXES = [
  ".aria2",
  ".lftp-pget-status",
  ".part",
  ".partial",
  ".filepart",
  ".crdownload",
  ".download",
  ".opdownload",
];

Deno.test("a download waits while its control file is beside it, there or come, and is taken when that has gone", async () => {
  await using folder = new WatchedFolder();
  const write = (dir: string) => {
    for (const suffix of SUFFIXES) {
      const isPart = /part|download/.test(suffix);
      folder.write(`${dir}film${suffix}.mkv`, isPart ? "" : "half");
      folder.write(`${dir}film${suffix}.mkv${suffix}`);
    }
    folder.write(`${dir}mark`);
  };
  write("there/");
  await folder.start({ aloneMs: NEVER_MS, rescanMs: NEVER_MS });
  write("come/");
  const marks = ["come/mark", "there/mark"];
  await folder.took(...marks);
  // Several times the settle time.
  for (const name of ["one", "two", "three"]) {
    marks.push(name);
    folder.write(name);
    await folder.took(...marks);
  }
  const films = ["come", "there"].flatMap((dir) =>
    SUFFIXES.map((suffix) => `${dir}/film${suffix}.mkv`)
  );
  folder.writeOutside("there");
  SUFFIXES.forEach((suffix) => {
    Deno.removeSync(folder.join(`come/film${suffix}.mkv${suffix}`));
    Deno.renameSync(
      folder.join(`there/film${suffix}.mkv${suffix}`),
      folder.outside(suffix),
    );
  });
  await folder.took(...marks, ...films);
  assertEquals(folder.logged, []);
});

Deno.test("a download that is renamed over its placeholder is taken, and the placeholder never", async () => {
  await using folder = new WatchedFolder();
  folder.write("there.png", "");
  folder.write("there.png.part", "half");
  await folder.start({ aloneMs: NEVER_MS });
  folder.write("come.png", "");
  folder.write("come.png.crdownload", "half");
  folder.write("mark");
  await folder.took("mark");
  folder.write("there.png.part", "whole");
  folder.write("come.png.crdownload", "whole");
  for (const name of ["there.png.part", "come.png.crdownload"]) {
    const whole = name.replace(/\.[a-z]+$/, "");
    Deno.renameSync(folder.join(name), folder.join(whole));
  }
  await folder.took("come.png", "mark", "there.png");
  assertEquals(folder.taken.map(({ identity }) => identity.size), [4, 5, 5]);
});

Deno.test("a capture waits while a control file is beside its sidecar", async () => {
  await using folder = new WatchedFolder();
  folder.write("a.png");
  folder.write("a.png.json", "");
  folder.write("a.png.json.part", '{"door": 3}');
  folder.write("mark");
  await folder.start({ aloneMs: NEVER_MS });
  await folder.took("mark");
  Deno.renameSync(folder.join("a.png.json.part"), folder.join("a.png.json"));
  await folder.took("a.png", "mark");
  assertEquals(folder.taken[1]!.metadataJson, '{"door": 3}');
});

Deno.test("downloads that broke off are reported once a folder after a while", async () => {
  await using folder = new WatchedFolder();
  for (const name of ["a.mkv", "b.mkv"]) {
    folder.write(name);
    folder.write(`${name}.aria2`);
  }
  folder.write("deep/c.mkv", "");
  folder.write("deep/c.mkv.part");
  await folder.start({ aloneMs: 200 });
  await eventually("both are reported", () => folder.logged.length === 2);
  const logged = folder.logged.toSorted();
  assertStringIncludes(logged[0]!, 'a.mkv" waits for "a.mkv.aria2" to go');
  assertStringIncludes(logged[1]!, 'c.mkv" waits for "c.mkv.part" to go');
  Deno.removeSync(folder.join("deep/c.mkv.part"));
  await folder.took("deep/c.mkv");
  assertEquals(folder.logged.length, 2);
});

Deno.test("no version of a file that is renamed into place is lost while its next one is written beside it", async () => {
  await using folder = new WatchedFolder();
  await folder.start({ aloneMs: NEVER_MS });
  for (let n = 1; n <= 4; n++) {
    folder.write("cam.jpg.part", `version ${n}`);
    Deno.renameSync(folder.join("cam.jpg.part"), folder.join("cam.jpg"));
    folder.write("cam.jpg.part", "the next one");
    await eventually(`version ${n}`, () => folder.taken.length === n);
  }
});
