import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { libc } from "../../sync/host/libc.ts";
import { NotRegularFileError } from "../../sync/host/opened_file.ts";
import {
  readSmallFile,
  readSmallFileOrPipe,
  readSmallText,
} from "../../sync/host/small_file.ts";
import { TempDir } from "../helpers/temp_dir.ts";

/** A folder with a pipe in it, and what writes into that. */
async function withPipe() {
  const dir = new TempDir();
  const pipe = dir.join("pipe");
  await new Deno.Command("mkfifo", { args: [pipe] }).output();
  const write = (script: string) =>
    new Deno.Command("sh", { args: ["-c", `{ ${script}; } > "$0"`, pipe] })
      .spawn();
  return {
    pipe,
    write,
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

Deno.test("readSmallFile() reads a file whole, up to a size", async () => {
  await using dir = new TempDir();
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  const long = new Uint8Array([...bytes, ...bytes, ...bytes]);
  const path = dir.write("file", long);
  assertEquals(readSmallFile(path), long);
  assertEquals(readSmallFile(path, { maxBytes: 180_000 }), long);
  assertEquals(await readSmallFileOrPipe(path), long);
  assertEquals(readSmallText(dir.write("empty", "")), "");
  assertEquals(readSmallText(dir.write("text", "\ufeffä\n")), "\ufeffä\n");
  const message = `Cannot read "${path}", a file of more than 179999 bytes`;
  const options = { maxBytes: 179_999 };
  assertThrows(() => readSmallFile(path, options), RangeError, message);
  await assertRejects(
    () => readSmallFileOrPipe(path, options),
    RangeError,
    message,
  );
  assertThrows(() => readSmallFile(dir.path), NotRegularFileError, "directory");
  assertThrows(() => readSmallFile(dir.join("none")), Deno.errors.NotFound);
});

Deno.test("readSmallFile() waits for no pipe", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using scene = await withPipe();
  assertThrows(() => readSmallFile(scene.pipe), NotRegularFileError);
});

Deno.test(
  "readSmallFileOrPipe() reads a pipe to its end, and waits for that for a while",
  {
    ignore: !libc,
  },
  async () => {
    await using scene = await withPipe();
    const { pipe, write } = scene;
    const read = readSmallFileOrPipe(pipe);
    const slow = write("printf a; sleep 0.2; printf b");
    assertEquals(new TextDecoder().decode(await read), "ab");
    await slow.status;

    const limitMs = 200;
    const endless =
      `Cannot read "${pipe}": it is a pipe without an end within 0.2 s`;
    const late = () => readSmallFileOrPipe(pipe, { limitMs });
    await assertRejects(late, Error, endless);
    const open = write("printf a; exec sleep 30");
    await assertRejects(late, Error, endless);
    open.kill();
    await open.status;

    const large = write("head -c 2000 /dev/zero");
    await assertRejects(
      () => readSmallFileOrPipe(pipe, { maxBytes: 1999 }),
      RangeError,
      "of more than 1999 bytes",
    );
    await large.status;
  },
);
