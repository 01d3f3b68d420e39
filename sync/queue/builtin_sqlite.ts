/** The SQLite that is built into Deno, `node:sqlite`. */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import type {
  Driver,
  OpenDatabaseOptions,
  SqlValue,
  Statement,
} from "./sqlite.ts";

/** Opens a file through the built-in SQLite. */
export function openBuiltin(
  path: string,
  { readonly = false, tolerant = false }: OpenDatabaseOptions,
): Driver {
  const database = new DatabaseSync(path, {
    readOnly: readonly,
    // Where it is on by default, being defensive forbids being tolerant.
    ...(tolerant && { defensive: false }),
  });
  return {
    exec: (sql) => database.exec(sql),
    prepare: (sql) => prepare(database, sql),
    close: () => database.close(),
  };
}

function prepare(database: DatabaseSync, sql: string): Statement {
  const statement = prepared(database, sql);
  return {
    run: (...parameters) => Number(statement.run(...parameters).changes),
    get: <T>(...parameters: SqlValue[]) => statement.get(...parameters) as T,
    all: <T>(...parameters: SqlValue[]) => statement.all(...parameters) as T[],
  };
}

function prepared(database: DatabaseSync, sql: string): StatementSync {
  try {
    return database.prepare(sql);
  } catch (error) {
    // Older Denos say no more than that; EXPLAIN throws the reason.
    const says = error instanceof Error ? error.message : "";
    if (says === "failed to prepare statement") database.exec(`EXPLAIN ${sql}`);
    throw error;
  }
}
