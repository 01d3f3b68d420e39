import { assert, assertEquals } from "@std/assert";
import { basename } from "@std/path";
import { StoreFixture, watchedFile } from "../helpers/store_fixture.ts";

Deno.test("watched files are copied up to a size, and queued where they are beyond it", async () => {
  await using fixture = new StoreFixture();
  const [small, large] = ["small", "large"].map((name) =>
    watchedFile(fixture.dir.write(name, name.repeat(name === "large" ? 2 : 1)))
  );
  const options = { copyUpToBytes: 5 };
  const left = await fixture.intake.addWatched([small!, large!], options);
  assertEquals(left, []);
  const [first, second] = fixture.queue.captures().toArray();
  assertEquals([first!.watched, second!.watched], [true, true]);
  assertEquals([first!.spooled, second!.spooled], [true, false]);
  assertEquals(second!.identity, large!.identity);
  assertEquals(second!.metadataJson, '{"n":1}');
  Deno.removeSync(small!.path);
  assertEquals(fixture.bytesOf(first!.id), "small");
});

Deno.test("a watched file that is another one by now, or gone, is left to the watcher and holds nothing up", async () => {
  await using fixture = new StoreFixture();
  const { dir, queue } = fixture;
  const names = ["changed", "gone", "linked", "sound"];
  const files = names.map((name) => watchedFile(dir.write(name, name)));
  dir.write("changed", "changed since");
  Deno.removeSync(dir.join("gone"));
  Deno.removeSync(dir.join("linked"));
  Deno.symlinkSync("/etc/hostname", dir.join("linked"));
  const left = await fixture.intake.addWatched(files);
  assertEquals(left.map(({ path }) => basename(path)), [
    "changed",
    "gone",
    "linked",
  ]);
  const captures = queue.captures().toArray();
  assertEquals(captures.map(({ filepath }) => basename(filepath)), ["sound"]);
  assertEquals(fixture.bytesOf(captures[0]!.id), "sound");
});

Deno.test("a watched file that cannot be read now is queued where it is, so that it shows", async () => {
  await using fixture = new StoreFixture();
  const file = watchedFile(fixture.dir.write("door.png", "bytes"));
  const open = () => {
    throw Object.assign(new Error("the disk reports an error"), {
      code: "EIO",
    });
  };
  const others = watchedFile(fixture.dir.write("other.png", "bytes"));
  await fixture.intake.addWatched([{ ...file, open }, others]);
  const captures = fixture.queue.captures().toArray();
  assertEquals(captures.map(({ spooled }) => spooled), [false, true]);
  assertEquals(captures[0]!.identity, file.identity);
  assert(captures.every(({ watched }) => watched));
});
