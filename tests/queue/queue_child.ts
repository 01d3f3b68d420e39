/**
 * Works on queues at the same time as others of its kind: each line of standard
 * input is an order, `WORK ENGINE PATH COUNT`, answered by one line of JSON.
 */

import type { Engine } from "../../sync/queue/sqlite.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { openQueue } from "../../sync/queue/repair/open_queue.ts";

const DO = {
  /** Opens the queue and puts captures into it. */
  enqueue(path: string, engine: Engine, count: number): string[] {
    using queue = new UploadQueue(path, { engine });
    return Array.from({ length: count }, () => queue.enqueue("/captures/x"));
  },

  /** Opens the queue, which may be damaged, and puts captures into it. */
  async repair(path: string, engine: Engine, count: number): Promise<string[]> {
    using queue = await openQueue(path, {
      engine,
      lockPath: `${path}.lock`,
      log: () => {},
    });
    return Array.from({ length: count }, () => queue.enqueue("/captures/x"));
  },

  /** Claims and delivers all that is there, puts some in on the way, and says what it claimed. */
  deliver(path: string, engine: Engine, count: number): string[] {
    using queue = new UploadQueue(path, { engine });
    const claimed: string[] = [];
    for (let n = 0;; n++) {
      if (n < count) queue.enqueue("/captures/x");
      const ids = queue.claim(3).map(({ id }) => id);
      if (ids.length === 0 && n >= count) return claimed;
      claimed.push(...ids);
      queue.complete(ids.map((id) => ({ id, kind: "delivered" })));
      queue.captures().take(5).toArray();
      queue.retry(ids);
    }
  },
};

const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
console.log("ready");
for await (const text of lines) {
  for (const order of text.trim().split("\n")) {
    const [work, engine, path, count] = order.split(" ");
    console.log(JSON.stringify(
      await answer(
        () =>
          DO[work as keyof typeof DO](path!, engine as Engine, Number(count)),
      ),
    ));
  }
}

async function answer(
  act: () => string[] | Promise<string[]>,
): Promise<{ ids?: string[]; error?: string }> {
  try {
    return { ids: await act() };
  } catch (error) {
    return { error: String(error) };
  }
}
