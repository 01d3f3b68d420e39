import { assert, assertEquals, assertThrows } from "@std/assert";
import { type CopiedRows, copyRows } from "../../sync/queue/copy_rows.ts";
import {
  DatabaseError,
  type Engine,
  openDatabase,
} from "../../sync/queue/sqlite.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { UNREADABLE } from "../../sync/queue/capture_row.ts";
import { testOnEachEngine } from "../helpers/engines.ts";
import { withoutNames, writePastSchema } from "../helpers/past_schema.ts";
import { START_MS } from "../helpers/queue_fixture.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const PAGE = 4096;
const TABLE_LEAF = 0x0d;

/** A queue to read from, and one to write to. */
class Scene implements AsyncDisposable {
  readonly dir = new TempDir();
  readonly from: string = this.dir.join("from.db");
  readonly to: string = this.dir.join("to.db");
  readonly engine: Engine;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** Does something to one of the queues. */
  use<T>(path: string, act: (queue: UploadQueue) => T): T {
    using queue = new UploadQueue(path, { engine: this.engine });
    return act(queue);
  }

  copyRows(): CopiedRows {
    this.use(this.to, () => {});
    const options = { engine: this.engine };
    using from = openDatabase(this.from, {
      ...options,
      readonly: true,
      tolerant: true,
    });
    using to = openDatabase(this.to, options);
    return copyRows(from, to);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dir[Symbol.asyncDispose]();
  }
}

const NOTE = "x".repeat(500);

function fill(queue: UploadQueue, count: number): string[] {
  return queue.enqueueMany(Array.from({ length: count }, (_, n) => ({
    filepath: `/captures/${n}`,
    metadataJson: JSON.stringify({ note: NOTE }),
  })));
}

testOnEachEngine(
  "copyRows() copies everything from a database that is sound, as it is",
  async (engine) => {
    await using scene = new Scene(engine);
    const before = scene.use(scene.from, (queue) => {
      const ids = fill(queue, 500);
      const identity = { size: 5, mtimeMs: START_MS };
      const file = { metadataJson: "{}", identity, watched: true };
      const [sent, removed] = queue.enqueueMany([
        { ...file, filepath: "/watched/sent" },
        { ...file, filepath: "/watched/removed" },
      ]);
      queue.markCompleted(sent!, { captureId: "server-7" });
      queue.remove([removed!]);
      queue.claim(2);
      queue.markFailed(ids[5]!, "HTTP 500");
      queue.complete([{ id: ids[6]!, kind: "discard", error: "HTTP 422" }]);
      return { list: queue.captures().toArray(), stats: queue.getStats() };
    });
    const all = { captures: 500, complete: true, hasTables: true };
    assertEquals(scene.copyRows(), all);
    scene.use(scene.to, (queue) => {
      assertEquals(queue.captures().toArray(), before.list);
      assertEquals(queue.getStats(), before.stats);
      const identity = { size: 5, mtimeMs: START_MS };
      const known = (path: string) =>
        queue.knownWatched([{ path, identity }])[0];
      assertEquals(known("/watched/sent"), "delivered");
      assertEquals(known("/watched/removed"), "removed");
    });
    // It may be done again.
    assertEquals(scene.copyRows(), { ...all, captures: 0 });
  },
);

testOnEachEngine(
  "copyRows() copies captures from a database that has no names of hosts",
  async (engine) => {
    await using scene = new Scene(engine);
    const ids = scene.use(scene.from, (queue) => fill(queue, 3));
    withoutNames(scene.from, engine);
    const { captures, complete } = scene.copyRows();
    assertEquals([captures, complete], [3, true]);
    scene.use(scene.to, (queue) => {
      const copied = queue.captures().toArray();
      assertEquals(copied.map(({ id }) => id), ids);
      assertEquals(copied.map(({ hostname }) => hostname), [null, null, null]);
    });
  },
);

