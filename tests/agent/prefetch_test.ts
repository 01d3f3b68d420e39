import { assertEquals } from "@std/assert";
import { Prefetch } from "../../sync/agent/prefetch.ts";
import { AgentFixture } from "../helpers/agent_fixture.ts";

Deno.test("Prefetch hands out what is due, oldest first, and gives back what was not begun", async () => {
  await using fixture = new AgentFixture("http://127.0.0.1:9");
  const ids = fixture.enqueue("a", "b", "c", "d", "e");
  const prefetch = new Prefetch(fixture.queue);

  const begun = [prefetch.next(2), prefetch.next(2)].map((c) => c?.id);
  assertEquals(begun, ids.slice(0, 2));
  assertEquals(fixture.queue.getStats().uploading, 4);

  prefetch.release();
  const { pending, uploading } = fixture.queue.getStats();
  assertEquals([pending, uploading], [3, 2]);
  assertEquals(prefetch.next(2)?.id, ids[2]);
});

Deno.test("Prefetch passes by what may not be sent now, and keeps it for later", async () => {
  await using fixture = new AgentFixture("http://127.0.0.1:9");
  const ids = fixture.enqueue(...Array.from({ length: 9 }, (_, i) => `${i}`));
  const prefetch = new Prefetch(fixture.queue);
  const isLast = ({ id }: { id: string }) => id === ids[8];
  const found = Array.from({ length: 4 }, () => prefetch.next(1, isLast)?.id);
  assertEquals(found.filter((id) => id !== undefined), [ids[8]]);
  assertEquals(prefetch.next(1, isLast), undefined);
  assertEquals(prefetch.next(1)?.id, ids[0]);
});

Deno.test("Prefetch claims the more together the faster they are begun, and few where each takes long", async () => {
  await using fixture = new AgentFixture("http://127.0.0.1:9");
  fixture.enqueue(...Array.from({ length: 100 }, (_, i) => `${i}`));
  let nowMs = 0;
  const prefetch = new Prefetch(fixture.queue, () => nowMs);
  const deliver = (id: string) =>
    fixture.queue.complete([{ id, kind: "delivered" }]);
  /** Delivers all that is claimed together with the next one, and returns how many that are. */
  const deliverClaimed = () => {
    deliver(prefetch.next(2)!.id);
    const { uploading } = fixture.queue.getStats();
    for (let i = 0; i < uploading; i++) deliver(prefetch.next(2)!.id);
    assertEquals(fixture.queue.getStats().uploading, 0);
    return 1 + uploading;
  };
  const counts = [0, 10, 10, 500, 10].map((passedMs) => {
    nowMs += passedMs;
    return deliverClaimed();
  });
  assertEquals(counts, [4, 8, 16, 4, 8]);

  // Where there was nothing to claim, nothing was fast.
  fixture.queue.claim(100).forEach(({ id }) => deliver(id));
  for (let i = 0; i < 9; i++) assertEquals(prefetch.next(2), undefined);
  fixture.enqueue("later 1", "later 2", "later 3", "later 4", "later 5");
  assertEquals(deliverClaimed(), 4);
});

Deno.test("Prefetch hands out the capture whose turn comes last, claimed or not", async () => {
  await using fixture = new AgentFixture("http://127.0.0.1:9");
  const ids = fixture.enqueue("a", "b", "c", "d", "e");
  const prefetch = new Prefetch(fixture.queue);
  const all = () => true;
  assertEquals(prefetch.next(1)?.id, ids[0]);
  const last = Array.from({ length: 5 }, () => prefetch.last(all)?.id);
  assertEquals(last, [ids[4], ids[3], ids[2], ids[1], undefined]);
});

Deno.test("Prefetch claims not without end while the last captures may not be sent now", async () => {
  await using fixture = new AgentFixture("http://127.0.0.1:9");
  fixture.enqueue(...Array.from({ length: 200 }, (_, i) => `${i}`));
  const prefetch = new Prefetch(fixture.queue);
  for (let i = 0; i < 200; i++) prefetch.last(() => false);
  assertEquals(fixture.queue.getStats().uploading, 128);
});
