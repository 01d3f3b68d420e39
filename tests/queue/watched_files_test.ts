import { assert, assertEquals } from "@std/assert";
import type { SeenFile, UploadQueue } from "../../sync/queue/queue.ts";
import { openDatabase } from "../../sync/queue/sqlite.ts";
import { testOnEachEngine } from "../helpers/engines.ts";
import { QueueFixture, START_MS } from "../helpers/queue_fixture.ts";
import { sha256Of } from "../../sync/host/sha256.ts";

const IDENTITY = {
  fileId: "801:2c",
  size: 5,
  mtimeMs: START_MS,
  ctimeMs: START_MS + 1,
};
const FILE: SeenFile = { path: "/watched/frame.raw", identity: IDENTITY };
const FRAME = "5a".repeat(32);
const OTHER_FRAME = "a5".repeat(32);

/** The file with something changed. */
function changed(
  { path = FILE.path, ...identity }:
    & Partial<typeof IDENTITY>
    & { path?: string },
): SeenFile {
  return { path, identity: { ...IDENTITY, ...identity } };
}

/** Takes a file over, and returns the capture's id. */
function take(
  queue: UploadQueue,
  { path: filepath, identity }: SeenFile,
  sha256: string | null = FRAME,
): string {
  const file = { filepath, metadataJson: "{}", identity, sha256 };
  return queue.enqueueMany([{ ...file, watched: true }])[0]!;
}

const known = (queue: UploadQueue, file: SeenFile) =>
  queue.knownWatched([file])[0];

testOnEachEngine(
  "a watched file is known wherever its capture stands, until it is removed by the agent",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    assertEquals(known(queue, FILE), undefined);
    const id = take(queue, FILE);
    assertEquals(known(queue, FILE), "queued");
    queue.complete([{ id, kind: "discard", error: "HTTP 422" }]);
    assertEquals(known(queue, FILE), "queued");
    queue.markCompleted(id);
    assertEquals(known(queue, FILE), "delivered");
    queue.markRemoved(id);
    assertEquals(known(queue, FILE), undefined);
    const again = take(queue, FILE);
    queue.remove([again]);
    assertEquals(known(queue, FILE), "removed");
    fixture.restart();
    assertEquals(known(fixture.queue, FILE), "removed");
  },
);

testOnEachEngine(
  "what comes in the place of a file that the agent has removed is new, even if nothing tells it apart",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const id = take(queue, FILE);
    queue.markCompleted(id);
    queue.markRemoved(id);
    for (const file of [FILE, changed({ fileId: "801:2d" })]) {
      assertEquals(known(queue, file), undefined);
      assertEquals(queue.knownContent(file, FRAME), undefined);
    }
  },
);

testOnEachEngine(
  "another file of the same name, size and time is in doubt, and its content decides",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    queue.markCompleted(take(queue, FILE));
    // As `cp -p` and rsync leave it: the number may be the old one's, or another.
    const copies = [
      changed({ fileId: "801:2d", ctimeMs: START_MS + 2 }),
      changed({ ctimeMs: START_MS + 3 }),
    ];
    for (const copy of copies) {
      assertEquals(known(queue, copy), "in doubt");
      assertEquals(queue.knownContent(copy, OTHER_FRAME), undefined);
      assertEquals(known(queue, copy), "in doubt");
      assertEquals(queue.knownContent(copy, FRAME), "delivered");
      assertEquals(known(queue, copy), "delivered");
    }
  },
);

testOnEachEngine(
  "a file that was touched, shifted, renamed or mounted anew is the same one",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    queue.markCompleted(take(queue, FILE));
    const mtimeMs = START_MS + 3_600_000;
    const touched = changed({ mtimeMs, ctimeMs: START_MS + 4 });
    assertEquals(known(queue, touched), "in doubt");
    assertEquals(queue.knownContent(touched, FRAME), "delivered");
    assertEquals(known(queue, touched), "delivered");
    assertEquals(known(queue, FILE), "in doubt");
    // Renaming a folder changes nothing else; renaming a file, its ctime.
    const { identity } = touched;
    const moved = { path: "/watched/2026/frame.raw", identity };
    assertEquals(known(queue, moved), "delivered");
    const renamed = { ...moved, path: "/watched/2026/1.raw" };
    assertEquals(known(queue, renamed), "delivered");
    // From now on it is found by that name, should its number change.
    const mounted = { ...identity, fileId: "1f:2c" };
    assertEquals(known(queue, { ...renamed, identity: mounted }), "delivered");
    assertEquals(known(queue, { ...renamed, identity: mounted }), "delivered");
  },
);

