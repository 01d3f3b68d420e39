import { assertEquals } from "@std/assert";
import { projectPath } from "../scripts/bindings.ts";
import { checkImports } from "../scripts/check_imports.ts";
import { TempDir } from "./helpers/temp_dir.ts";

/** Lays these files out as a project and checks it. */
async function check(files: Record<string, string>): Promise<string[]> {
  await using dir = new TempDir();
  dir.write("sync/queue.ts", "");
  for (const [path, code] of Object.entries(files)) dir.write(path, code);
  return checkImports(dir.path);
}

Deno.test("the project keeps its own import rules", () => {
  assertEquals(checkImports(projectPath(".")), []);
});

Deno.test("a module may import from its own layer and from below", async () => {
  const files = {
    "main.ts": 'import "./sync/cli/commands.ts";\nDeno.exit(0);',
    "sync/cli/commands.ts": 'import "../config.ts";\nconsole.log(Deno.args);',
    "sync/config.ts": 'export * from "./agent.ts";',
    "sync/agent.ts": 'import { a } from "./queue.ts";\nimport "@std/path";',
    "sync/queue.ts": 'const sql = "SELECT * FROM queue";',
    "sync/uploader.ts": "await fetch(url);",
    "sync/mod.ts": 'export * from "./agent.ts";',
  };
  assertEquals(await check(files), []);
});

Deno.test("an import from a higher layer is a breach, of types too, at its line", async () => {
  const code =
    'import { x } from "./schema.ts";\n\nimport type {\n  Agent,\n} from "./agent.ts";';
  assertEquals(await check({ "sync/queue.ts": code }), [
    'sync/queue.ts:5 imports "sync/agent.ts": it lies in a higher layer',
  ]);
});

Deno.test("imports in every form are seen", async () => {
  const forms = [
    'import "./agent.ts";',
    'import * as a from "./agent.ts";',
    'export { a } from "./agent.ts";',
    'export type { A } from "./agent.ts";',
    'await import("./agent.ts");',
    'type A = import("./agent.ts").A;',
  ];
  for (const form of forms) {
    assertEquals((await check({ "sync/queue.ts": form })).length, 1, form);
  }
});

Deno.test("queue and uploader do not know each other", async () => {
  const found = await check({
    "sync/queue.ts": 'import "./uploader.ts";',
    "sync/uploader.ts": 'import "./queue.ts";',
  });
  assertEquals(found.map((text) => text.split(":").at(-1)), [
    " they do not know each other",
    " they do not know each other",
  ]);
});

Deno.test("the product imports neither mod.ts nor anything outside sync/", async () => {
  for (
    const path of ["./mod.ts", "../tests/a.ts", "../scripts/a.ts", "../main.ts"]
  ) {
    const found = await check({ "sync/agent.ts": `import "${path}";` });
    assertEquals(found.length, 1, path);
  }
});

Deno.test("what is reserved for one module is a breach in another", async () => {
  const reserved = [
    'db.exec("DELETE FROM queue");',
    'db.exec("PRAGMA user_version");',
    "sql`\n  SELECT id\n  FROM queue`;",
    "await fetch(url);",
    "globalThis.fetch(url);",
    "const [a] = Deno.args;",
    'Deno.env.get("HOME");',
    'import { statfsSync } from "node:fs";',
    "Deno.exit(1);",
  ];
  for (const code of reserved) {
    assertEquals((await check({ "sync/agent.ts": code })).length, 1, code);
  }
});

Deno.test("comments and other people's methods are no breach", async () => {
  const code =
    "// only uploader.ts may fetch(url)\n/** See Deno.exit(1). */\ncache.fetch(url);";
  assertEquals(await check({ "sync/agent.ts": code }), []);
});

Deno.test("a module that the table does not know is a breach", async () => {
  assertEquals(await check({ "sync/utils.ts": "" }), [
    'sync/utils.ts:1 has no layer: expected "utils" in scripts/check_imports.ts',
  ]);
});
