import { type Engine, openDatabase } from "./sqlite.ts";

/** The SQLite that this process opens queues with, where none is open, and its version. */
export function engineInUse(): { name: Engine; sqlite: string } {
  const database = openDatabase(":memory:");
  try {
    const row = database.prepare("SELECT sqlite_version() AS version").get()!;
    return { name: database.engine, sqlite: String(row.version) };
  } finally {
    database.close();
  }
}
