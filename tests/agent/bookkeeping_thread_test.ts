import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { BookkeepingThread } from "../../sync/agent/bookkeeping_thread.ts";
import { openDatabase } from "../../sync/queue/sqlite.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { StoreFixture } from "../helpers/store_fixture.ts";
import { ENGINES } from "../helpers/engines.ts";

const bytes = new Uint8Array([1, 2, 3]);

for (const engine of ENGINES) {
  Deno.test(`BookkeepingThread claims, records and removes what is spent, beside this thread's queue (${engine})`, async () => {
    await using fixture = new StoreFixture({ engine });
    const { queue, spool, intake } = fixture;
    const ids = ["a", "b", "c"].map((name) =>
      intake.addBytes(bytes, `${name}.png`, { name })
    );
    await using thread = await BookkeepingThread.start(queue, spool);

    const claimed = await thread.claim(2);
    assertEquals(claimed.map(({ id }) => id), ids.slice(0, 2));
    assertEquals(claimed[0]!.metadataJson, '{"name":"a"}');
    assertEquals(claimed.map(({ content }) => content?.bytes), [bytes, bytes]);
    assertEquals(queue.getStats().uploading, 2);
    const trouble = await thread.settle([
      { id: ids[0]!, kind: "delivered", captureId: "7" },
      { id: ids[1]!, kind: "charged", error: "HTTP 500" },
    ], [{ id: ids[0]!, size: 3 }]);

    assertEquals(trouble, null);
    assertEquals(queue.getStats(), {
      pending: 2,
      uploading: 0,
      failed: 0,
      delivered: 1,
    });
    assertEquals(ids.map((id) => spool.has(id)), [false, true, true]);
    // Both threads write.
    intake.addBytes(bytes, "d.png", {});
    assertEquals((await thread.claim(10)).length, 2);
  });
}

Deno.test("BookkeepingThread says what kept it from recording, and can be asked again", async () => {
  await using fixture = new StoreFixture();
  const { queue, spool, intake } = fixture;
  const id = intake.addBytes(bytes, "a.png", {});
  await using thread = await BookkeepingThread.start(queue, spool);
  await thread.claim(1);
  const settle = () => thread.settle([{ id, kind: "delivered" }], []);
  {
    using other = openDatabase(queue.path);
    other.exec("ALTER TABLE delivered RENAME TO gone");
    const { message } = await assertRejects(settle, Error);
    assertStringIncludes(message, "delivered");
    assertEquals(queue.getStats().uploading, 1);
    other.exec("ALTER TABLE gone RENAME TO delivered");
  }
  assertEquals(await settle(), null);
  assertEquals(queue.getStats().delivered, 1);
});

Deno.test("BookkeepingThread tells which entry could not be removed; the outcome is recorded all the same", async () => {
  await using fixture = new StoreFixture();
  const { queue, spool, intake } = fixture;
  const id = intake.addBytes(bytes, "a.png", {});
  await using thread = await BookkeepingThread.start(queue, spool);
  Deno.removeSync(spool.pathOf(id));
  Deno.mkdirSync(`${spool.pathOf(id)}/in/the/way`, { recursive: true });
  const trouble = await thread.settle(
    [{ id, kind: "delivered" }],
    [{ id, size: 3 }],
  );
  assertStringIncludes(trouble ?? "", id);
  assertEquals(queue.getStats().delivered, 1);
});

Deno.test("BookkeepingThread.start() refuses what it cannot open, and leaves nothing running", async () => {
  await using fixture = new StoreFixture();
  const { queue, spool } = fixture;
  const { path, engine, isThreadSafe } = queue;
  for (
    const [refused, why] of [
      [{ path: fixture.dataDir, engine, isThreadSafe }, "it is not a file"],
      [{ path, engine, isThreadSafe: false }, "is for one thread"],
    ] as const
  ) {
    const start = () => BookkeepingThread.start(refused, spool);
    const { message } = await assertRejects(start, Error);
    assertStringIncludes(message, why);
  }
});

Deno.test("BookkeepingThread takes memory back when all captures in it are done", async () => {
  await using fixture = new StoreFixture();
  const { queue, spool, intake } = fixture;
  for (const name of "abcdef") intake.addBytes(bytes, `${name}.png`, {});
  await using thread = await BookkeepingThread.start(queue, spool);
  const [first, second] = await thread.claim(2);
  const { buffer } = first!.content!.bytes;
  const [other] = await thread.claim(2);

  thread.done(first!);
  await thread.claim(1);
  assertEquals(buffer.detached, false);
  thread.done(second!);
  const [last] = await thread.claim(1);
  assertEquals(buffer.detached, true);
  assertEquals(other!.content!.bytes, bytes);
  assertEquals(last!.content!.bytes, bytes);
});

Deno.test("BookkeepingThread does what was asked before it ends", async () => {
  await using fixture = new StoreFixture();
  const { queue, spool, intake } = fixture;
  const id = intake.addBytes(bytes, "a.png", {});
  let settled;
  {
    await using thread = await BookkeepingThread.start(queue, spool);
    settled = thread.settle([{ id, kind: "delivered" }], [{ id, size: 3 }]);
  }
  await settled;
  assertEquals([queue.getStats().delivered, spool.has(id)], [1, false]);
  using again = new UploadQueue(queue.path);
  assertEquals(again.wasDelivered(id), true);
});