testOnEachEngine(
  "a file that grew, or is another one, is new at once",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    queue.markCompleted(take(queue, FILE));
    const others = [
      changed({ size: 6 }),
      changed({ size: 6, fileId: "801:2d" }),
      changed({ fileId: "801:2d", path: "/watched/other.raw" }),
    ];
    assertEquals(queue.knownWatched(others), [undefined, undefined, undefined]);
    for (const other of others) {
      assertEquals(queue.knownContent(other, OTHER_FRAME), undefined);
    }
  },
);

testOnEachEngine(
  "each version of a file is a capture, also one that was there before",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const first = take(queue, FILE, FRAME);
    const second = changed({ mtimeMs: START_MS + 9, ctimeMs: START_MS + 9 });
    assertEquals(known(queue, second), "in doubt");
    assertEquals(queue.knownContent(second, OTHER_FRAME), undefined);
    take(queue, second, OTHER_FRAME);
    queue.markCompleted(first);
    assertEquals(known(queue, second), "queued");
    // The camera writes the first picture once more.
    const third = changed({ mtimeMs: START_MS + 10, ctimeMs: START_MS + 10 });
    assertEquals(known(queue, third), "in doubt");
    assertEquals(queue.knownContent(third, FRAME), undefined);
  },
);

testOnEachEngine(
  "a file that was renamed is known beside the one that took its name",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    queue.markCompleted(take(queue, FILE));
    const newer = changed({ fileId: "801:2d", ctimeMs: START_MS + 5 });
    assertEquals(queue.knownContent(newer, OTHER_FRAME), undefined);
    take(queue, newer, OTHER_FRAME);
    const rotated = changed({ path: "/watched/frame.raw.1" });
    assertEquals(queue.knownWatched([newer, rotated]), ["queued", "delivered"]);
  },
);

testOnEachEngine(
  "while a file's content is not known it is known by its times alone",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const id = take(queue, FILE, null);
    assertEquals(known(queue, changed({ ctimeMs: START_MS + 2 })), "queued");
    const other = changed({ fileId: "801:2d", ctimeMs: START_MS + 3 });
    assertEquals(known(queue, other), undefined);
    const touched = changed({ mtimeMs: START_MS + 2, ctimeMs: START_MS + 2 });
    assertEquals(known(queue, touched), undefined);
    // It becomes known with the delivery.
    const identity = { ...IDENTITY, ctimeMs: START_MS + 2 };
    queue.complete([{ id, kind: "delivered", sha256: FRAME, identity }]);
    assertEquals(known(queue, touched), "in doubt");
    assertEquals(queue.knownContent(touched, FRAME), "delivered");
  },
);

testOnEachEngine(
  "a spooled capture's file stays the one that was taken over, whatever was sent",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const { path: filepath, identity } = FILE;
    const file = { filepath, metadataJson: "{}", identity, sha256: FRAME };
    const [id] = queue.enqueueMany([{ ...file, watched: true, spooled: true }]);
    const copy = { ...IDENTITY, fileId: "801:ff", mtimeMs: 1, ctimeMs: 2 };
    queue.complete([{ id: id!, kind: "delivered", identity: copy }]);
    assertEquals(known(queue, FILE), "delivered");
  },
);

testOnEachEngine(
  "a file with the content and name of the last one, but with other metadata, is another capture, unless those of the last one are not known",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const { path: filepath, identity } = FILE;
    const metadataJson = '{"at": 1}';
    const capture = { filepath, metadataJson, identity, sha256: FRAME };
    const [id] = queue.enqueueMany([{ ...capture, watched: true }]);
    const next = changed({ fileId: "801:2d", ctimeMs: START_MS + 2 });
    const other = { ...next, metadataJson: '{"at": 2}' };
    const check = (state: "queued" | "delivered") => {
      assertEquals(queue.knownContent(other, FRAME), undefined);
      for (const metadataJson of ['{"at": 1}', "{}"]) {
        const same = { ...FILE, metadataJson };
        assertEquals(queue.knownContent(same, FRAME), state);
      }
      // Another name of it has a sidecar of its own.
      const link = { ...FILE, path: "/watched/link", metadataJson: "[2]" };
      for (const isThere of [true, false]) {
        assertEquals(queue.knownContent(link, FRAME, () => isThere), undefined);
      }
    };
    check("queued");
    const metadataSha256 = sha256Of(metadataJson);
    queue.complete([{ id: id!, kind: "delivered", metadataSha256 }]);
    check("delivered");
  },
);

