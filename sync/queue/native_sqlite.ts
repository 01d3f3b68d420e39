/**
 * The native SQLite, through `@db/sqlite`. A program that imports this opens its
 * databases through a library of this host, where one loads: for a row it takes
 * less time than the built-in one, but to load it more than a short command.
 *
 * `@db/sqlite` loads its library as soon as it is imported, and by itself would
 * download one. So a library is looked for first, and only if one loads is the
 * module imported.
 *
 * @module
 */

import type { Database } from "@db/sqlite";
import { join } from "@std/path";
import {
  BaseConnection,
  type Connection,
  type OpenDatabaseOptions,
  type Row,
  type Statement,
  useNative,
} from "./sqlite.ts";
import { translated } from "./database_error.ts";

type Native = typeof Database;

const { Database: native, detail } = await load();

/** The native library in use, or why there is none. */
export const nativeDetail: string = detail;

class NativeConnection extends BaseConnection implements Connection {
  readonly engine = "ffi";
  readonly #database: Database;
  readonly #statements: { finalize(): void }[] = [];
  #open = true;

  constructor(
    Database: Native,
    path: string,
    { readonly = false }: OpenDatabaseOptions,
  ) {
    super();
    // int64: without it, integers above 32 bits are read wrong.
    this.#database = translated(() =>
      new Database(path, {
        int64: true,
        parseJson: false,
        ...(readonly && { readonly }),
      })
    );
  }

  exec(sql: string): void {
    translated(() => this.#database.exec(sql));
  }

  prepare(sql: string): Statement {
    const statement = translated(() => this.#database.prepare<Row>(sql));
    this.#statements.push(statement);
    return {
      run: (...parameters) => translated(() => statement.run(...parameters)),
      get: (...parameters) => translated(() => statement.get(...parameters)),
      all: (...parameters) => translated(() => statement.all(...parameters)),
    };
  }

  // Statements first: using one after close() crashes the process.
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const statement of this.#statements) {
      try {
        statement.finalize();
      } catch {
        // It says again what its last execution has said.
      }
    }
    this.#database.close();
  }
}

if (native) {
  useNative((path, options) => new NativeConnection(native, path, options));
}

async function load(): Promise<{ Database?: Native; detail: string }> {
  const allowed = await Deno.permissions.query({ name: "ffi" });
  if (allowed.state !== "granted") {
    return { detail: "no permission for native libraries" };
  }
  const path = libraryCandidates().find(loads);
  if (path === undefined) return { detail: "no native library loads here" };
  const before = Deno.env.get("DENO_SQLITE_PATH");
  Deno.env.set("DENO_SQLITE_PATH", path);
  try {
    const { Database } = await import("@db/sqlite");
    return { Database, detail: path };
  } catch (error) {
    return { detail: error instanceof Error ? error.message : String(error) };
  } finally {
    // Children of this process should look for themselves.
    if (before === undefined) Deno.env.delete("DENO_SQLITE_PATH");
  }
}

/** Where a library may be, in the order of preference. */
function libraryCandidates(): string[] {
  const os = Deno.build.os;
  const [embedded, system] = os === "windows"
    ? ["sqlite3.dll", "winsqlite3.dll"]
    : os === "darwin"
    ? ["libsqlite3.dylib", "libsqlite3.dylib"]
    : ["libsqlite3.so", "libsqlite3.so.0"];
  const here = import.meta.dirname;
  return [
    Deno.env.get("DENO_SQLITE_PATH"),
    // Without "..": an executable knows its files by their plain paths only.
    here && join(here, "..", "..", "lib", embedded),
    system,
  ].filter((path): path is string => Boolean(path));
}

function loads(path: string): boolean {
  try {
    Deno.dlopen(path, {
      sqlite3_libversion: { parameters: [], result: "pointer" },
    }).close();
    return true;
  } catch {
    return false;
  }
}
