/**
 * The native SQLite, through `@db/sqlite`, where a library of it loads on this host.
 *
 * `@db/sqlite` loads its library as soon as it is imported, and by itself would
 * download one. So a library is looked for first, and only if one loads is the
 * module imported.
 *
 * @module
 */

import type { Database } from "@db/sqlite";
import { join } from "@std/path";
import { variable } from "../host/environment.ts";
import { writeAll } from "../host/files.ts";
import { messageOf } from "../host/message_of.ts";
import { makePrivateTempDir, openNew } from "../host/private_files.ts";
import { tryTo } from "../host/try_to.ts";
import type { Driver, Opener, Row, SqlValue } from "./sqlite.ts";

/** The oldest version that has all that the schema needs (STRICT), as SQLite numbers them. */
const MIN_VERSION = 3_037_000;

const [EMBEDDED_LIBRARY, SYSTEM_LIBRARY] = Deno.build.os === "windows"
  ? ["sqlite3.dll", "winsqlite3.dll"]
  : Deno.build.os === "darwin"
  ? ["libsqlite3.dylib", "libsqlite3.dylib"]
  : ["libsqlite3.so", "libsqlite3.so.0"];

const { Native, detail } = await load();

/** The native library in use, or the reason why there is none. */
export const nativeDetail: string = detail;

/** Opens a file through the native library; `undefined` where none loads. */
export const openNative: Opener | undefined = Native &&
  ((path, { readonly = false }) =>
    driverOf(
      new Native(path, {
        // Without it, integers above 32 bits are read wrong.
        int64: true,
        parseJson: false,
        // Else the names of the columns are asked for with each execution.
        unsafeConcurrency: true,
        ...(readonly && { readonly }),
      }),
    ));

function driverOf(database: Database): Driver {
  const statements: { finalize(): void }[] = [];
  return {
    exec: (sql) => database.exec(sql),
    prepare(sql) {
      const statement = database.prepare<Row>(sql);
      statements.push(statement);
      return {
        run: (...parameters) => statement.run(...parameters),
        get: <T>(...parameters: SqlValue[]) =>
          statement.get(...parameters) as T,
        all: <T>(...parameters: SqlValue[]) =>
          statement.all(...parameters) as T[],
      };
    },
    // Statements first: using one after close() crashes the process.
    close() {
      for (const statement of statements) {
        // It repeats the error of its last execution.
        tryTo(() => statement.finalize());
      }
      database.close();
    },
  };
}

async function load(): Promise<{ Native?: typeof Database; detail: string }> {
  const allowed = await Deno.permissions.query({ name: "ffi" });
  if (allowed.state !== "granted") {
    return { detail: "no permission for native libraries" };
  }
  using embedded = unpackLibrary();
  const path = [
    // An executable takes no code from a place that its environment names.
    Deno.build.standalone ? undefined : variable("DENO_SQLITE_PATH"),
    embedded.path,
    SYSTEM_LIBRARY,
  ].find((path) => path !== undefined && loads(path));
  if (path === undefined) return { detail: "no native library loads here" };
  const before = variable("DENO_SQLITE_PATH");
  Deno.env.set("DENO_SQLITE_PATH", path);
  try {
    const { Database } = await import("@db/sqlite");
    const detail = path === embedded.path ? "the embedded library" : path;
    return { Native: Database, detail };
  } catch (error) {
    return { detail: messageOf(error) };
  } finally {
    // Children of this process should look for themselves.
    if (before === undefined) Deno.env.delete("DENO_SQLITE_PATH");
    else Deno.env.set("DENO_SQLITE_PATH", before);
  }
}

/**
 * Copies the library that an executable carries into a folder that only this user
 * can write, as long as it is loaded from there: Deno itself would write it to a
 * name in the temporary folder that another user may have taken.
 */
function unpackLibrary(): Disposable & { path?: string } {
  const none = { [Symbol.dispose]() {} };
  const here = import.meta.dirname;
  if (!here || !Deno.build.standalone) return none;
  // Without "..": an executable knows its files by their plain paths only.
  const packed = join(here, "..", "..", "lib", EMBEDDED_LIBRARY);
  // There the temporary folder is the user's own, and a loaded file must stay.
  if (Deno.build.os === "windows") return { ...none, path: packed };
  try {
    const bytes = Deno.readFileSync(packed);
    const folder = makePrivateTempDir("jarvis-agent-");
    const path = join(folder, EMBEDDED_LIBRARY);
    using file = openNew(path);
    writeAll(file, bytes);
    // Where that fails, it holds nothing private.
    const remove = () => Deno.removeSync(folder, { recursive: true });
    return { path, [Symbol.dispose]: () => tryTo(remove) };
  } catch {
    // None was embedded, or there is no room for it: the next one will do.
    return none;
  }
}

/** Whether a library is there, loads, and is new enough. */
function loads(path: string): boolean {
  return tryTo(() => {
    const library = Deno.dlopen(path, {
      sqlite3_libversion_number: { parameters: [], result: "i32" },
    });
    const version = library.symbols.sqlite3_libversion_number();
    library.close();
    return version >= MIN_VERSION;
  }) ?? false;
}
