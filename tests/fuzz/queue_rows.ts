import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { type Connection, openDatabase } from "../../sync/queue/sqlite.ts";
import { ENGINES } from "../helpers/engines.ts";
import { TempDir } from "../helpers/temp_dir.ts";
import { memoryDir } from "./memory_dir.ts";
import { sqlValue } from "./sql_value.ts";
import { type Target, target } from "./target.ts";

const NOW_MS = Date.UTC(2026, 2, 1, 12);
/** Each with a value that the queue itself might have written. */
const COLUMNS = {
  rowid: "NULL",
  id: "'odd'",
  filepath: "'/captures/odd.png'",
  metadata_json: "'{}'",
  created_at: NOW_MS,
  status: "'pending'",
  attempts: 1,
  first_charged_at: NOW_MS,
  last_charged_at: NOW_MS,
  snoozes: 0,
  due_at: "NULL",
  last_attempt: NOW_MS,
  last_error: "'HTTP 500'",
  file_id: "'8.1:2a'",
  size: 5,
  mtime_ms: NOW_MS,
  ctime_ms: NOW_MS,
  sha256: "'00ff'",
  hostname: "'kiosk-7'",
  first_path: "NULL",
  spooled: 0,
  watched: 1,
};

const row = fc.record(
  Object.fromEntries(
    Object.keys(COLUMNS).map((column) => [column, sqlValue]),
  ),
  { requiredKeys: [] },
);

const given = fc.record({
  rows: fc.array(row, { minLength: 1, maxLength: 3 }),
  kind: fc.constantFrom(
    ...["delivered", "charge", "snooze", "release", "discard"] as const,
  ),
  watched: fc.record({
    file_id: sqlValue,
    size: sqlValue,
    since: sqlValue,
    state: sqlValue,
  }, { requiredKeys: [] }),
  attempt: fc.record({ nth: sqlValue, started_at: sqlValue, error: sqlValue }, {
    requiredKeys: [],
  }),
});

type Given = typeof given extends fc.Arbitrary<infer T> ? T : never;

/** Puts two sound rows and the odd ones between them into an empty queue. */
function fill(raw: Connection, { rows, watched, attempt }: Given): void {
  const insert = (table: string, values: Record<string, unknown>) => {
    const [names, literals] = [Object.keys(values), Object.values(values)];
    try {
      raw.exec(`INSERT INTO ${table} (${names}) VALUES (${literals})`);
    } catch {
      // What the schema refuses nobody can write.
    }
  };
  const sound = { ...COLUMNS, last_attempt: "NULL", attempts: 0 };
  raw.transaction(() => {
    for (
      const table of ["captures", "watched_files", "attempts", "delivered"]
    ) {
      raw.exec(`DELETE FROM ${table}`);
    }
    raw.exec("DELETE FROM counts; INSERT INTO counts (one) VALUES (1)");
    insert("captures", { ...sound, id: "'first'", created_at: NOW_MS - 1 });
    for (const row of rows) insert("captures", { ...COLUMNS, ...row });
    insert("captures", { ...sound, id: "'last'", created_at: NOW_MS + 1 });
    insert("watched_files", {
      capture_id: "'odd'",
      filepath: COLUMNS.filepath,
      file_id: COLUMNS.file_id,
      state: "'queued'",
      since: 0,
      ...watched,
    });
    const first = {
      capture_id: "'first'",
      nth: 1,
      started_at: 0,
      elapsed_ms: 0,
    };
    insert("attempts", { ...first, ...attempt });
  });
}

/** Whatever is in the rows, the sound ones are delivered and nothing throws. */
function work(queue: UploadQueue, { kind }: Given): void {
  const ids = queue.captures().toArray().map(({ id }) => id);
  assert(ids.includes("first") && ids.includes("last"));
  for (const id of ids) {
    queue.get(id);
    queue.attempts(id);
  }
  const identity = {
    fileId: "8.1:2a",
    size: 5,
    mtimeMs: NOW_MS,
    ctimeMs: NOW_MS,
  };
  const seen = { path: "/captures/odd.png", identity };
  queue.knownWatched([seen]);
  queue.knownContent(seen, "00ff");
  assertNumbers(queue);
  assert(
    ["first", "last"].every((id) =>
      queue.getPending().some((one) => one.id === id)
    ),
  );
  const claimed = queue.claim(10);
  assert(["first", "last"].every((id) => claimed.some((one) => one.id === id)));
  const one = {
    kind,
    error: "no",
    delayMs: 1,
    captureId: "1",
    identity,
  } as const;
  const attempt = { startedMs: 0, elapsedMs: 1, status: 500, error: null };
  const done = queue.complete(
    claimed.map(({ id }) => ({ ...one, id, attempt })),
  );
  assertEquals(done, claimed.length);
  assertNumbers(queue);
  queue.recover();
  queue.retry(claimed.map(({ id }) => id));
  queue.makeAllDue();
  for (const captures of queue.spooled()) assert(captures.length > 0);
  queue.cleanupOld(0);
  queue.pruneHistory(0, () => false);
  queue.requestSync();
  queue.remove(queue.captures().toArray().map(({ id }) => id));
  assertNumbers(queue);
}

function assertNumbers(queue: UploadQueue): void {
  const numbers = [
    ...Object.values(queue.getStats()),
    queue.spooledBytes(),
    queue.oldestPendingMs() ?? 0,
    queue.nextDueMs() ?? 0,
  ];
  assert(numbers.every(Number.isFinite), `${numbers}`);
}

export const QUEUE_ROWS: Target[] = ENGINES.map((engine) =>
  target(`queue rows (${engine})`, { share: 5 }, (stack) => {
    const dir = stack.use(new TempDir(memoryDir()));
    const path = dir.join("queue.db");
    const open = () => new UploadQueue(path, { engine, now: () => NOW_MS });
    open().close();
    const raw = stack.use(openDatabase(path, { engine }));
    raw.exec("PRAGMA synchronous = OFF");
    const queue = stack.use(open());
    return fc.property(given, (given) => {
      fill(raw, given);
      work(queue, given);
    });
  })
);
