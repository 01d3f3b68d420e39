import { assertEquals } from "@std/assert";
import {
  CaptureFilter,
  type FilterOptions,
} from "../../sync/watch/capture_filter.ts";
import { WatchedFolder } from "../helpers/watched_folder.ts";

Deno.test("what nobody wants as a capture is passed over, be it there or come", async () => {
  await using folder = new WatchedFolder();
  const names = [
    ".hidden.png",
    ".git/a.png",
    "a.tmp",
    "a.part",
    "a.CRDOWNLOAD",
    "a.partial",
    "a.filepart",
    "a.aria2",
    "a.download/a",
    "a.opdownload",
    "a.!ut",
    "a.jpg_exiftool_tmp",
    "a.png~",
    "~$a.docx",
    "#a#",
    "a.swp",
    ".a.png.swp",
    "Thumbs.db",
    "desktop.ini",
    ".DS_Store",
    "@eaDir/a.png/thumb.jpg",
    "$RECYCLE.BIN/a.png",
    "lost+found/a.png",
    "System Volume Information/a",
    "a.part.json",
  ];
  for (const name of names) folder.write(name);
  await folder.start({ aloneMs: 0 });
  for (const name of names) folder.write(`new/${name}`);
  folder.write("new/last.png");
  await folder.took("new/last.png");
  await folder.stop();
  assertEquals(folder.names, ["new/last.png"]);
  assertEquals(folder.logged, []);
});

Deno.test("globs choose by name at any depth, or by path", async () => {
  const wanted = async (options: FilterOptions) => {
    await using folder = new WatchedFolder();
    const names = [
      "a.png",
      "b.jpg",
      "cam/a.png",
      "cam/deep/c.txt",
      "cam2/a.png",
    ];
    names.forEach((name) => folder.write(name));
    await folder.watcher({ settleMs: 0, ...options }).scan();
    return folder.names;
  };
  assertEquals(await wanted({ include: ["*.png"] }), [
    "a.png",
    "cam/a.png",
    "cam2/a.png",
  ]);
  assertEquals(await wanted({ include: ["/*.png", "cam/**"] }), [
    "a.png",
    "cam/a.png",
    "cam/deep/c.txt",
  ]);
  assertEquals(
    await wanted({ include: ["*.{jpg,txt}"], exclude: ["cam/**"] }),
    [
      "b.jpg",
    ],
  );
  assertEquals(await wanted({ exclude: ["cam*"] }), ["a.png", "b.jpg"]);
  assertEquals(await wanted({ exclude: ["./cam/*.png", "b.???"] }), [
    "a.png",
    "cam/deep/c.txt",
    "cam2/a.png",
  ]);
  assertEquals(await wanted({ include: [] }), []);
});

Deno.test("sizes choose as well, and globs choose among what comes", async () => {
  await using folder = new WatchedFolder();
  const options = {
    include: ["*.png"],
    exclude: ["private/**"],
    minSizeBytes: 3,
    maxSizeBytes: 5,
  };
  folder.write("2.png", "12");
  folder.write("3.png", "123");
  await folder.start(options);
  folder.write("5.png", "12345");
  folder.write("6.png", "123456");
  folder.write("5.jpg", "12345");
  folder.write("private/5.png", "12345");
  folder.write("sub/4.png", "1234");
  await folder.took("3.png", "5.png", "sub/4.png");
  // One that is too small yet may grow.
  folder.write("2.png", "1234");
  await folder.took("2.png", "3.png", "5.png", "sub/4.png");
});

Deno.test("a filter says why", () => {
  const filter = new CaptureFilter({
    include: ["*.png"],
    exclude: ["b*"],
    minSizeBytes: 10,
  });
  assertEquals(filter.objection("a.png", "file"), undefined);
  assertEquals(filter.objection("a.png", "link"), "a symbolic link");
  assertEquals(filter.objection("a.jpg", "file"), "not included");
  assertEquals(filter.objection("x/b.png", "file"), 'excluded by "b*"');
  assertEquals(filter.sizeObjection(9), "smaller than 10 bytes");
});
