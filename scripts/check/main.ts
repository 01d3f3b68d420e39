/** The task `check`: formatting, lint, types, and who imports whom. */
import type { Binding } from "../task/bindings.ts";
import { projectPath } from "../task/bindings.ts";
import { runDeno } from "../task/process.ts";
import { sourceFiles } from "../task/source_files.ts";
import { moduleGraph, npmFoldersOf } from "../build/sbom.ts";
import { auditDependencies, importsOf } from "./audit.ts";
import { checkImports } from "./imports.ts";

const ROOTS = ["main.ts", "sync", "scripts", "tests", "docs"];

/** Runs every check, also after one has failed; returns 0 when all are passed. */
export async function runChecks(
  flags: string[],
  args: string[],
  binding: Binding,
): Promise<number> {
  if (args.length > 0) {
    throw new RangeError(`Unknown argument "${args[0]}": check takes none`);
  }
  const files = ROOTS.flatMap((root) => [...sourceFiles(root)])
    // These import the npm packages by names that only their own binding knows.
    .filter((file) => binding === "npm" || !file.startsWith("scripts/npm/"));
  const failed: string[] = [];
  if (await runDeno(["fmt", "--check"])) {
    failed.push("formatting (deno fmt mends it)");
  }
  if (await runDeno(["lint"])) failed.push("lint");
  if (await runDeno(["check", "--quiet", ...flags, ...files])) {
    failed.push("types");
  }
  const violations = checkImports(projectPath("."));
  for (const violation of violations) console.error(violation);
  if (violations.length > 0) failed.push("import rules");
  const faults = await audit(flags, binding);
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) failed.push("dependencies");
  console.error(
    failed.length > 0 ? `Check failed: ${failed.join(", ")}` : "Check passed",
  );
  return failed.length > 0 ? 1 : 0;
}

/** Audits the imports of both bindings; npm's licences are seen where it is the one in use. */
async function audit(flags: string[], binding: Binding): Promise<string[]> {
  const folders = npmFoldersOf(await moduleGraph("main.ts", flags));
  const read = (path: string) =>
    JSON.parse(Deno.readTextFileSync(projectPath(path)));
  const lists = [["deno.json", "deno.lock"], [
    "scripts/npm/import_map.json",
    "scripts/npm/deno.lock",
  ]] as const;
  return lists.flatMap(([config, lock]) =>
    auditDependencies(
      importsOf(read(config)),
      read(lock),
      binding === "npm" ? folders : new Map(),
    ).map((fault) => `${lock}: ${fault}`)
  );
}
