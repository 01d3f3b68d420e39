/** The SQLite that is built into Deno, `node:sqlite`. */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { messageOf } from "../host/message_of.ts";
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
    // The defensive mode, on by default in some versions, forbids the tolerant one.
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
    get: <T>(...parameters: SqlValue[]) =>
      inBigInts(statement, () => statement.get(...parameters) as T),
    all: <T>(...parameters: SqlValue[]) =>
      inBigInts(statement, () => statement.all(...parameters) as T[]),
  };
}

/** Reads whole numbers as BigInts where there is one that is too large for another type. */
function inBigInts<T>(statement: StatementSync, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!String(error).includes("too large to be represented")) throw error;
    statement.setReadBigInts(true);
    try {
      return read();
    } finally {
      statement.setReadBigInts(false);
    }
  }
}

/** A number that JavaScript cannot hold, which only another program writes, reads as NULL. */
export function inNumbers<T>(row: T): T {
  const values = row as Record<string, unknown>;
  for (const name in values) {
    if (typeof values[name] !== "bigint") continue;
    const number = Number(values[name]);
    values[name] = Number.isSafeInteger(number) ? number : null;
  }
  return row;
}

function prepared(database: DatabaseSync, sql: string): StatementSync {
  try {
    return database.prepare(sql);
  } catch (error) {
    // Older Denos say no more than that; EXPLAIN throws the reason.
    const isBare = messageOf(error) === "failed to prepare statement";
    if (isBare) database.exec(`EXPLAIN ${sql}`);
    throw error;
  }
}
