/** The agent's own store, for captures that the benchmark hands over from a library. */
import { join } from "@std/path";
import { Intake, Spool, UploadQueue } from "../../../sync/mod.ts";

/** A queue and a spool in a data directory. */
export class Store implements Disposable {
  readonly queue: UploadQueue;
  readonly spool: Spool;
  readonly #intake: Intake;

  constructor(dataDir: string) {
    this.queue = new UploadQueue(join(dataDir, "queue.db"));
    this.spool = new Spool(join(dataDir, "spool"));
    this.#intake = new Intake(this.queue, this.spool, { minFreeBytes: 0 });
  }

  /** Takes files over one by one, each kept before the next. */
  async enqueue(paths: readonly string[]): Promise<void> {
    for (const path of paths) await this.#intake.add(path, '{"door":3}');
  }

  [Symbol.dispose](): void {
    this.queue.close();
  }
}
