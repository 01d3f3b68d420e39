/** Lays out the sources of an executable in a folder of their own. */

import { dirname, join } from "@std/path";
import { type Binding, flagsOf, projectPath } from "../task/bindings.ts";

/** The parts of the project that an executable is made of. */
const SOURCES = ["main.ts", "deno.json", "deno.lock", "sync", "scripts/npm"];

/** The folder where `sync/queue/native_sqlite.ts` looks for the embedded library, seen from the top. */
const LIBRARY_FOLDER = "lib";

/**
 * The sources of an executable; they are gone at the end of the scope. Other folders
 * of the project (a `node_modules`, which would go into the executable unused) stay
 * out.
 */
export class Stage implements Disposable {
  readonly path: string = Deno.makeTempDirSync({ prefix: "jarvis-compile-" });

  constructor() {
    for (const source of SOURCES) copy(projectPath(source), this.join(source));
    for (const lock of ["deno.lock", "scripts/npm/deno.lock"]) {
      dropTools(this.join(lock));
    }
  }

  /** A path inside it. */
  join(path: string): string {
    return join(this.path, path);
  }

  /** Puts a library where the program will find it; returns its path. */
  addLibrary(name: string, bytes: Uint8Array): string {
    const path = this.join(`${LIBRARY_FOLDER}/${name}`);
    Deno.mkdirSync(dirname(path), { recursive: true });
    Deno.writeFileSync(path, bytes);
    return path;
  }

  /** The flags that make `deno` use the binding with these sources. */
  flagsOf(binding: Binding): string[] {
    return flagsOf(binding, (path) => this.join(path));
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** The npm packages that only tests and tools import. */
const TOOLS =
  /^(npm:)?(@bufbuild|@fastify|@lezer|@prometheus-io|@seriousme|@sinonjs|@types|@xmldom|ajv|axe-core|fast-|fsevents|hono|json-schema-traverse|playwright-core|plist|pure-rand|require-from-string|type-detect|undici-types|xmlbuilder|yaml)\b/;

/** Takes these out of a lock file: every package in it would go into the executable. */
function dropTools(path: string): void {
  const { specifiers, npm, ...lock } = JSON.parse(Deno.readTextFileSync(path));
  const slim = (packages: Record<string, unknown>) =>
    Object.fromEntries(
      Object.entries(packages).filter(([name]) => !TOOLS.test(name)),
    );
  const slimmed = { ...lock, specifiers: slim(specifiers), npm: slim(npm) };
  Deno.writeTextFileSync(path, JSON.stringify(slimmed));
}

function copy(from: string, to: string): void {
  if (!Deno.statSync(from).isDirectory) {
    Deno.mkdirSync(dirname(to), { recursive: true });
    return Deno.copyFileSync(from, to);
  }
  for (const { name } of Deno.readDirSync(from)) {
    copy(join(from, name), join(to, name));
  }
}
