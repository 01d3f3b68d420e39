/** The examples in the documentation of the library, run as they stand. */

import { assert, assertEquals } from "@std/assert";
import { bindingFlags, projectPath } from "../../scripts/task/bindings.ts";
import { TempDir } from "../helpers/temp_dir.ts";

/** Each has an example, or several. */
const FILES = [
  "README.md",
  "sync/mod.ts",
  "sync/queue/queue.ts",
  "sync/upload/uploader.ts",
  "scripts/server/reference_server.ts",
];

Deno.test("the examples of the library run as they stand", async () => {
  await using dir = new TempDir();
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["test", "--doc", "-A", `--config=${projectPath("deno.json")}`],
      ...[...bindingFlags(), ...FILES.map(projectPath)],
    ],
    // They make files where they run.
    cwd: dir.path,
    env: { NO_COLOR: "1" },
  }).output();
  const [said, errors] = [stdout, stderr].map((bytes) =>
    new TextDecoder().decode(bytes)
  );
  assert(success, `${said}\n${errors}`);
  const run = [...said!.matchAll(/^running (\d+) tests? from \S+[#$]/gm)];
  const counts = run.map(([, count]) => count);
  assertEquals(counts, Array(FILES.length + 1).fill("1"), said);
});
