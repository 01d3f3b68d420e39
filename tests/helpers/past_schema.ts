import { type Engine, openDatabase } from "../../sync/queue/sqlite.ts";

/**
 * Writes into a queue what its schema forbids, as somebody does who edits the file,
 * or as damage does that has kept a page's form.
 */
export function writePastSchema(
  path: string,
  options: { engine: Engine; sql: string },
): void {
  const { engine, sql } = options;
  const setStrict = (change: string) => {
    using database = openDatabase(path, { engine, tolerant: true });
    database.exec(
      `UPDATE sqlite_schema SET sql = ${change} WHERE name = 'captures'`,
    );
  };
  setStrict("substr(sql, 1, length(sql) - length(' STRICT'))");
  {
    using database = openDatabase(path, { engine });
    database.exec(`PRAGMA ignore_check_constraints = ON; ${sql}`);
  }
  setStrict("sql || ' STRICT'");
}

/** Makes a queue one as they were made before captures had the name of a host, and their first one. */
export function withoutNames(path: string, engine: Engine): void {
  using database = openDatabase(path, { engine });
  database.exec(
    "ALTER TABLE captures DROP COLUMN first_path; ALTER TABLE captures DROP COLUMN hostname",
  );
}
