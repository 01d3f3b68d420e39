/** A -shm that grows on a disk whose blocks are smaller than a page of memory. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { fileSize } from "../../sync/host/files.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { DatabaseError, openDatabase } from "../../sync/queue/sqlite.ts";
import { ENGINES } from "../helpers/engines.ts";
import { failingDisk, LoopDisk } from "../helpers/loop_disk.ts";

const KIB = 1024;
/** A -shm grows when its -wal has so many bytes. */
const FIRST_REGION_BYTES = 4062 * 4120;

const canMount = await LoopDisk.canMount(failingDisk(KIB));

/** Captures, each of which takes about a page. */
function captures(count: number) {
  const metadataJson = JSON.stringify({ note: "x".repeat(2500) });
  return Array.from(
    { length: count },
    () => ({ filepath: "/x", metadataJson }),
  );
}

for (const engine of ENGINES) {
  const skipped = canMount ? "" : "; skipped: no disk can be mounted";
  Deno.test({
    name:
      `a queue whose -wal grows on an almost full disk of small blocks goes on (${engine}${skipped})`,
    ignore: !canMount,
    async fn() {
      await using disk = (await LoopDisk.mount(failingDisk(KIB)))!;
      const path = `${disk.path}/queue.db`;
      const walBytes = () => fileSize(`${path}-wal`)!;
      using queue = new UploadQueue(path, {
        engine,
        reserveBytes: 8 * KIB * KIB,
      });
      queue.enqueueMany(captures(1));
      // As long as it reads, the -wal is not written from its start again.
      using reader = openDatabase(path, { engine, readonly: true });
      reader.exec("BEGIN; SELECT count(*) FROM captures");
      while (walBytes() < FIRST_REGION_BYTES - 200 * KIB) {
        queue.enqueueMany(captures(10));
      }
      await disk.fill(FIRST_REGION_BYTES - walBytes() + 32 * KIB);
      const error = assertThrows(
        () => queue.enqueueMany(captures(1)),
        DatabaseError,
      );
      assertEquals(error.fault, "full");
      while (walBytes() < FIRST_REGION_BYTES) {
        const ids = queue.claim(1).map(({ id }) => id);
        const what = { kind: "snooze", delayMs: 0, error: "HTTP 503" } as const;
        queue.complete(ids.map((id) => ({ id, ...what })));
      }
      assert(!fileSize(`${path}-reserve`), "the reserve was needed");
      assertEquals(queue.findDamage(), null);
    },
  });
}
