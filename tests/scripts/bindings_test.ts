import { assertStringIncludes } from "@std/assert";
import { bindingFlags, projectPath } from "../../scripts/task/bindings.ts";
import { TempDir } from "../helpers/temp_dir.ts";

Deno.test("bindingFlags() let a program elsewhere find the dependencies", async () => {
  await using dir = new TempDir();
  const file = dir.write(
    "main.ts",
    'import { join } from "@std/path"; console.log(join("a", "b"));',
  );
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      `--config=${projectPath("deno.json")}`,
      ...bindingFlags(),
      file,
    ],
    cwd: dir.path,
  }).output();
  assertStringIncludes(
    new TextDecoder().decode(stdout),
    "a",
    new TextDecoder().decode(stderr),
  );
});
