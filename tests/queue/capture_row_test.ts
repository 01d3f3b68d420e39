import { assertEquals, assertThrows } from "@std/assert";
import { DatabaseError, openDatabase } from "../../sync/queue/sqlite.ts";
import { testOnEachEngine } from "../helpers/engines.ts";
import { QueueFixture, START_MS } from "../helpers/queue_fixture.ts";

testOnEachEngine(
  "a queue refuses what no reader expects",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    fixture.enqueue("one");
    using database = openDatabase(fixture.path, { engine });
    const changes = [
      "filepath = x'00'",
      "metadata_json = x'7b7d'",
      "size = 'large'",
      "size = 9007199254740993",
      "due_at = -9007199254740993",
      "status = 'sent'",
      "spooled = 2",
      "id = NULL",
    ];
    for (const change of changes) {
      assertThrows(
        () => database.exec(`UPDATE captures SET ${change}`),
        DatabaseError,
        "",
        change,
      );
    }
  },
);

testOnEachEngine(
  "a capture's times are shown whatever they are",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const times = [START_MS, 0, -1, 8.64e15, 9e15];
    for (const createdAtMs of times) {
      fixture.queue.enqueue("/captures/x", {}, { createdAtMs });
    }
    const shown = new Set(
      fixture.queue.captures().toArray().map(({ createdAt }) => createdAt),
    );
    assertEquals(
      shown,
      new Set([
        "2026-03-01T12:00:00.000Z",
        "1970-01-01T00:00:00.000Z",
        "1969-12-31T23:59:59.999Z",
        "+275760-09-13T00:00:00.000Z",
      ]),
    );
  },
);
