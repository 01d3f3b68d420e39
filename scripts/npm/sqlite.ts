/** The part of `@db/sqlite` that the project uses, which has no equal on npm. */

/** A value that SQLite stores. */
export type BindValue =
  | number
  | string
  | bigint
  | boolean
  | Uint8Array
  | null
  | undefined;

/** Options for opening a database. */
export interface DatabaseOpenOptions {
  readonly?: boolean;
  create?: boolean;
  int64?: boolean;
  parseJson?: boolean;
  unsafeConcurrency?: boolean;
}

export declare class Statement<Row extends object> {
  run(...values: BindValue[]): number;
  get(...values: BindValue[]): Row | undefined;
  all(...values: BindValue[]): Row[];
  finalize(): void;
}

/** A database file opened through SQLite's C library. */
export declare class Database {
  constructor(path: string | URL, options?: DatabaseOpenOptions);
  readonly inTransaction: boolean;
  readonly changes: number;
  prepare<Row extends object>(sql: string): Statement<Row>;
  exec(sql: string): number;
  close(): void;
}

// At once, so that the importing module can open the file with node:sqlite.
throw new Error(
  `no "@db/sqlite" comes with the dependencies from npm, Deno's own SQLite stores the queue`,
);
