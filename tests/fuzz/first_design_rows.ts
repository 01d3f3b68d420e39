import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { openDatabase } from "../../sync/queue/sqlite.ts";
import { ENGINES } from "../helpers/engines.ts";
import { FIRST_DESIGN } from "../helpers/first_design.ts";
import { TempDir } from "../helpers/temp_dir.ts";
import { memoryDir } from "./memory_dir.ts";
import { oddText } from "./odd_text.ts";
import { sqlValue } from "./sql_value.ts";
import { type Target, target } from "./target.ts";

const time = fc.oneof(
  sqlValue,
  fc.date().map((date) =>
    `'${Number.isNaN(date.getTime()) ? "" : date.toISOString()}'`
  ),
  oddText.map((text) =>
    `'2026-01-02T03:04:05${text.replaceAll(/['\0]/g, "")}'`
  ),
);

const row = fc.tuple(
  ...[sqlValue, sqlValue, sqlValue, time, sqlValue, time],
  fc.oneof(sqlValue, fc.constantFrom("'pending'", "'uploading'", "'failed'")),
);

/** Every row of the first design becomes a capture, whatever is in it. */
export const FIRST_DESIGN_ROWS: Target[] = ENGINES.map((engine) =>
  target(`rows of the first design (${engine})`, { share: 2 }, (stack) => {
    const dir = stack.use(new TempDir(memoryDir()));
    let made = 0;
    return fc.property(
      fc.array(row, { minLength: 1, maxLength: 4 }),
      (rows) => {
        const path = dir.join(`queue-${made++}.db`);
        const count = fill(rows);
        using queue = new UploadQueue(path, { engine });
        const listed = queue.captures().toArray();
        assertEquals(listed.length, count + 1);
        const { pending, uploading, failed } = queue.getStats();
        assertEquals(pending + uploading + failed, count + 1);
        queue.recover();
        queue.makeAllDue();
        assert(queue.claim(10).some(({ id }) => id === "sound"));
        queue.retry(listed.map(({ id }) => id));
        const ids = queue.claim(10).map(({ id }) => id);
        const done = queue.complete(
          ids.map((id) => ({ id, kind: "delivered", captureId: "1" })),
        );
        assertEquals(done, ids.length);

        function fill(rows: string[][]): number {
          using database = openDatabase(path, { engine });
          database.exec(`PRAGMA synchronous = OFF; ${FIRST_DESIGN}`);
          const insert = (values: string[]) =>
            database.exec(`INSERT OR IGNORE INTO queue VALUES (${values})`);
          rows.forEach(insert);
          insert(["'sound'", "'/a'", "'{}'", "NULL", "0", "NULL", "'pending'"]);
          const counted = database.prepare("SELECT count(*) AS n FROM queue");
          return Number(counted.get()!.n) - 1;
        }
      },
    );
  })
);
