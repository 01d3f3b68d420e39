/**
 * Measures how fast captures are handed over, in one process.
 *
 * @module
 */
import { join } from "@std/path";
import { Intake } from "../../../sync/spool/intake.ts";
import { UploadQueue } from "../../../sync/mod.ts";
import { Spool } from "../../../sync/spool/spool.ts";
import { FolderWatcher } from "../../../sync/watch/watcher.ts";
import { readInput } from "../children.ts";

interface Input {
  dataDir: string;
  /** Rows one by one; rows in batches of 100; files with their spool; a watched folder. */
  how: "row" | "batch" | "spool" | "watch";
  rows: number;
  paths: string[];
  folder: string;
}

async function enqueueAll(
  input: Input,
  store: { queue: UploadQueue; intake: Intake },
): Promise<number> {
  const { how, rows, paths, folder } = input;
  const { queue, intake } = store;
  switch (how) {
    case "row":
      for (let i = 0; i < rows; i++) queue.enqueue(pathOf(i), { door: 3 });
      return rows;
    case "batch":
      for (let i = 0; i < rows; i += 100) {
        queue.enqueueMany(
          Array.from({ length: Math.min(100, rows - i) }, (_, j) => ({
            filepath: pathOf(i + j),
            metadata: { door: 3 },
          })),
        );
      }
      return rows;
    case "spool":
      for (const path of paths) await intake.add(path, '{"door":3}');
      return paths.length;
    case "watch": {
      const watcher = new FolderWatcher([folder], {
        settleMs: 0,
        log: (_, message) => console.error(message),
        known: (files) =>
          queue.knownWatched(
            files.map(({ path, identity }) => ({ path, ...identity })),
          ),
        knownContent: () => undefined,
        onFinished: async (files) => {
          await intake.addWatched(files);
        },
      });
      await watcher.scan();
      return queue.getStats().pending;
    }
  }
}

function pathOf(i: number): string {
  return `/captures/capture-${i}.png`;
}

if (import.meta.main) {
  const input = await readInput<Input>();
  using queue = new UploadQueue(join(input.dataDir, "queue.db"));
  const spool = new Spool(join(input.dataDir, "spool"));
  const intake = new Intake(queue, spool, { minFreeBytes: 0 });
  const start = performance.now();
  const captures = await enqueueAll(input, { queue, intake });
  const ms = performance.now() - start;
  console.log(JSON.stringify({ captures, ms }));
}
