import { assertEquals, assertRejects } from "@std/assert";
import {
  type AfterUpload,
  type SentFile,
  tidyUp,
} from "../../sync/watch/after_upload.ts";
import { TempDir } from "../helpers/temp_dir.ts";

/** Every file below a folder with its content. */
function contents(path: string, below = ""): Record<string, string> {
  const entries = [...Deno.readDirSync(`${path}/${below}`)].map(
    ({ name, isDirectory }) =>
      isDirectory
        ? contents(path, `${below}${name}/`)
        : { [below + name]: Deno.readTextFileSync(`${path}/${below}${name}`) },
  );
  return Object.assign({}, ...entries);
}

function sentOf(path: string): SentFile {
  const { size, mtime } = Deno.statSync(path);
  return { size, mtimeMs: mtime!.getTime() };
}

function moveTo(dir: string): AfterUpload {
  return { kind: "move", dir };
}

Deno.test("tidyUp() keeps a file by default, and deletes it with its sidecar if told to", async () => {
  await using dir = new TempDir();
  const path = dir.write("a.png", "a");
  dir.write("a.png.json", "{}");
  dir.write("b.png", "b");
  await tidyUp(path, sentOf(path), { kind: "keep" });
  assertEquals(Object.keys(contents(dir.path)).length, 3);
  await tidyUp(path, sentOf(path), { kind: "delete" });
  assertEquals(contents(dir.path), { "b.png": "b" });
});

Deno.test("tidyUp() leaves a file that is not the one that was sent", async () => {
  await using dir = new TempDir();
  const path = dir.write("a.png", "as it was");
  const sent = sentOf(path);
  dir.write("a.png", "as it is now");
  await tidyUp(path, sent, { kind: "delete" });
  Deno.writeTextFileSync(path, "as it has");
  Deno.utimeSync(path, 1, 1);
  await tidyUp(path, sent, moveTo(dir.join("done")));
  assertEquals(contents(dir.path), { "a.png": "as it has" });
});

Deno.test("tidyUp() has nothing to do with a file that has gone", async () => {
  await using dir = new TempDir();
  await tidyUp(dir.join("a.png"), { size: 1, mtimeMs: 1 }, { kind: "delete" });
});

Deno.test("tidyUp() moves a file with its sidecar, and overwrites nothing", async () => {
  await using dir = new TempDir();
  const done = dir.join("done", "2026");
  for (const day of [1, 1, 2, 2]) {
    const path = dir.write("a.png", `of day ${day}`);
    dir.write("a.png.json", `{"day": ${day}}`);
    Deno.utimeSync(path, day * 86_400, day * 86_400);
    await tidyUp(path, sentOf(path), moveTo(done));
  }
  assertEquals(contents(done), {
    "a.png": "of day 1",
    "a.png.json": '{"day": 1}',
    "a 1970-01-02T00-00-00.000Z.png": "of day 1",
    "a 1970-01-02T00-00-00.000Z.png.json": '{"day": 1}',
    "a 1970-01-03T00-00-00.000Z.png": "of day 2",
    "a 1970-01-03T00-00-00.000Z.png.json": '{"day": 2}',
    "a 1970-01-03T00-00-00.000Z (2).png": "of day 2",
    "a 1970-01-03T00-00-00.000Z (2).png.json": '{"day": 2}',
  });
  assertEquals(Object.keys(contents(dir.path)).length, 8);
});

Deno.test("tidyUp() pairs no sidecar with the wrong file", async () => {
  await using dir = new TempDir();
  const done = dir.join("done");
  dir.write("done/a.png.json", "of another a.png");
  const path = dir.write("a.png", "a");
  dir.write("a.png.json", "{}");
  Deno.utimeSync(path, 0, 0);
  await tidyUp(path, sentOf(path), moveTo(done));
  assertEquals(contents(done), {
    "a.png.json": "of another a.png",
    "a 1970-01-01T00-00-00.000Z.png": "a",
    "a 1970-01-01T00-00-00.000Z.png.json": "{}",
  });
});

Deno.test("tidyUp() brings a file to its sidecar that was moved before a crash", async () => {
  await using dir = new TempDir();
  const path = dir.write("a.png", "a");
  dir.write("done/a.png.json", "{}");
  await tidyUp(path, sentOf(path), moveTo(dir.join("done")));
  assertEquals(contents(dir.join("done")), {
    "a.png": "a",
    "a.png.json": "{}",
  });
});

Deno.test("tidyUp() leaves the file where it is if it cannot be moved", async () => {
  await using dir = new TempDir();
  const path = dir.write("a.png", "a");
  const file = dir.write("not a folder", "");
  await assertRejects(() => tidyUp(path, sentOf(path), moveTo(`${file}/done`)));
  assertEquals(Deno.readTextFileSync(path), "a");
});

const OTHER_FILE_SYSTEM = "/dev/shm";

Deno.test({
  name:
    "tidyUp() moves a file to another file system, with its time and nothing left over",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using dir = new TempDir();
    await using other = new TempDir(OTHER_FILE_SYSTEM);
    const path = dir.write("a.png", "a");
    dir.write("a.png.json", "{}");
    Deno.utimeSync(path, 1, 1);
    // What an earlier attempt left behind.
    other.write(".a.png.part", "half of it");
    await tidyUp(path, sentOf(path), moveTo(other.path));
    assertEquals(contents(other.path), { "a.png": "a", "a.png.json": "{}" });
    assertEquals(sentOf(other.join("a.png")).mtimeMs, 1000);
    assertEquals(contents(dir.path), {});
  },
});
