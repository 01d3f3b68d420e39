import { assertEquals } from "@std/assert";
import { readAhead } from "../sync/read_ahead.ts";
import { StoreFixture } from "./helpers/store_fixture.ts";

Deno.test("readAhead() reads the small ones into one piece of memory, with their times", async () => {
  await using fixture = new StoreFixture();
  const { queue, spool, intake, dir } = fixture;
  const sizes = [3, 16 * 1024, 0, 16 * 1024 + 1];
  for (const [n, size] of sizes.entries()) {
    await intake.add(dir.write(`${n}.png`, new Uint8Array(size).fill(n)), {});
  }
  const { claimed, memory } = readAhead(queue.claim(10), spool);
  assertEquals(
    claimed.map(({ content }) => content?.bytes.length),
    [3, 16 * 1024, 0, undefined],
  );
  assertEquals(claimed[1]!.content!.bytes, new Uint8Array(16 * 1024).fill(1));
  assertEquals(claimed[0]!.content!.mtimeMs, claimed[0]!.mtimeMs);
  assertEquals(claimed[0]!.content!.bytes.buffer, memory);
});

Deno.test("readAhead() leaves to the sender what is not as it was handed over, or no entry", async () => {
  await using fixture = new StoreFixture();
  const { queue, spool, intake, dir } = fixture;
  const ids = ["gone", "longer", "shorter"].map((name) =>
    intake.addBytes(new Uint8Array(100), name, {})
  );
  Deno.removeSync(spool.pathOf(ids[0]!));
  Deno.truncateSync(spool.pathOf(ids[1]!), 101);
  Deno.truncateSync(spool.pathOf(ids[2]!), 99);
  const path = dir.write("original.png", "12345");
  queue.enqueue(path, {}, { size: 5, mtimeMs: 0 });
  const { claimed } = readAhead(queue.claim(10), spool);
  assertEquals(claimed.map(({ content }) => content), [
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
