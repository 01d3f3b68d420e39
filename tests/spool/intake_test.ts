import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { basename, isAbsolute } from "@std/path";
import { onReached } from "../../sync/host/fault_point.ts";
import {
  Intake,
  MIN_FREE_BYTES,
  NoRoomError,
} from "../../sync/spool/intake.ts";
import { CaptureFileError } from "../../sync/capture/errors.ts";
import { SmallDisk } from "../chaos/small_disk.ts";
import {
  StoreFixture,
  testAcrossFileSystems,
} from "../helpers/store_fixture.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** What is in the spool: nothing but the entries of these ids. */
function assertSpooled(fixture: StoreFixture, ids: string[]): void {
  const expected = ids.map((id) => `/${id.slice(-2)}/${id}`);
  assertEquals(fixture.spooled(), expected.sort());
}

Deno.test("Intake.add() queues a file and keeps its bytes when the original goes", async () => {
  await using fixture = new StoreFixture();
  const { queue, spool, intake } = fixture;
  const path = fixture.dir.write("door.png", "bytes");
  const mtimeMs = Deno.statSync(path).mtime!.getTime();
  const id = await intake.add(path, { door: 3 });
  Deno.removeSync(path);
  const capture = queue.get(id)!;
  assertEquals(capture.filepath, path);
  assertEquals(capture.metadataJson, '{"door":3}');
  assertEquals([capture.size, capture.mtimeMs], [5, mtimeMs]);
  assertEquals([capture.spooled, capture.watched], [true, false]);
  assertEquals(Deno.readTextFileSync(spool.pathOf(id)), "bytes");
  assertSpooled(fixture, [id]);
  const records = (await Array.fromAsync(spool.records())).flat();
  assertEquals(records, [{
    id,
    filepath: path,
    metadataJson: '{"door":3}',
    createdAtMs: Date.parse(capture.createdAt),
    size: 5,
    mtimeMs,
    watched: false,
  }]);
});

testAcrossFileSystems(
  "Intake.add() takes a file from another file system over",
  async (other) => {
    await using fixture = new StoreFixture();
    const path = other.write("door.png", "bytes");
    const id = await fixture.intake.add(path, {});
    Deno.removeSync(path);
    const bytes = Deno.readTextFileSync(fixture.spool.pathOf(id));
    assertEquals(bytes, "bytes");
    assertSpooled(fixture, [id]);
  },
);

Deno.test("Intake.add() with a relative path queues an absolute one", async () => {
  await using fixture = new StoreFixture();
  const path = fixture.dir.write("door.png", "bytes");
  const before = Deno.cwd();
  Deno.chdir(fixture.dir.path);
  try {
    const id = await fixture.intake.add("./door.png", {}, { copy: false });
    const filepath = fixture.queue.get(id)!.filepath;
    assertEquals(Deno.realPathSync(filepath), Deno.realPathSync(path));
    assert(isAbsolute(filepath), filepath);
  } finally {
    Deno.chdir(before);
  }
});

Deno.test("Intake.add() takes what a symbolic link leads to, under the link's name", async () => {
  await using fixture = new StoreFixture();
  const file = fixture.dir.write("IMG 1.png", "bytes");
  const link = fixture.dir.join("door.png");
  Deno.symlinkSync(file, link);
  const id = await fixture.intake.add(link, {});
  Deno.removeSync(file);
  assertEquals(basename(fixture.queue.get(id)!.filepath), "door.png");
  const bytes = Deno.readTextFileSync(fixture.spool.pathOf(id));
  assertEquals(bytes, "bytes");
});

Deno.test("Intake.add() without a copy leaves the file in its place and the spool empty", async () => {
  await using fixture = new StoreFixture();
  const path = fixture.dir.write("door.png", "bytes");
  const id = await fixture.intake.add(path, {}, { copy: false });
  const { spooled, filepath, size } = fixture.queue.get(id)!;
  assertEquals({ spooled, filepath, size }, {
    spooled: false,
    filepath: path,
    size: 5,
  });
  assertSpooled(fixture, []);
});

