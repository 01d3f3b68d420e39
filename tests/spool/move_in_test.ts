import { assert, assertEquals, assertRejects } from "@std/assert";
import { dirname } from "@std/path";
import {
  CaptureFileError,
  CaptureReadError,
} from "../../sync/capture/errors.ts";
import { onReached } from "../../sync/host/fault_point.ts";
import { libc } from "../../sync/host/libc.ts";
import { reconcileSpool } from "../../sync/spool/reconcile.ts";
import {
  StoreFixture,
  testAcrossFileSystems,
} from "../helpers/store_fixture.ts";
import {
  CAN_GIVE_AWAY,
  NEIGHBOUR,
  neighboursLink,
} from "../helpers/neighbour.ts";
import { canBeImmutable, Immutable } from "../helpers/immutable.ts";
import { exists } from "../../sync/host/files.ts";

const move = { mode: "move" } as const;

/** Runs while something happens at each step. */
async function onEachStep<T>(
  act: (step: string) => void,
  body: () => Promise<T>,
): Promise<T> {
  onReached(act);
  try {
    return await body();
  } finally {
    onReached(() => {});
  }
}

Deno.test("a file that is given away is moved into the spool, and nobody else can read it", async () => {
  await using fixture = new StoreFixture();
  const path = fixture.dir.write("door.png", "bytes");
  const before = Deno.statSync(path);
  const id = await fixture.intake.add(path, "{}", move);
  assert(!exists(path));
  const after = Deno.statSync(fixture.spool.pathOf(id));
  if (libc) assertEquals(after.ino, before.ino);
  assertEquals(after.mtime, before.mtime);
  if (Deno.build.os !== "windows") assertEquals(after.mode! & 0o777, 0o600);
  assertEquals(fixture.bytesOf(id), "bytes");
  assertEquals(fixture.queue.get(id)!.filepath, path);
});

testAcrossFileSystems(
  "a file that is given away on another file system is copied, and goes when it is handed over",
  async (other) => {
    await using fixture = new StoreFixture();
    const path = other.write("door.png", "bytes");
    const steps: string[] = [];
    const id = await onEachStep((step) => {
      steps.push(step);
      // Under another name while the row is written.
      assertEquals(exists(path), step !== "row", step);
      assertEquals([...Deno.readDirSync(other.path)].length, 1);
    }, () => fixture.intake.add(path, "{}", move));
    assertEquals(steps.at(-1), "row");
    assertEquals([...Deno.readDirSync(other.path)], []);
    assertEquals(fixture.bytesOf(id), "bytes");
  },
);

Deno.test({
  name:
    "a file that somebody has open for writing cannot be given away, and stays where it is",
  ignore: !libc,
  async fn() {
    await using fixture = new StoreFixture();
    const path = fixture.dir.write("rec.mkv", "bytes");
    const options = { append: true };
    {
      using _writer = Deno.openSync(path, options);
      await assertRejects(
        () => fixture.intake.add(path, "{}", move),
        CaptureReadError,
        "somebody still has it open for writing",
      );
    }
    // Just after it was looked at.
    let writer: Deno.FsFile | undefined;
    await onEachStep(
      (step) => {
        if (step === "spool-record") writer = Deno.openSync(path, options);
      },
      () =>
        assertRejects(
          () => fixture.intake.add(path, "{}", move),
          Error,
          "open",
        ),
    );
    writer!.close();
    assertEquals(Deno.readTextFileSync(path), "bytes");
    assertEquals(fixture.spooled(), []);
    assertEquals(fixture.queue.getStats().pending, 0);
  },
});

Deno.test("a file with another name that is given away is copied: the other name can be written to", async () => {
  await using fixture = new StoreFixture();
  const path = fixture.dir.write("door.png", "bytes");
  const other = fixture.dir.join("other.png");
  Deno.linkSync(path, other);
  const id = await fixture.intake.add(path, "{}", move);
  assert(!exists(path));
  Deno.writeTextFileSync(other, "SCRIBBLED");
  assertEquals(fixture.bytesOf(id), "bytes");
});

Deno.test("a link cannot be given away: it is not the file", async () => {
  await using fixture = new StoreFixture();
  const path = fixture.dir.write("door.png", "bytes");
  const link = fixture.dir.join("link.png");
  Deno.symlinkSync(path, link);
  await assertRejects(
    () => fixture.intake.add(link, "{}", move),
    CaptureFileError,
    "it is a symbolic link",
  );
  assertEquals(Deno.readTextFileSync(link), "bytes");
});

