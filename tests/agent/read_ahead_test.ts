import { assertEquals } from "@std/assert";
import { ReadAhead } from "../../sync/agent/read_ahead.ts";
import { StoreFixture } from "../helpers/store_fixture.ts";

const KIB = 1024;

function aheadOf({ queue, spool }: StoreFixture): ReadAhead {
  return new ReadAhead((limit) => queue.claim(limit), spool);
}

Deno.test("ReadAhead reads the small ones into one piece of memory, with their times", async () => {
  await using fixture = new StoreFixture();
  const { intake, dir } = fixture;
  const sizes = [3, 128 * KIB, 0, 128 * KIB + 1];
  for (const [n, size] of sizes.entries()) {
    await intake.add(dir.write(`${n}.png`, new Uint8Array(size).fill(n)), {});
  }
  const { claimed, memory } = aheadOf(fixture).next(10);
  assertEquals(
    claimed.map(({ content }) => content?.bytes.length),
    [3, 128 * KIB, 0, undefined],
  );
  assertEquals(claimed[1]!.content!.bytes, new Uint8Array(128 * KIB).fill(1));
  assertEquals(claimed[0]!.content!.mtimeMs, claimed[0]!.mtimeMs);
  assertEquals(claimed[0]!.content!.bytes.buffer, memory);
});

Deno.test("ReadAhead leaves to the sender what is not as it was handed over, or no entry", async () => {
  await using fixture = new StoreFixture();
  const { queue, spool, intake, dir } = fixture;
  const ids = ["gone", "longer", "shorter", "later"].map((name) =>
    intake.addBytes(new Uint8Array(100), name, {})
  );
  Deno.removeSync(spool.pathOf(ids[0]!));
  Deno.truncateSync(spool.pathOf(ids[1]!), 101);
  Deno.truncateSync(spool.pathOf(ids[2]!), 99);
  Deno.utimeSync(spool.pathOf(ids[3]!), 1, 1);
  const path = dir.write("original.png", "12345");
  queue.enqueue(path, {}, { size: 5, mtimeMs: 0 });
  const { claimed } = aheadOf(fixture).next(10);
  assertEquals(claimed.map(({ content }) => content), Array(5).fill(undefined));
});

Deno.test("ReadAhead returns 1 MiB at a time, and keeps the order", async () => {
  await using fixture = new StoreFixture();
  const { queue, intake } = fixture;
  const ids = Array.from(
    { length: 20 },
    () => intake.addBytes(new Uint8Array(128 * KIB), "a.png", {}),
  );
  const ahead = aheadOf(fixture);
  const first = ahead.next(20);
  const { memory } = first;
  const batches = [first, ahead.next(5), ahead.next(20, [memory!])];
  assertEquals(batches.map(({ claimed }) => claimed.length), [8, 5, 7]);
  assertEquals(memory!.byteLength, 1024 * KIB);
  assertEquals(batches.map((one) => one.memory === memory), [
    true,
    false,
    true,
  ]);
  assertEquals(ahead.next(20), { claimed: [], memory: undefined });
  const returned = batches.flatMap(({ claimed }) => claimed);
  assertEquals(returned.map(({ id }) => id), ids);
  assertEquals(queue.getStats().uploading, 20);
});
