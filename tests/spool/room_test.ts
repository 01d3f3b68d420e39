import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { libc } from "../../sync/host/libc.ts";
import { Intake } from "../../sync/spool/intake.ts";
import { MIN_FREE_BYTES, NoRoomError, Room } from "../../sync/spool/room.ts";
import { SmallDisk } from "../chaos/small_disk.ts";
import { StoreFixture, watchedFile } from "../helpers/store_fixture.ts";

const MIB = 1024 * 1024;

Deno.test("a spool that may hold no more refuses with a NoRoomError, before anything is done", async () => {
  await using fixture = new StoreFixture({ maxSpoolBytes: 12 });
  const { intake, queue } = fixture;
  const path = fixture.dir.write("door.png", "bytes");
  const ids = [await intake.add(path, "{}"), await intake.add(path, "{}")];
  for (const mode of ["copy", "move"] as const) {
    await assertRejects(
      () => intake.add(path, "{}", { mode }),
      NoRoomError,
      "Cannot take a capture of 5 bytes: the spool holds 10 bytes and at most 12 are allowed",
    );
  }
  fixture.assertSpooled(ids);
  assertEquals(queue.getStats().pending, 2);
  // What takes no room is taken.
  await intake.add(path, "{}", { mode: "reference" });
  // Room comes back with what leaves.
  queue.markCompleted(ids[0]!);
  fixture.spool.remove([ids[0]!]);
  await intake.add(path, "{}");
});

Deno.test("watched files for which the spool has no room are queued where they are", async () => {
  const logged: string[] = [];
  await using fixture = new StoreFixture({
    maxSpoolBytes: 12,
    log: (level, message) => logged.push(`${level} ${message}`),
  });
  const { intake, queue } = fixture;
  const files = ["a", "b", "c", "d"]
    .map((name) => watchedFile(fixture.dir.write(name, "bytes")));
  assertEquals(await intake.addWatched(files), []);
  assertEquals(logged, [
    "warn Watched files are sent from where they are, and must stay there until then: " +
    "Cannot take a capture of 5 bytes: the spool holds 10 bytes and at most 12 are allowed",
  ]);
  const captures = queue.captures().toArray();
  assertEquals(captures.map(({ spooled }) => spooled), [
    true,
    true,
    false,
    false,
  ]);
  fixture.assertSpooled(captures.slice(0, 2).map(({ id }) => id));
});

Deno.test("a disk with less room than must stay free refuses with a NoRoomError, before anything is done", async () => {
  await using fixture = new StoreFixture({ minFreeBytes: 2 ** 60 });
  const { intake } = fixture;
  const path = fixture.dir.write("door.png", "bytes");
  for (const mode of ["copy", "move"] as const) {
    const { message } = await assertRejects(
      () => intake.add(path, "{}", { mode }),
      NoRoomError,
      `and ${2 ** 60} must stay free`,
    );
    assertStringIncludes(message, "Cannot take a capture: the disk has");
  }
  fixture.assertSpooled([]);
  assertEquals(fixture.queue.getStats().pending, 0);
  assertEquals(Deno.readTextFileSync(path), "bytes");
  // In place it takes no room to speak of.
  await intake.add(path, "{}", { mode: "reference" });
  await intake.addWatched([watchedFile(path)]);
  assertEquals(fixture.queue.getStats().pending, 2);
});

