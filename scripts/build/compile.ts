/** Builds the executables: `deno task compile --all`. */

import { parseArgs } from "@std/cli/parse-args";
import { basename, dirname, join, resolve } from "@std/path";
import { VERSION } from "../../sync/host/version.ts";
import { refuseUnknown, runProgram, UsageError } from "../program.ts";
import {
  type Binding,
  flagsOf,
  projectPath,
  runningBinding,
} from "../task/bindings.ts";
import { download } from "../task/download.ts";
import { isMadeFor, targetOf, TARGETS } from "./targets.ts";
import { permissionsOn, V8_FLAGS } from "./permissions.ts";
import { writeSums } from "./sha256_sums.ts";
import { moduleGraph, sbomOf } from "./sbom.ts";
import { downloadLibrary } from "./sqlite_library.ts";
import { Stage } from "./stage.ts";

const HELP = `Build the executable

Usage: deno task compile [OPTIONS]

  --target TARGET    for this system (default: the one it runs on)
  --all              for every system there is
  --output FILE      write this file (default: dist/jarvis-agent-VERSION-TARGET,
                     and its sum into dist/SHA256SUMS)
  --sqlite-lib FILE  put this SQLite into it (default: the release that belongs
                     to @db/sqlite); only with dependencies from JSR

Targets:
${Object.keys(TARGETS).map((name) => `  ${name}`).join("\n")}

DENO_FOR_COMPILE names the Deno to build with, DENORT_BIN the runtime to build
upon: the denort of the same version, for the target's system.

Example: deno task compile --target aarch64-unknown-linux-gnu
`;

interface CompileOptions {
  /** Names of targets. */
  targets: string[];
  /** `null` for a name of its own in dist/. */
  output: string | null;
  sqliteLib: string | null;
  binding: Binding;
}

/** @throws {UsageError} if the arguments cannot be used as they are. */
function parseOptions(args: string[]): CompileOptions {
  const flags = parseArgs(args, {
    string: ["target", "output", "sqlite-lib"],
    boolean: ["all"],
    unknown: refuseUnknown,
  });
  for (const name of ["target", "output", "sqlite-lib"]) {
    if (flags[name] === "") {
      throw new UsageError(`Cannot use --${name} "": expected a value`);
    }
  }
  const { target = Deno.build.target, output = null, all } = flags;
  const sqliteLib = flags["sqlite-lib"] ?? null;
  const binding = runningBinding();
  const one = flags.target ?? output ?? sqliteLib;
  if (all && one !== null) {
    throw new UsageError(
      "Cannot use --all with --target, --output or --sqlite-lib: each is for one executable",
    );
  }
  if (sqliteLib !== null && binding === "npm") {
    throw new UsageError(
      "Cannot use --sqlite-lib with dependencies from npm, which use Deno's own SQLite: expected JARVIS_DEPS=jsr",
    );
  }
  targetOf(target);
  return {
    targets: all ? Object.keys(TARGETS) : [target],
    output,
    sqliteLib,
    binding,
  };
}

/** Builds one executable and returns its path. */
async function compile(
  targetName: string,
  { output, sqliteLib, binding }: CompileOptions,
): Promise<string> {
  const target = targetOf(targetName);
  const path = output === null
    ? join(projectPath("dist"), nameOf(targetName))
    : resolve(output);
  const deno = Deno.env.get("DENO_FOR_COMPILE") ?? Deno.execPath();
  checkDenort(targetName);
  using stage = new Stage();
  const included = ["--include", stage.join("sync/monitor/page")];
  if (binding === "jsr") {
    const library = sqliteLib === null
      ? await downloadLibrary(target.sqliteRelease)
      : Deno.readFileSync(sqliteLib);
    const embedded = stage.addLibrary(target.sqliteLibrary, library);
    if (!isMadeFor(target, embedded)) {
      throw new Error(
        `Cannot use "${sqliteLib}": expected a library for ${targetName}`,
      );
    }
    included.push("--include", embedded);
  }
  Deno.mkdirSync(dirname(path), { recursive: true });
  await runCompile(deno, targetName, [
    "compile",
    // `deno task check` does that, with the Deno that the project is made for.
    "--no-check",
    // The cache would lie under a known name in /tmp, where another user could
    // put code into it; and this program ends too soon to gain from one.
    "--no-code-cache",
    V8_FLAGS,
    ...stage.flagsOf(binding),
    ...permissionsOn(target.os),
    ...included,
    "--target",
    targetName,
    "--output",
    path,
    stage.join("main.ts"),
  ]);
  return path;
}

function nameOf(targetName: string): string {
  const { extension } = targetOf(targetName);
  return `jarvis-agent-${VERSION}-${targetName}${extension}`;
}

/** Deno would take the denort of any system, and write a file that runs nowhere. */
function checkDenort(targetName: string): void {
  const path = Deno.env.get("DENORT_BIN");
  // Deno would take the empty name for one.
  if (!path) return Deno.env.delete("DENORT_BIN");
  try {
    if (isMadeFor(targetOf(targetName), path)) return;
  } catch (cause) {
    throw lacksDenort(targetName, `there is no "${path}"`, cause);
  }
  throw lacksDenort(targetName, `"${path}" is for another system`);
}

function lacksDenort(
  targetName: string,
  reason: string,
  cause?: unknown,
): Error {
  return new Error(
    `Cannot build for ${targetName}: ${reason}; expected DENORT_BIN to name the denort of the same version for that system`,
    { cause },
  );
}

/** Writes the list of the executables' parts beside them, as CycloneDX. */
async function writeSbom(binding: Binding): Promise<string> {
  const lock = binding === "npm" ? "scripts/npm/deno.lock" : "deno.lock";
  const sbom = sbomOf(
    { name: "jarvis-agent", version: VERSION },
    await moduleGraph("main.ts", flagsOf(binding)),
    JSON.parse(Deno.readTextFileSync(projectPath(lock))),
  );
  const path = projectPath(`dist/jarvis-agent-${VERSION}.cdx.json`);
  Deno.writeTextFileSync(path, JSON.stringify(sbom, null, 2) + "\n");
  return path;
}

/** @throws {Error} that names the missing part in one line. */
async function runCompile(
  deno: string,
  targetName: string,
  args: string[],
): Promise<void> {
  const advice = "DENORT_BIN to name it";
  // Deno 2.4 looks through npm's packages with too small a stack for some of them.
  Deno.env.set("RUST_MIN_STACK", String(64 * 1024 * 1024));
  try {
    await download("Deno's runtime", args, { deno, advice });
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`Cannot build for ${targetName}: ${message}`, {
      cause: error,
    });
  }
}

async function main(args: string[]): Promise<number> {
  const options = parseOptions(args);
  try {
    const built: string[] = [];
    for (const target of options.targets) {
      const path = await compile(target, options);
      const megabytes = (Deno.statSync(path).size / 1e6).toFixed(1);
      console.log(`${path} (${megabytes} MB)`);
      built.push(path);
    }
    if (options.output === null) {
      const sbom = await writeSbom(options.binding);
      const names = [...built, sbom].map((path) => basename(path));
      writeSums(projectPath("dist"), names);
    }
    return 0;
  } catch (error) {
    console.error((error as Error).message);
    return 1;
  }
}

if (import.meta.main) await runProgram(HELP, main);
