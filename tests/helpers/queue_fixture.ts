import type { Engine } from "../../sync/queue/sqlite.ts";
import { openDatabase, type Row } from "../../sync/queue/sqlite.ts";
import {
  UploadQueue,
  type UploadQueueOptions,
} from "../../sync/queue/queue.ts";
import { TempDir } from "./temp_dir.ts";

/** A moment for tests to begin at: 2026-03-01, 12:00 UTC. */
export const START_MS = Date.UTC(2026, 2, 1, 12);

/** A real queue in a folder of its own, under a clock that only the test moves. */
export class QueueFixture implements AsyncDisposable {
  readonly dir = new TempDir();
  readonly path: string = this.dir.join("queue.db");
  readonly engine: Engine;
  /** In milliseconds since 1970. */
  nowMs = START_MS;
  queue: UploadQueue;

  constructor(engine: Engine) {
    this.engine = engine;
    this.queue = this.open();
  }

  /** Opens the queue once more, under the same clock. */
  open(options: Pick<UploadQueueOptions, "order"> = {}): UploadQueue {
    return new UploadQueue(this.path, {
      ...options,
      engine: this.engine,
      now: () => this.nowMs,
    });
  }

  /** Closes the queue and opens it again, as a restart does. */
  restart(): void {
    this.queue.close();
    this.queue = this.open();
  }

  /** Moves the clock on. */
  wait(seconds: number): void {
    this.nowMs += seconds * 1000;
  }

  /** Puts captures into the queue, a second apart, and returns their ids. */
  enqueue(...names: string[]): string[] {
    return names.map((name) => {
      const id = this.queue.enqueue(`/captures/${name}`, { name });
      this.wait(1);
      return id;
    });
  }

  /** The names of the captures that are due, in their order. */
  pending(limit?: number): string[] {
    return this.queue.getPending(limit).map(({ filepath }) =>
      filepath.replace("/captures/", "")
    );
  }

  /** Reads the database past the queue. */
  query(sql: string): Row[] {
    using database = openDatabase(this.path, { engine: this.engine });
    return database.prepare(sql).all();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.queue.close();
    await this.dir[Symbol.asyncDispose]();
  }
}