testOnEachEngine(
  "copyRows() copies what lies before, after and between damaged pages",
  async (engine) => {
    await using scene = new Scene(engine);
    const ids = scene.use(scene.from, (queue) => fill(queue, 200));
    const bytes = Deno.readFileSync(scene.from);
    const text = new TextDecoder("latin1").decode(bytes);
    const pages = Array.from(
      { length: bytes.length / PAGE },
      (_, n) => n * PAGE,
    )
      .filter((at) =>
        bytes[at] === TABLE_LEAF && text.slice(at, at + PAGE).includes(NOTE)
      );
    const on = (at: number) =>
      ids.filter((id) => text.slice(at, at + PAGE).includes(id));
    const [first, second] = [pages[5]!, pages[8]!];
    for (const at of [first, second]) bytes.fill(0xa5, at, at + PAGE);
    Deno.writeFileSync(scene.from, bytes);
    const lost = [...on(first), ...on(second)];
    assert(lost.length > 5 && lost.length < 30, `${lost.length}`);
    const left = ids.filter((id) => !lost.includes(id));
    assertEquals(scene.copyRows(), {
      captures: left.length,
      complete: false,
      hasTables: true,
    });
    scene.use(scene.to, (queue) => {
      const kept = queue.captures().toArray().map(({ id }) => id);
      assertEquals(kept.sort(), left.sort());
    });
  },
);

testOnEachEngine(
  "copyRows() keeps as failed what is not a queue's: blobs, other states, no id",
  async (engine) => {
    await using scene = new Scene(engine);
    const ids = scene.use(scene.from, (queue) => fill(queue, 6));
    writePastSchema(scene.from, {
      engine,
      sql: `UPDATE captures SET filepath = x'00ff' WHERE id = '${ids[0]}';
        UPDATE captures SET status = 'nonsense' WHERE id = '${ids[1]}';
        UPDATE captures SET id = x'00' WHERE id = '${ids[2]}';
        UPDATE captures SET attempts = 'many' WHERE id = '${ids[3]}'`,
    });
    assertEquals(scene.copyRows().captures, 6);
    // The one without an id gets another one each time.
    assertEquals(scene.copyRows().captures, 1);
    scene.use(scene.to, (queue) => {
      const pending = queue.captures({ status: "pending" }).toArray();
      assertEquals(pending.map(({ id }) => id), ids.slice(4));
      const failed = queue.captures({ status: "failed" }).toArray();
      assertEquals(
        failed.map(({ lastError }) => lastError),
        failed.map(() => UNREADABLE),
      );
    });
  },
);

testOnEachEngine(
  "copyRows() queues nothing that either queue has delivered",
  async (engine) => {
    await using scene = new Scene(engine);
    const ids = scene.use(scene.from, (queue) => fill(queue, 3));
    scene.use(scene.to, (queue) => {
      queue.enqueue("/captures/0", {}, { id: ids[0]! });
      queue.markCompleted(ids[0]!);
      queue.enqueue("/captures/1", {}, { id: ids[1]! });
    });
    scene.use(scene.from, (queue) => queue.markCompleted(ids[1]!));
    scene.copyRows();
    scene.use(scene.to, (queue) => {
      assertEquals(queue.captures().toArray().map(({ id }) => id), [ids[2]]);
      assertEquals(queue.getStats().delivered, 2);
    });
  },
);

testOnEachEngine(
  "copyRows() copies all or nothing if the new queue cannot be written",
  async (engine) => {
    await using scene = new Scene(engine);
    scene.use(scene.from, (queue) => fill(queue, 300));
    scene.use(scene.to, () => {});
    using from = openDatabase(scene.from, { engine, readonly: true });
    using to = openDatabase(scene.to, { engine });
    to.exec("PRAGMA max_page_count = 30");
    const error = assertThrows(() => copyRows(from, to), DatabaseError);
    assertEquals(error.fault, "full");
    scene.use(scene.to, (queue) => assertEquals(queue.getStats().pending, 0));
    const { captures, complete } = scene.copyRows();
    assertEquals([captures, complete], [300, true]);
  },
);

testOnEachEngine(
  "copyRows() finds nothing where there are no tables",
  async (engine) => {
    await using scene = new Scene(engine);
    openDatabase(scene.from, { engine }).exec("CREATE TABLE other (x)");
    const nothing = { captures: 0, complete: false, hasTables: false };
    assertEquals(scene.copyRows(), nothing);
  },
);
