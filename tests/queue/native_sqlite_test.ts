import { assertEquals, assertMatch } from "@std/assert";
import { pathToFileURL } from "node:url";
import {
  bindingFlags,
  projectPath,
  runningBinding,
} from "../../scripts/task/bindings.ts";
import { nativeDetail } from "../../sync/queue/native_sqlite.ts";
import { engineInUse } from "../../sync/queue/sqlite.ts";
import { canCompile, compileLibrary } from "../helpers/compile_library.ts";
import { TempDir } from "../helpers/temp_dir.ts";

/** What a program says of its SQLite that finds this library first. */
async function detailWith(dir: TempDir, library: string): Promise<string> {
  const module = pathToFileURL(projectPath("sync/queue/native_sqlite.ts"));
  const program = dir.write(
    "program.ts",
    `import { nativeDetail } from "${module}"; console.log(nativeDetail);
     console.log(Deno.env.get("DENO_SQLITE_PATH"));`,
  );
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-qA",
      "--no-check",
      `--config=${projectPath("deno.json")}`,
      ...bindingFlags(),
      program,
    ],
    env: { DENO_SQLITE_PATH: library },
  }).output();
  const text = new TextDecoder();
  const [detail, left] = text.decode(stdout).split("\n");
  assertEquals(left, library, text.decode(stderr));
  return detail!;
}

Deno.test({
  name:
    "a native library that is too old for the queue is passed over for the next one",
  ignore: runningBinding() !== "jsr" || !await canCompile(),
  async fn() {
    await using dir = new TempDir();
    const library = dir.join("old.so");
    const source = dir.write(
      "old.c",
      "int sqlite3_libversion_number(void) { return 3036000; }",
    );
    await compileLibrary(source, library);
    assertEquals(await detailWith(dir, library), "libsqlite3.so.0");
  },
});

Deno.test("it is said which native library is in use, or why there is none", () => {
  const isUsed = engineInUse().name === "ffi";
  assertMatch(nativeDetail, isUsed ? /sqlite3/ : /^(Cannot load|no )/);
});
