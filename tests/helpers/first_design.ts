import {
  type Engine,
  openDatabase,
  type SqlValue,
} from "../../sync/queue/sqlite.ts";
import { succeeds } from "./has_program.ts";

/** The only table of the first design. */
export const FIRST_DESIGN =
  `CREATE TABLE queue (id TEXT PRIMARY KEY, filepath TEXT, metadata_json TEXT, created_at TEXT,
  attempts INTEGER DEFAULT 0, last_attempt TEXT, status TEXT DEFAULT 'pending')`;

const INSERT = "INSERT INTO queue VALUES (?, ?, ?, ?, ?, ?, ?)";

/** One row of it: id, filepath, metadata_json, created_at, attempts, last_attempt, status. */
export type OldRow = SqlValue[];

/** How a database of the first design is made. */
export interface OldDatabaseOptions {
  path: string;
  rows: OldRow[];
  journalMode?: "delete" | "wal";
  /**
   * Whether the program is killed: in WAL mode its rows are still in the -wal
   * then, else a transaction is half done.
   */
  killed?: boolean;
}

const PYTHON = `
import json, os, sqlite3, sys
order = json.load(sys.stdin)
db = sqlite3.connect(order["path"], isolation_level=None)
db.execute("PRAGMA journal_mode = " + order["journalMode"])
db.execute(order["table"])
db.execute("BEGIN")
db.executemany(order["insert"], order["rows"])
db.execute("COMMIT")
if order["killed"]:
    if order["journalMode"] == "delete":
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN")
        db.execute("UPDATE queue SET filepath = 'half done' || hex(zeroblob(5000))")
    os._exit(0)
db.close()
`;

/** Whether there is a `python3` with its own SQLite. */
export function hasPython(): Promise<boolean> {
  return succeeds("python3", ["-c", "import sqlite3"]);
}

/** Makes one as the first design did: by Python's own sqlite3. */
export async function makeByPython(options: OldDatabaseOptions): Promise<void> {
  const order = {
    journalMode: "delete",
    killed: false,
    table: FIRST_DESIGN,
    insert: INSERT,
    ...options,
  };
  const child = new Deno.Command("python3", {
    args: ["-c", PYTHON],
    stdin: "piped",
  }).spawn();
  const input = new Blob([JSON.stringify(order)]).stream();
  await input.pipeTo(child.stdin);
  const { success } = await child.status;
  if (!success) throw new Error("Python could not make the database");
}

/** Makes one by a connection of our own. */
export function makeByConnection(
  { path, rows, journalMode = "delete" }: OldDatabaseOptions,
  engine: Engine,
): void {
  using database = openDatabase(path, { engine });
  database.exec(`PRAGMA journal_mode = ${journalMode}; ${FIRST_DESIGN}`);
  const insert = database.prepare(INSERT);
  for (const row of rows) insert.run(...row);
}
