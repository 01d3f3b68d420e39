import { assert, assertEquals } from "@std/assert";
import { testOnEachEngine } from "../helpers/engines.ts";
import { QueueFixture } from "../helpers/queue_fixture.ts";

const DAY_S = 24 * 3600;
const DAY_MS = DAY_S * 1000;

/** Takes a watched file over and delivers it; returns its capture's id. */
function deliver({ queue }: QueueFixture, name: string): string {
  const fileId = `801:${name}`;
  const identity = { fileId, size: 5, mtimeMs: 1, ctimeMs: 2 };
  const filepath = `/watched/${name}`;
  const file = { filepath, metadataJson: "{}", identity, sha256: "5a" };
  const [id] = queue.enqueueMany([{ ...file, watched: true }]);
  const attempt = {
    startedMs: 0,
    elapsedMs: 1,
    status: 500,
    error: "HTTP 500",
  };
  queue.complete([
    { id: id!, kind: "charge", error: "HTTP 500", attempt },
    { id: id!, kind: "delivered" },
  ]);
  return id!;
}

const known = ({ queue }: QueueFixture, name: string) =>
  queue.knownWatched([{
    path: `/watched/${name}`,
    identity: { fileId: `801:${name}`, size: 5, mtimeMs: 1, ctimeMs: 2 },
  }])[0];

testOnEachEngine(
  "UploadQueue.pruneHistory() forgets old deliveries, but not the files that are still there",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const old = [deliver(fixture, "kept"), deliver(fixture, "gone")];
    const [queued] = fixture.enqueue("queued");
    fixture.wait(10 * DAY_S);
    const recent = deliver(fixture, "gone lately");
    const isStillThere = (path: string) => path === "/watched/kept";
    assertEquals(queue.pruneHistory(11 * DAY_MS, isStillThere), 0);
    assertEquals(queue.pruneHistory(5 * DAY_MS, isStillThere), 3);
    assertEquals(old.map((id) => queue.wasDelivered(id)), [false, false]);
    assert(queue.wasDelivered(recent));
    assertEquals(known(fixture, "kept"), "delivered");
    assertEquals(known(fixture, "gone"), undefined);
    assertEquals(known(fixture, "gone lately"), "delivered");
    assertEquals(queue.get(queued!)?.status, "pending");
    assertEquals(queue.attempts(old[0]!), []);
    assertEquals(queue.attempts(recent).length, 1);
    // What was delivered was delivered.
    assertEquals(queue.getStats().delivered, 3);
    assertEquals(queue.pruneHistory(5 * DAY_MS, isStillThere), 0);
  },
);

testOnEachEngine(
  "UploadQueue.pruneHistory() goes on where it stopped, past files that stay",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    for (let n = 0; n < 25; n++) {
      deliver(fixture, n < 20 ? `kept ${n}` : `gone ${n}`);
    }
    fixture.wait(DAY_S + 60);
    const asked: string[] = [];
    const isStillThere = (path: string) => {
      asked.push(path);
      return path.includes("kept");
    };
    const prune = () => queue.pruneHistory(DAY_MS, isStillThere, 10);
    assertEquals([prune(), prune(), prune()], [10, 10, 10]);
    assertEquals(new Set(asked).size, 25);
    assertEquals(fixture.query("SELECT n FROM watched_files").length, 20);
    assertEquals(fixture.query("SELECT id FROM delivered"), []);
    assertEquals(fixture.query("SELECT nth FROM attempts"), []);
    // Then from the beginning.
    assertEquals(prune(), 0);
    assertEquals(asked.at(-1), "/watched/kept 9");
  },
);

testOnEachEngine(
  "UploadQueue.pruneHistory() keeps a watched file whose capture still waits",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const identity = { fileId: "801:1", size: 5, mtimeMs: 1, ctimeMs: 2 };
    const path = "/watched/1";
    queue.enqueue(path, {}, { identity, watched: true });
    fixture.wait(100 * DAY_S);
    assertEquals(queue.pruneHistory(DAY_MS, () => false), 0);
    assertEquals(queue.knownWatched([{ path, identity }]), ["queued"]);
  },
);