Deno.test("Intake.add() refuses what cannot be delivered, and nothing is left of it", async () => {
  await using fixture = new StoreFixture();
  const { intake } = fixture;
  const path = fixture.dir.write("door.png", "bytes");
  for (const copy of [true, false]) {
    const missing = fixture.dir.join("missing.png");
    const options = { copy };
    await assertRejects(
      () => intake.add(missing, {}, options),
      CaptureFileError,
      "no such file",
    );
    await assertRejects(
      () => intake.add(fixture.dir.path, {}, options),
      CaptureFileError,
      "a directory",
    );
    const large = { text: "x".repeat(1024 * 1024) };
    await assertRejects(() => intake.add(path, large, options), RangeError);
    const list = [] as unknown as Record<string, unknown>;
    await assertRejects(() => intake.add(path, list, options), TypeError);
  }
  assertEquals(fixture.queue.getStats().pending, 0);
  assertSpooled(fixture, []);
});

Deno.test("Intake.addBytes() queues bytes under a name", async () => {
  await using fixture = new StoreFixture();
  const { queue, spool, intake } = fixture;
  const id = intake.addBytes(encode("bytes"), "door.png", { door: 3 });
  const { filepath, metadataJson, size, spooled } = queue.get(id)!;
  assertEquals({ filepath, metadataJson, size, spooled }, {
    filepath: "door.png",
    metadataJson: '{"door":3}',
    size: 5,
    spooled: true,
  });
  assertEquals(Deno.readTextFileSync(spool.pathOf(id)), "bytes");
  assertSpooled(fixture, [id]);
  const list = [] as unknown as Record<string, unknown>;
  assertThrows(() => intake.addBytes(encode(""), "x", list), TypeError);
  assertSpooled(fixture, [id]);
});

Deno.test("Intake.addWatched() queues files of a watched folder, in place or copied", async () => {
  for (const copy of [false, true]) {
    await using fixture = new StoreFixture();
    const files = ["a.png", "b.png"].map((name) => ({
      path: fixture.dir.write(name, name),
      metadata: { name },
      size: 5,
      mtimeMs: 1_700_000_000_000,
    }));
    assertEquals(await fixture.intake.addWatched(files, { copy }), 2);
    const captures = fixture.queue.list();
    assertEquals(captures.map(({ filepath }) => basename(filepath)), [
      "a.png",
      "b.png",
    ]);
    assert(captures.every(({ watched }) => watched));
    assert(captures.every(({ spooled }) => spooled === copy));
    assertSpooled(fixture, copy ? captures.map(({ id }) => id) : []);
  }
});

Deno.test("Intake.addWatched() queues a file that has gone as well, so that it shows", async () => {
  await using fixture = new StoreFixture();
  const file = { metadata: {}, size: 5, mtimeMs: 1_700_000_000_000 };
  const files = [
    { ...file, path: fixture.dir.join("gone.png") },
    { ...file, path: fixture.dir.write("there.png", "bytes") },
  ];
  await fixture.intake.addWatched(files, { copy: true });
  const captures = fixture.queue.list();
  assertEquals(captures.map(({ spooled }) => spooled).sort(), [false, true]);
});

Deno.test("a spool that may hold no more refuses with a NoRoomError, before anything is done", async () => {
  await using fixture = new StoreFixture({ maxSpoolBytes: 12 });
  const { intake, queue } = fixture;
  const path = fixture.dir.write("door.png", "bytes");
  const ids = [await intake.add(path, {}), await intake.add(path, {})];
  await assertRejects(
    () => intake.add(path, {}),
    NoRoomError,
    "Cannot take a capture of 5 bytes: the spool holds 10 bytes and at most 12 are allowed",
  );
  assertThrows(() => intake.addBytes(encode("xxx"), "x", {}), NoRoomError);
  assertSpooled(fixture, ids);
  assertEquals(queue.getStats().pending, 2);
  // What fits still does, and so does what takes no room.
  ids.push(intake.addBytes(encode("xx"), "x", {}));
  await intake.add(path, {}, { copy: false });
  // Room comes back with what leaves.
  queue.markCompleted(ids[0]!);
  fixture.spool.remove(ids[0]!);
  await intake.add(path, {});
});