Deno.test("a quarter of a GiB must stay free by default", async () => {
  await using fixture = new StoreFixture();
  const { queue, spool } = fixture;
  const room = new Room(queue, spool, {});
  const mostlyFull = spool.freeBytes() - MIN_FREE_BYTES + 1024 * MIB;
  assertThrows(() => room.assertOnDisk(mostlyFull), NoRoomError, "268435456");
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
  "copies of watched files take a tenth of what is free without them, however many there are",
  async (fixture) => {
    const { spool, dir, queue } = fixture;
    const intake = new Intake(queue, spool, { minFreeBytes: 0 });
    // What was enqueued is not counted among them.
    await intake.add(dir.write("enqueued", new Uint8Array(MIB)), "{}");
    const free = spool.freeBytes();
    const size = 50_000;
    // Several times what the disk has.
    for (let batch = 0; batch < 20; batch++) {
      const files = Array.from({ length: 20 }, (_, n) => {
        const path = dir.write(`${batch}/${n}`, new Uint8Array(size));
        return watchedFile(path);
      });
      assertEquals(await intake.addWatched(files), []);
    }
    const captures = queue.captures().toArray()
      .filter(({ watched }) => watched);
    assertEquals(captures.length, 400);
    const copied = captures.filter(({ spooled }) => spooled).length * size;
    assert(copied <= free / 10, `${copied} of ${free}`);
    assert(copied >= free / 10 - 2 * size, `${copied} of ${free}`);
    // What is delivered makes room for others.
    for (const { id, spooled } of captures) {
      if (spooled) queue.markCompleted(id);
      if (spooled) spool.remove([id]);
    }
    await intake.addWatched([watchedFile(dir.write("new", "bytes"))]);
    assert(queue.captures().toArray().at(-1)!.spooled);
  },
);

testOnSmallDisk(
  "a file that is given away on the same disk takes no room, however large it is",
  async (fixture) => {
    // Elsewhere it cannot be told whether somebody writes to it: it is copied.
    if (!libc) return;
    const { spool } = fixture;
    const path = `${fixture.dataDir}/../large`;
    const size = Math.floor(spool.freeBytes() * 0.6);
    Deno.writeFileSync(path, new Uint8Array(size));
    const intake = new Intake(fixture.queue, spool, { minFreeBytes: 1024 });
    const id = await intake.add(path, "{}", { mode: "move" });
    fixture.assertSpooled([id]);
  },
);

testOnSmallDisk(
  "a copy that would leave too little room is refused before it is begun",
  async (fixture) => {
    const { spool } = fixture;
    const path = fixture.dir.write("large", new Uint8Array(5 * MIB));
    const floor = { minFreeBytes: 4 * MIB };
    const intake = new Intake(fixture.queue, spool, floor);
    const before = spool.freeBytes();
    await assertRejects(
      () => intake.add(path, "{}"),
      NoRoomError,
      "must stay free",
    );
    fixture.assertSpooled([]);
    assert(before - spool.freeBytes() <= 16_384);
  },
);

testOnSmallDisk(
  "a disk that gets full amid a copy, a move, a record or a row leaves nothing behind",
  async (fixture, disk) => {
    const { queue, spool } = fixture;
    // As if what is left were used up just after the look at it.
    const intake = new Intake(queue, spool, { minFreeBytes: -Infinity });
    const path = fixture.dir.write("large", new Uint8Array(9 * MIB));
    const isRefused = (promise: Promise<unknown>) =>
      assertRejects(() => promise, NoRoomError, "disk is full");
    await isRefused(intake.add(path, "{}"));
    fixture.assertSpooled([]);
    const small = fixture.dir.write("small", "");
    const own = `${disk.path}/own`;
    Deno.writeTextFileSync(own, "");
    disk.fill();
    await isRefused(intake.add(small, "{}"));
    await isRefused(intake.add(own, "{}", { mode: "move" }));
    fixture.assertSpooled([]);
    assertEquals(Deno.readTextFileSync(own), "");
    const metadata = JSON.stringify({ text: "x".repeat(500_000) });
    await isRefused((async () => {
      for (let n = 0; n < 20; n++) {
        await intake.add(small, metadata, { mode: "reference" });
      }
    })());
    const { pending } = queue.getStats();
    disk.free();
    const ids = [
      await intake.add(small, "{}"),
      await intake.add(own, "{}", { mode: "move" }),
    ];
    fixture.assertSpooled(ids);
    assertEquals(queue.getStats().pending, pending + 2);
    assertEquals(queue.findDamage(), null);
  },
);
