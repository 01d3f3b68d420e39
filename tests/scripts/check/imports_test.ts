import { assertEquals } from "@std/assert";
import { projectPath } from "../../../scripts/task/bindings.ts";
import { checkImports } from "../../../scripts/check/imports.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

/** Lays these files out as a project and checks it. */
async function check(files: Record<string, string>): Promise<string[]> {
  await using dir = new TempDir();
  dir.write("main.ts", "");
  dir.write("sync/queue/queue.ts", "");
  for (const [path, code] of Object.entries(files)) dir.write(path, code);
  return checkImports(dir.path);
}

Deno.test("the project keeps its own import rules", () => {
  assertEquals(checkImports(projectPath(".")), []);
});

Deno.test("a room may import from itself and from the rooms below", async () => {
  const files = {
    "main.ts": 'import "./sync/cli/cli.ts";\nDeno.exit(0);',
    "sync/cli/commands/run.ts":
      'import "../config.ts";\nconsole.log(Deno.args);',
    "sync/cli/config.ts": 'export * from "../agent/agent.ts";',
    "sync/agent/agent.ts":
      'import { a } from "../queue/queue.ts";\nimport "@std/path";',
    "sync/queue/queue.ts": 'const sql = "SELECT * FROM queue";',
    "sync/upload/uploader.ts": "await fetch(url);",
    "sync/mod.ts": 'export * from "./agent/agent.ts";',
  };
  assertEquals(await check(files), []);
});

Deno.test("an import from a room above is a breach, of types too, at its line", async () => {
  const code =
    'import { x } from "./schema.ts";\n\nimport type {\n  Agent,\n} from "../agent/agent.ts";';
  assertEquals(await check({ "sync/queue/queue.ts": code }), [
    'sync/queue/queue.ts:5 imports "sync/agent/agent.ts": queue/ may import from: capture host',
  ]);
});

Deno.test("imports in every form are seen", async () => {
  const forms = [
    'import "../agent/agent.ts";',
    'import * as a from "../agent/agent.ts";',
    'export { a } from "../agent/agent.ts";',
    'export type { A } from "../agent/agent.ts";',
    'await import("../agent/agent.ts");',
    'type A = import("../agent/agent.ts").A;',
  ];
  for (const form of forms) {
    const found = await check({ "sync/queue/queue.ts": form });
    assertEquals(found.length, 1, form);
  }
});

Deno.test("queue and upload do not know each other, nor agent and watch", async () => {
  const found = await check({
    "sync/queue/queue.ts": 'import "../upload/uploader.ts";',
    "sync/upload/uploader.ts": 'import "../queue/queue.ts";',
    "sync/agent/agent.ts": 'import "../watch/watcher.ts";',
    "sync/watch/watcher.ts": 'import "../agent/agent.ts";',
  });
  assertEquals(found.length, 4);
});

Deno.test("the product imports neither mod.ts nor anything outside sync/", async () => {
  const paths = ["../mod.ts", "../../tests/a.ts", "../../scripts/a.ts"];
  for (const path of [...paths, "../../main.ts", "../loose.ts"]) {
    const found = await check({ "sync/agent/agent.ts": `import "${path}";` });
    assertEquals(found.length, 1, path);
  }
});

Deno.test("what is reserved for one room is a breach in another", async () => {
  const reserved = [
    'db.exec("DELETE FROM queue");',
    'db.exec("PRAGMA user_version");',
    "sql`\n  SELECT id\n  FROM queue`;",
    "await fetch(url);",
    "globalThis.fetch(url);",
    "const [a] = Deno.args;",
    'Deno.env.get("HOME");',
    "Deno.exit(1);",
    'Deno.mkdirSync("a");',
    'Deno.openSync("a", { write: true, create: true });',
  ];
  for (const code of reserved) {
    const found = await check({ "sync/agent/agent.ts": code });
    assertEquals(found.length, 1, code);
  }
});

Deno.test("comments and other people's methods are no breach", async () => {
  const code =
    "// only upload/ may fetch(url)\n/** See Deno.exit(1). */\ncache.fetch(url);";
  assertEquals(await check({ "sync/agent/agent.ts": code }), []);
});
