/**
 * The first page of a queue holds SQLite's header and the root of the schema: without
 * it nothing of the file can be read, however sound the rest is. One that stands in for
 * it is made here, from what the other pages say of where the tables begin.
 *
 * @module
 */

import { APPLICATION_ID, OBJECTS } from "../schema.ts";
import { type Connection, type Engine, openDatabase } from "../sqlite.ts";

/** The tables that a repair reads; what creates them all has room on one page. */
const TABLES = ["captures", "delivered", "watched_files", "agent"];

const CREATE_TABLE = new Map(TABLES.map((table) => {
  const sql = OBJECTS.find((sql) => sql.startsWith(`CREATE TABLE ${table} `))!;
  return [table, sql];
}));

/** How much is read at a time, in bytes: whole pages of any size. */
const CHUNK = 1 << 20;
/** The size of SQLite's header, in bytes. */
const HEADER = 100;
/** Where the header has the size of a page, and the number of pages. */
const [PAGE_SIZE_AT, PAGE_COUNT_AT] = [16, 28];
/** The most bytes that a row has for the number of a page. */
const MAX_NUMBER = 4;

/** The first page of each table, by its name. */
type Roots = Map<string, number>;

/**
 * The pages that may stand in for the first one of a damaged queue: its own with a new
 * header, then one that is wholly new.
 *
 * @param path The damaged queue; it is only read.
 * @param options `fresh` is a sound queue, `scratch` the path of a database that is made.
 */
export function firstPages(
  path: string,
  { fresh, scratch }: { fresh: Connection; scratch: string },
): Uint8Array<ArrayBuffer>[] {
  const roots = rootsIn(path);
  const made = makePage(scratch, {
    roots: asIn(fresh, roots),
    engine: fresh.engine.name,
  });
  const own = made.slice();
  using file = Deno.openSync(path);
  fill(file, own);
  own.set(made.subarray(0, HEADER));
  return roots.size > 0 ? [own, made] : [own];
}

/**
 * The tables' first pages, as far as the file's own schema tells. Only tables just like
 * those of this version are found, so that no other content is taken for theirs.
 */
function rootsIn(path: string): Roots {
  const roots: Roots = new Map();
  using file = Deno.openSync(path);
  const chunk = new Uint8Array(CHUNK);
  // One character for each byte.
  const decoder = new TextDecoder("latin1");
  for (let size; (size = fill(file, chunk)) > 0;) {
    const text = decoder.decode(chunk.subarray(0, size));
    for (const table of TABLES.filter((table) => !roots.has(table))) {
      const place = findRoot(text, table);
      if (!place) continue;
      const number = chunk.subarray(...place);
      roots.set(table, number.reduce((sum, byte) => sum * 256 + byte, 0));
    }
    if (roots.size === TABLES.length) break;
  }
  return roots;
}

/** Where a row of the schema has the number of a table's first page, from and to. */
function findRoot(text: string, table: string): [number, number] | undefined {
  const sql = CREATE_TABLE.get(table)!;
  // Type, name, table, that number, SQL. No row of it is longer than a page.
  const start = `table${table}${table}`;
  for (let at = -1; (at = text.indexOf(start, at + 1)) >= 0;) {
    const from = at + start.length;
    for (let to = from + 1; to <= from + MAX_NUMBER; to++) {
      if (text.startsWith(sql, to)) return [from, to];
    }
  }
}

/**
 * Adds the first pages of the tables that were not found, if those that were are where a
 * new queue has them: its tables are always made in the same order, in an empty file.
 */
function asIn(fresh: Connection, found: Roots): Roots {
  const rows = fresh.prepare("SELECT name, rootpage FROM sqlite_schema").all();
  const roots: Roots = new Map(
    rows.filter(({ name }) => TABLES.includes(String(name)))
      .map(({ name, rootpage }) => [String(name), Number(rootpage)]),
  );
  const isAlike = found.size > 0 &&
    [...found].every(([table, root]) => roots.get(table) === root);
  return isAlike ? roots : found;
}

/** The first page of a queue whose tables begin there, and which is as long as its file. */
function makePage(
  path: string,
  { roots, engine }: { roots: Roots; engine: Engine },
): Uint8Array<ArrayBuffer> {
  {
    using database = openDatabase(path, { engine, tolerant: true });
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    for (const table of roots.keys()) database.exec(CREATE_TABLE.get(table)!);
    const place = database.prepare(
      "UPDATE sqlite_schema SET rootpage = ? WHERE name = ?",
    );
    for (const [table, root] of roots) place.run(root, table);
    // The rows are read in the tables' own order.
    database.exec("DELETE FROM sqlite_schema WHERE type = 'index'");
  }
  const bytes = Deno.readFileSync(path);
  const view = new DataView(bytes.buffer);
  view.setUint32(PAGE_COUNT_AT, 0);
  return bytes.slice(0, view.getUint16(PAGE_SIZE_AT));
}

/** Reads as many bytes as there are, and room for; returns how many. */
function fill(file: Deno.FsFile, bytes: Uint8Array): number {
  let size = 0;
  for (let n; (n = file.readSync(bytes.subarray(size))); size += n);
  return size;
}