/** Gives a file away that cannot be, and looks whether nothing was done. */
async function assertKept(
  fixture: StoreFixture,
  path: string,
  expected: string,
): Promise<void> {
  const intake = () => fixture.intake.add(path, "{}", move);
  const { message } = await assertRejects(intake, CaptureFileError, expected);
  assert(message.startsWith(`Cannot move "${path}"`), message);
  assertEquals(Deno.readTextFileSync(path), "bytes");
  assertEquals([...Deno.readDirSync(dirname(path))].length, 1);
  assertEquals(fixture.spooled(), []);
  assertEquals(fixture.queue.getStats().pending, 0);
}

Deno.test({
  name: "a file that cannot be removed is not taken over",
  ignore: !canBeImmutable(),
  async fn() {
    await using fixture = new StoreFixture();
    const path = fixture.dir.write("theirs/door.png", "bytes");
    const reason = "it cannot be removed from its folder (permission denied)";
    for (const fixed of [dirname(path), path]) {
      // Such a file would be moved, one of another user copied.
      for (const uid of [Deno.uid()!, 1234]) {
        Deno.chownSync(path, uid, uid);
        using _ = new Immutable(fixed);
        await assertKept(fixture, path, reason);
      }
    }
    const id = await fixture.intake.add(path, "{}", move);
    assert(!exists(path));
    assertEquals(fixture.bytesOf(id), "bytes");
    assertEquals([...Deno.readDirSync(dirname(path))], []);
  },
});

testAcrossFileSystems(
  "a file on another file system gets its name back if handing it over fails, and keeps it if it is not what was copied",
  async (other) => {
    await using fixture = new StoreFixture();
    const path = other.write("door.png", "bytes");
    const give = () => fixture.intake.add(path, "{}", move);
    const failAt = (at: string, act: () => void) =>
      onEachStep(
        (step) => step === at ? act() : undefined,
        () => assertRejects(give),
      );
    const noRow = () => {
      throw new Error("no row");
    };
    await failAt("row", noRow);
    assertEquals(Deno.readTextFileSync(path), "bytes");
    fixture.queue.remove([...fixture.queue.captures()].map(({ id }) => id));
    await failAt("spool-record", () => Deno.writeTextFileSync(path, "other"));
    assertEquals(Deno.readTextFileSync(path), "other");
    assertEquals([...Deno.readDirSync(other.path)].length, 1);
    assertEquals(fixture.queue.getStats().pending, 0);
  },
);

Deno.test(
  "a file that cannot be queued goes back to where it was, and not over what is there now",
  {
    ignore: !libc,
  },
  async () => {
    await using fixture = new StoreFixture();
    const path = fixture.dir.write("door.png", "bytes");
    const before = Deno.statSync(path);
    const fail = (step: string) => {
      if (step === "spool-file") throw new Error("no row");
    };
    await onEachStep(
      fail,
      () =>
        assertRejects(
          () => fixture.intake.add(path, "{}", move),
          Error,
          "no row",
        ),
    );
    assertEquals(Deno.readTextFileSync(path), "bytes");
    assertEquals(Deno.statSync(path).mode, before.mode);
    assertEquals(fixture.spooled(), []);
    await onEachStep(
      (step) => {
        if (step === "spool-file") Deno.writeTextFileSync(path, "new");
        fail(step);
      },
      () => assertRejects(() => fixture.intake.add(path, "{}", move)),
    );
    assertEquals(Deno.readTextFileSync(path), "new");
    assertEquals(fixture.spooled().length, 1);
    fixture.spool[Symbol.dispose]();
    const log = () => {};
    const options = { log, endedInOrder: true };
    await reconcileSpool(fixture.queue, fixture.spool, options);
    assertEquals(fixture.queue.captures().toArray().length, 1);
  },
);

Deno.test({
  name: "no file is given away through a link of another user on the way to it",
  ignore: !CAN_GIVE_AWAY,
  async fn() {
    await using fixture = new StoreFixture();
    const secret = fixture.dir.write("home/key", "secret");
    Deno.mkdirSync(fixture.dir.join("drop"));
    neighboursLink(fixture.dir.join("home"), fixture.dir.join("drop/sub"));
    await assertRejects(
      () => fixture.intake.add(fixture.dir.join("drop/sub/key"), "{}", move),
      CaptureFileError,
      `is a symbolic link of user ${NEIGHBOUR}`,
    );
    assertEquals(Deno.readTextFileSync(secret), "secret");
    assertEquals(fixture.spooled(), []);
  },
});