Deno.test("a spool that gets full amid watched files takes some, and none of them twice", async () => {
  await using fixture = new StoreFixture({ maxSpoolBytes: 12 });
  const { intake, queue } = fixture;
  const file = { metadata: {}, size: 5, mtimeMs: 1_700_000_000_000 };
  const files = ["a", "b", "c", "d"].map((name) => ({
    ...file,
    path: fixture.dir.write(name, "bytes"),
  }));
  const copy = { copy: true };
  await assertRejects(() => intake.addWatched(files, copy), NoRoomError);
  assertSpooled(fixture, queue.list().map(({ id }) => id));
  assertEquals(queue.getStats().pending, 2);
  // The watcher comes again with those that it does not know yet.
  const rest = files.slice(2);
  await assertRejects(() => intake.addWatched(rest, copy), NoRoomError);
  assertSpooled(fixture, queue.list().map(({ id }) => id));
  assertEquals(queue.getStats().pending, 2);
});

Deno.test("a disk with less room than must stay free refuses with a NoRoomError, before anything is done", async () => {
  await using fixture = new StoreFixture({ minFreeBytes: 2 ** 60 });
  const { intake } = fixture;
  const path = fixture.dir.write("door.png", "bytes");
  await assertRejects(
    () => intake.add(path, {}),
    NoRoomError,
    `and ${2 ** 60} must stay free`,
  );
  assertThrows(() => intake.addBytes(encode("x"), "x", {}), NoRoomError);
  assertSpooled(fixture, []);
  assertEquals(fixture.queue.getStats().pending, 0);
  // In place it takes no room to speak of.
  await intake.add(path, {}, { copy: false });
});

Deno.test("a quarter of a GiB must stay free by default", async () => {
  await using fixture = new StoreFixture();
  const { queue, spool } = fixture;
  const intake = new Intake(queue, spool);
  const mostlyFull = spool.freeBytes() - MIN_FREE_BYTES + 1024 * 1024 * 1024;
  const data = { length: mostlyFull } as Uint8Array;
  assertThrows(() => intake.addBytes(data, "x", {}), NoRoomError, "268435456");
});

const canMount = await SmallDisk.canMount();
function testOnSmallDisk(
  name: string,
  body: (fixture: StoreFixture, disk: SmallDisk) => Promise<void>,
): void {
  Deno.test({
    name: canMount ? name : `${name} (skipped: no disk can be mounted)`,
    ignore: !canMount,
    async fn() {
      const dir = Deno.makeTempDirSync({ prefix: "jarvis-test-" });
      try {
        await using disk = (await SmallDisk.mount(dir, 8))!;
        await using fixture = new StoreFixture({ dataDir: `${dir}/jarvis` });
        await body(fixture, disk);
      } finally {
        Deno.removeSync(dir, { recursive: true });
      }
    },
  });
}

testOnSmallDisk(
  "a link takes no room, so that a large file needs none",
  async (fixture) => {
    const { spool } = fixture;
    const free = spool.freeBytes();
    const path = `${fixture.dataDir}/../large`;
    using file = Deno.openSync(path, { write: true, create: true });
    file.writeSync(new Uint8Array(Math.floor(free * 0.6)));
    const intake = new Intake(fixture.queue, spool, { minFreeBytes: 1024 });
    const id = await intake.add(path, {});
    assertSpooled(fixture, [id]);
  },
);

testOnSmallDisk(
  "a copy that would leave too little room is refused before it is begun",
  async (fixture) => {
    const { spool } = fixture;
    const path = fixture.dir.write("large", new Uint8Array(5 * 1024 * 1024));
    const floor = { minFreeBytes: 4 * 1024 * 1024 };
    const intake = new Intake(fixture.queue, spool, floor);
    const before = spool.freeBytes();
    await assertRejects(
      () => intake.add(path, {}),
      NoRoomError,
      "must stay free",
    );
    assertSpooled(fixture, []);
    assert(before - spool.freeBytes() <= 8192);
  },
);

