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