testOnEachEngine(
  "a late sidecar is known as it is, by its path, and hides no capture",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const { path, identity } = FILE;
    queue.markLateSidecar(path, identity);
    queue.markLateSidecar(path, identity);
    assert(queue.isLateSidecar(path, identity));
    const anew = { ...identity, mtimeMs: identity.mtimeMs + 1 };
    assert(!queue.isLateSidecar(path, anew));
    assert(!queue.isLateSidecar("/watched/other.json", identity));
    for (const at of [path, "/watched/other.json"]) {
      assertEquals(queue.knownWatched([{ path: at, identity }]), [undefined]);
    }
    assertEquals(queue.pruneHistory(-1, () => false), 1);
    assert(!queue.isLateSidecar(path, identity));
  },
);

testOnEachEngine(
  "a file is needed by what was handed over without a copy, by path or number, until that is delivered or removed",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const { path: filepath, identity } = FILE;
    const capture = { filepath, metadataJson: "{}", identity };
    queue.enqueueMany([{ ...capture, spooled: true }]);
    const needs = () => [
      queue.neededBy(filepath, { ...IDENTITY, fileId: "801:ff" }),
      queue.neededBy("/link/frame.raw", IDENTITY),
    ];
    assertEquals(needs(), [undefined, undefined]);
    const ids = queue.enqueueMany([capture, { filepath, metadataJson: "{}" }]);
    assertEquals(needs(), [ids[0], ids[0]]);
    queue.complete([{ id: ids[0]!, kind: "discard", error: "HTTP 422" }]);
    assertEquals(needs(), [ids[0], ids[0]]);
    queue.markCompleted(ids[0]!);
    assertEquals(needs(), [ids[1], undefined]);
    queue.remove([ids[1]!]);
    assertEquals(needs(), [undefined, undefined]);
    assertEquals(queue.neededBy("/watched/other.raw", undefined), undefined);
    // A watched file without a copy, for as long as it is this version.
    const watched = take(queue, FILE);
    assertEquals(needs(), [undefined, watched]);
    const touched = { ...IDENTITY, mtimeMs: 1 };
    assertEquals(queue.neededBy("/link/frame.raw", touched), watched);
    const other = { ...IDENTITY, size: 1 };
    assertEquals(queue.neededBy("/link/frame.raw", other), undefined);
    queue.complete([{ id: watched, kind: "delivered" }]);
    assertEquals(needs(), [undefined, undefined]);
  },
);

testOnEachEngine(
  "where the system tells no file from another, name, size and time do",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const identity = { size: 5, mtimeMs: START_MS };
    const file = { path: FILE.path, identity };
    // Whatever characters are in them.
    for (const end of ["|b", "|", "}"]) {
      take(queue, { ...file, path: FILE.path + end }, null);
    }
    assertEquals(known(queue, file), undefined);
    queue.markCompleted(take(queue, file, null));
    const later = { ...file, identity: { size: 5, mtimeMs: START_MS + 1 } };
    const elsewhere = { ...file, path: "/watched/other.raw" };
    assertEquals(queue.knownWatched([file, later, elsewhere]), [
      "delivered",
      undefined,
      undefined,
    ]);
    // A system that learns to tell them apart finds what it knew.
    assertEquals(known(queue, FILE), "delivered");
    assertEquals(known(queue, FILE), "delivered");
  },
);

testOnEachEngine(
  "what a person enqueues is no watched file",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const id = queue.enqueue(FILE.path, {}, { identity: IDENTITY });
    assertEquals(known(queue, FILE), undefined);
    queue.markCompleted(id);
    assertEquals(known(queue, FILE), undefined);
  },
);

testOnEachEngine(
  "to ask for a file costs the same with a hundred thousand versions of it, and as many others",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    {
      using database = openDatabase(fixture.path, { engine });
      database.exec(`BEGIN;
        WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
        INSERT INTO watched_files (capture_id, filepath, file_id, size, mtime_ms, ctime_ms,
          sha256, state, since)
        SELECT 'a' || n, '/watched/latest.raw', '801:' || n, 5, n, n, '5a', 'delivered', n FROM n
        UNION ALL
        SELECT 'b' || n, '/watched/' || n, '802:' || n, 5, n, n, '5a', 'delivered', n FROM n;
        COMMIT`);
    }
    const latest = { path: "/watched/latest.raw", identity: IDENTITY };
    const other = { path: "/watched/x", identity: IDENTITY };
    // If each went through all of them, this would take minutes.
    for (let n = 0; n < 2000; n++) {
      const { queue } = fixture;
      const file = {
        fileId: `802:${n + 1}`,
        size: 5,
        mtimeMs: n + 1,
        ctimeMs: n + 1,
      };
      const states = queue.knownWatched([
        latest,
        other,
        { path: `/watched/${n + 1}`, identity: file },
      ]);
      assertEquals(states, ["in doubt", undefined, "delivered"]);
      assertEquals(queue.knownContent(latest, FRAME), undefined);
    }
  },
);