testOnSmallDisk(
  "a disk that gets full amid a copy, a record or a row leaves nothing behind",
  async (fixture, disk) => {
    const { queue, spool } = fixture;
    // As if what is left were used up just behind the look at it.
    const intake = new Intake(queue, spool, { minFreeBytes: -Infinity });
    const path = fixture.dir.write("large", new Uint8Array(9 * 1024 * 1024));
    await assertRejects(
      () => intake.add(path, {}),
      NoRoomError,
      "disk is full",
    );
    assertSpooled(fixture, []);
    const small = fixture.dir.write("small", "");
    disk.fill();
    await assertRejects(
      () => intake.add(small, {}),
      NoRoomError,
      "disk is full",
    );
    assertSpooled(fixture, []);
    await assertRejects(
      async () => {
        const metadata = { text: "x".repeat(500_000) };
        for (let n = 0; n < 20; n++) {
          await intake.add(small, metadata, { copy: false });
        }
      },
      NoRoomError,
      "disk is full",
    );
    const { pending } = queue.getStats();
    disk.free();
    const id = await intake.add(small, {});
    assertSpooled(fixture, [id]);
    assertEquals(queue.getStats().pending, pending + 1);
    assertEquals(queue.findDamage(), null);
  },
);

Deno.test("Intake.remove() removes captures with their copies, and leaves originals alone", async () => {
  await using fixture = new StoreFixture();
  const { intake, queue } = fixture;
  const path = fixture.dir.write("door.png", "bytes");
  const spooled = await intake.add(path, {});
  const kept = await intake.add(path, {});
  const inPlace = await intake.add(path, {}, { copy: false });
  const removed = intake.remove([spooled, "unknown", inPlace]);
  assertEquals(removed, [spooled, inPlace]);
  assertEquals(queue.list().map(({ id }) => id), [kept]);
  assertSpooled(fixture, [kept]);
  assertEquals(Deno.readTextFileSync(path), "bytes");
});

Deno.test("Intake.remove() removes what an agent takes up again in the midst of it", async () => {
  await using fixture = new StoreFixture();
  const { intake, queue } = fixture;
  const path = fixture.dir.write("door.png", "bytes");
  const id = await intake.add(path, {});
  onReached((step) => {
    if (step !== "row-removed") return;
    const capture = { id, filepath: path, metadata: {}, spooled: true };
    queue.enqueueMany([capture]);
  });
  try {
    assertEquals(intake.remove([id]), [id]);
  } finally {
    onReached(() => {});
  }
  assertEquals(queue.list(), []);
  assertSpooled(fixture, []);
});

Deno.test("Intake.remove() removes a capture whose id is another program's, and no file", async () => {
  await using fixture = new StoreFixture();
  const id = "../../door.png";
  const path = fixture.dir.write("door.png", "bytes");
  fixture.queue.enqueue(path, {}, { id, spooled: true });
  assertEquals(fixture.intake.remove([id]), [id]);
  assertEquals(Deno.readTextFileSync(path), "bytes");
});

Deno.test("Intake.cleanup() removes what failed long ago, with its copies", async () => {
  await using fixture = new StoreFixture();
  const { intake, queue } = fixture;
  const path = fixture.dir.write("door.png", "bytes");
  const [failed, pending] = [
    await intake.add(path, {}),
    await intake.add(path, {}),
  ];
  queue.settle([{ id: failed!, kind: "rejected", error: "HTTP 422" }]);
  assertEquals(intake.cleanup(7), []);
  assertSpooled(fixture, [failed!, pending!]);
  fixture.aheadMs = 8 * 86_400_000;
  assertEquals(intake.cleanup(7), [failed]);
  assertSpooled(fixture, [pending!]);
});