testOnEachEngine(
  "a file that was not copied, and was written over with its old time, is in doubt once its content is known",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const id = take(queue, FILE, null);
    const over = changed({ ctimeMs: START_MS + 5 });
    // Nothing was sent yet: what will be is the file as it is then.
    assertEquals(known(queue, over), "queued");
    queue.setContent(id, { sha256: FRAME, mtimeMs: 1, hostname: "a" });
    assertEquals(known(queue, FILE), "queued");
    assertEquals(known(queue, over), "in doubt");
    assertEquals(queue.knownContent(over, OTHER_FRAME), undefined);
    assertEquals(queue.knownContent(over, FRAME), "queued");
    assertEquals(known(queue, over), "queued");
  },
);

/** Fails a capture that waits without a copy, as its file is not what it was. */
function fail(queue: UploadQueue, id: string, status: number | null = null) {
  const error = "it was changed";
  const attempt = { startedMs: START_MS, elapsedMs: 1, status, error };
  queue.complete([{ id, kind: "discard", error, attempt }]);
}

testOnEachEngine(
  "a version that was overwritten before it was sent is forgotten a day after it failed, and nothing else is",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const file = (nth: number, more: Partial<typeof IDENTITY> = {}) =>
      changed({ path: `/watched/${nth}`, fileId: `801:${nth}`, ...more });
    const written = { size: 6, mtimeMs: START_MS + 1 };
    const inPlace = take(queue, file(1), null);
    take(queue, file(1, written), null);
    const replaced = take(queue, file(2), null);
    take(queue, file(2, { ...written, fileId: "801:22" }), null);
    const gone = take(queue, file(3), null);
    const waits = take(queue, file(4), null);
    take(queue, file(4, written), null);
    const refused = take(queue, file(5), null);
    take(queue, file(5, written), null);
    const [copied] = queue.enqueueMany([{
      ...{ filepath: "/watched/6", identity: file(6).identity, watched: true },
      ...{ metadataJson: "{}", sha256: FRAME, spooled: true },
    }]) as [string];
    take(queue, file(6, written), null);
    // The older of two files of a name is not overwritten by the other one's going.
    queue.markCompleted(take(queue, file(7, { fileId: "801:77" })));
    const goneToo = take(queue, file(7), null);
    for (const id of [inPlace, replaced, gone, copied, goneToo]) {
      fail(queue, id);
    }
    fail(queue, refused, 422);
    const overwritten = [inPlace, replaced, waits, refused];
    for (const id of [...overwritten, gone, copied, goneToo]) {
      assertEquals(queue.isOverwritten(id), overwritten.includes(id));
    }
    fixture.wait(86_000);
    assertEquals(queue.forgetOverwritten(), 0);
    fixture.wait(86_400);
    assertEquals(queue.forgetOverwritten(), 2);
    assertEquals(queue.forgetOverwritten(), 0);
    const left = queue.captures({ status: "failed" }).toArray();
    assertEquals(
      left.map(({ id }) => id).sort(),
      [gone, refused, copied, goneToo].sort(),
    );
    assertEquals(queue.attempts(inPlace), []);
    // One that comes back is new.
    const back = file(2, { fileId: "801:2" });
    assertEquals(known(queue, { ...back, path: "/watched/back" }), undefined);
  },
);

testOnEachEngine(
  "a file that took another one's name is the one of that name, on a disk with another number too",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [a, b] = ["/watched/a", "/watched/b"] as const;
    const mtimeMs = START_MS + 7;
    take(queue, changed({ path: a }));
    const lost = take(
      queue,
      changed({ path: b, fileId: "801:2d", mtimeMs }),
      null,
    );
    assertEquals(known(queue, changed({ path: b })), "queued");
    assertEquals(queue.isOverwritten(lost), true);
    assertEquals(known(queue, changed({ path: b, fileId: "1f:2c" })), "queued");
  },
);

testOnEachEngine(
  "a file of a removed capture leads no other file's capture to itself, not even under the same id",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const other = changed({ path: "/watched/other.raw", fileId: "801:2d" });
    const id = take(queue, FILE);
    queue.remove([id]);
    const file = { ...other, filepath: other.path, metadataJson: "{}" };
    queue.enqueueMany([{ ...file, id, sha256: OTHER_FRAME, watched: true }]);
    assertEquals(queue.knownContent(FILE, FRAME), "removed");
    assertEquals(queue.get(id)?.filepath, other.path);
  },
);
