import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { openRegularFile } from "../../sync/host/opened_file.ts";
import type { QueuedCapture } from "../../sync/queue/queue.ts";
import { reconcileSpool } from "../../sync/spool/reconcile.ts";
import { Spool } from "../../sync/spool/spool.ts";
import { StoreFixture, watchedFile } from "../helpers/store_fixture.ts";

const NOTHING = {
  requeued: 0,
  delivered: 0,
  orphaned: 0,
  restored: 0,
  lost: 0,
};

/** A spool that is to be brought into line. */
class Scene extends StoreFixture {
  readonly logged: string[] = [];

  /** Reconciles, some days later perhaps, and says what was found. */
  async reconcile(
    options: { signal?: AbortSignal; days?: number; endedInOrder?: boolean } =
      {},
  ): Promise<typeof NOTHING> {
    const { days = 0, ...rest } = options;
    const { requeued, delivered, orphaned, restored, lost } =
      await reconcileSpool(this.queue, this.spool, {
        log: (level, message) => this.logged.push(`${level} ${message}`),
        now: () => Date.now() + days * 86_400_000,
        ...rest,
      });
    return { requeued, delivered, orphaned, restored, lost };
  }

  /** Changes the lines of the spool's records. */
  editLog(change: (line: string) => string): void {
    const path = `${this.spoolDir}/records.jsonl`;
    const lines = Deno.readTextFileSync(path).split("\n").map(change);
    Deno.writeTextFileSync(path, lines.join("\n"));
  }

  /** An entry of the spool without a row. */
  async entry(name: string): Promise<string> {
    const id = await this.take(`bytes of ${name}`, name);
    this.queue.remove([id]);
    return id;
  }

  /** An entry of the spool without a row and without a record. */
  async unrecorded(): Promise<string> {
    const id = crypto.randomUUID();
    using file = openRegularFile(this.dir.write("unrecorded", "bytes"));
    await this.spool.addFile(id, file);
    return id;
  }
}

Deno.test("a spool and a queue that agree stay as they are, and nothing is said", async () => {
  await using scene = new Scene();
  const path = scene.dir.write("door.png", "bytes");
  await scene.intake.add(path, "{}");
  await scene.intake.add(path, "{}", { mode: "reference" });
  const before = [scene.spooled(), scene.queue.captures().toArray()];
  assertEquals(await scene.reconcile(), NOTHING);
  assertEquals([scene.spooled(), scene.queue.captures().toArray()], before);
  assertEquals(scene.logged, []);
});

Deno.test("a capture that is queued again keeps the name of the host that took it over, and its time, also when it was copied again", async () => {
  await using scene = new Scene();
  const path = scene.dir.write("door.png", "bytes");
  const id = await scene.intake.add(path, "{}");
  scene.editLog((line) => {
    if (line === "") return line;
    return JSON.stringify({ ...JSON.parse(line), hostname: "kiosk-7" });
  });
  scene.queue.remove([id]);
  await scene.reconcile();
  const before = scene.queue.get(id)!;
  assertEquals(before.hostname, "kiosk-7");
  // The copy and its record are lost, and the file was touched.
  Deno.removeSync(scene.spool.pathOf(id));
  scene.editLog(() => "");
  Deno.utimeSync(path, 1, 1);
  assertEquals(await scene.reconcile(), { ...NOTHING, restored: 1 });
  scene.queue.remove([id]);
  await scene.reconcile();
  const { hostname, mtimeMs } = scene.queue.get(id)!;
  assertEquals([hostname, mtimeMs], ["kiosk-7", before.mtimeMs]);
});

Deno.test("an entry whose record names no host is queued again", async () => {
  await using scene = new Scene();
  const id = await scene.entry("door.png");
  scene.editLog((line) => line.replace(/"hostname":"[^"]*",/, ""));
  assertEquals(await scene.reconcile(), { ...NOTHING, requeued: 1 });
  assertEquals(scene.queue.get(id)!.hostname, Deno.hostname());
});

Deno.test("an entry without a row is queued again, as it was", async () => {
  await using scene = new Scene();
  const path = scene.dir.write("door.png", "bytes");
  const id = await scene.intake.add(path, '{"door":3}');
  const before = scene.queue.get(id);
  scene.queue.remove([id]);
  assertEquals(await scene.reconcile(), { ...NOTHING, requeued: 1 });
  assertEquals(scene.queue.get(id), before);
  assertEquals(Deno.readTextFileSync(scene.spool.pathOf(id)), "bytes");
  assertEquals(scene.logged, [
    "warn 1 capture in the spool, but not in the queue: queued",
  ]);
  assertEquals(await scene.reconcile(), NOTHING);
});

Deno.test("an entry of a watched file is queued again as one", async () => {
  await using scene = new Scene();
  const path = scene.dir.write("door.png", "bytes");
  const open = () => openRegularFile(path);
  const { identity } = open();
  await scene.intake.addWatched([{
    path,
    metadataJson: "{}",
    identity,
    open,
  }]);
  const before = scene.queue.captures().toArray();
  // As a queue is that was made in the place of a damaged one.
  using database = scene.open();
  database.exec("DELETE FROM captures");
  assertEquals(await scene.reconcile(), { ...NOTHING, requeued: 1 });
  assertEquals(scene.queue.captures().toArray(), before);
  assertEquals(scene.queue.knownWatched([{ path, identity }]), ["queued"]);
});

Deno.test("an entry of a delivered capture is removed, and not sent again", async () => {
  await using scene = new Scene();
  const id = await scene.take("bytes");
  scene.queue.markCompleted(id);
  assertEquals(await scene.reconcile(), { ...NOTHING, delivered: 1 });
  assertEquals(scene.spooled(), []);
  assertEquals(scene.queue.getStats().pending, 0);
});

Deno.test("an entry without a record that is young is left alone: it may be in the making", async () => {
  await using scene = new Scene();
  const id = await scene.unrecorded();
  assertEquals(await scene.reconcile(), NOTHING);
  assertEquals(scene.spool.sizeOf(id), 5);
});

Deno.test("an entry that was young is looked at again, although the agent ended in order", async () => {
  await using scene = new Scene();
  await scene.unrecorded();
  assertEquals(await scene.reconcile(), NOTHING);
  scene.spool[Symbol.dispose]();
  const found = await scene.reconcile({ days: 1, endedInOrder: true });
  assertEquals(found, { ...NOTHING, orphaned: 1 });
});

Deno.test("an entry without a record that is old is set aside, never deleted", async () => {
  await using scene = new Scene();
  const id = await scene.unrecorded();
  assertEquals(await scene.reconcile({ days: 1 }), { ...NOTHING, orphaned: 1 });
  assertEquals(scene.spooled(), [`/orphans/${id}`]);
  assertEquals(scene.spool.orphans.count, 1);
  assertEquals(scene.queue.getStats().pending, 0);
  assertStringIncludes(scene.logged.join("\n"), 'folder "orphans"');
  assertEquals(await scene.reconcile(), NOTHING);
});

Deno.test("an entry whose record cannot be used is set aside, with the record where there is one", async () => {
  await using scene = new Scene();
  const [damaged, badMetadata] = [
    await scene.entry("a"),
    await scene.entry("b"),
  ];
  scene.editLog((line) =>
    line.includes(damaged!)
      ? "{"
      : line.includes(badMetadata!)
      ? line.replace(/"metadataJson":"[^}]*}"/, '"metadataJson":"["')
      : line
  );
  const whole = await scene.entry("whole");
  assertEquals(await scene.reconcile(), {
    ...NOTHING,
    requeued: 1,
    orphaned: 1,
  });
  assert(scene.queue.get(whole));
  assertEquals(await scene.reconcile({ days: 1 }), { ...NOTHING, orphaned: 1 });
  assertEquals(
    scene.spooled().filter((path) => path.includes("orphans")),
    [
      `/orphans/${badMetadata}`,
      `/orphans/${badMetadata}.json`,
      `/orphans/${damaged}`,
    ].sort(),
  );
});

Deno.test("an entry of another size than its record says is set aside, and not sent", async () => {
  await using scene = new Scene();
  const id = await scene.entry("cut off");
  Deno.truncateSync(scene.spool.pathOf(id), 3);
  assertEquals(await scene.reconcile(), { ...NOTHING, orphaned: 1 });
  assertEquals(scene.spooled(), [`/orphans/${id}`, `/orphans/${id}.json`]);
  assertEquals(scene.queue.captures().toArray(), []);
});

Deno.test("what a record says touches nothing outside the spool", async () => {
  await using scene = new Scene();
  const secret = scene.dir.write("secret", "kept");
  const id = await scene.entry("a");
  const ids = ["../../secret", secret, "..", "orphans", "records.jsonl"];
  const evil = ids.map((id) => (line: string) =>
    line && JSON.stringify({ ...JSON.parse(line), id })
  );
  for (const change of evil) scene.editLog(change);
  await scene.reconcile({ days: 1 });
  assertEquals(Deno.readTextFileSync(secret), "kept");
  assertEquals(scene.queue.captures().toArray(), []);
  assertEquals(scene.spooled(), [`/orphans/${id}`]);
});

Deno.test("an entry that cannot be set aside does not hold up the others", async () => {
  await using scene = new Scene();
  const unrecorded = [await scene.unrecorded(), await scene.unrecorded()];
  const whole = [await scene.entry("a"), await scene.entry("b")];
  // In the place of the folder.
  Deno.writeTextFileSync(`${scene.spoolDir}/orphans`, "");
  const found = await scene.reconcile({ days: 1 });
  assertEquals(found, { ...NOTHING, requeued: 2 });
  assert(whole.every((id) => scene.queue.get(id)));
  for (const id of unrecorded) {
    assertEquals(scene.spool.sizeOf(id), 5);
    assertStringIncludes(
      scene.logged.join("\n"),
      `error Cannot bring "${id}" in the spool into line`,
    );
  }
});

for (
  const [what, spoil] of Object.entries({
    "has gone": (path: string) => Deno.removeSync(path),
    "has lost some of its bytes": (path: string) => Deno.truncateSync(path, 3),
  })
) {
  Deno.test(`a capture whose copy ${what} gets a new one from the original`, async () => {
    await using scene = new Scene();
    const path = scene.dir.write("door.png", "bytes");
    const id = await scene.intake.add(path, '{"door":3}');
    spoil(scene.spool.pathOf(id));
    // It may have been touched since: the content counts.
    Deno.utimeSync(path, new Date(0), new Date(0));
    assertEquals(await scene.reconcile(), { ...NOTHING, restored: 1 });
    assertEquals(scene.bytesOf(id), "bytes");
    const records = (await Array.fromAsync(scene.spool.records())).flat();
    assertEquals(records.length, 2);
    assertEquals(records[0]!.sha256, records[1]!.sha256);
    assertEquals(scene.queue.get(id)?.status, "pending");
    assertEquals(await scene.reconcile(), NOTHING);
  });
}

Deno.test({
  name:
    "a watched file's copy that has gone is not made anew through a link in the file's place",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using scene = new Scene();
    const path = scene.dir.write("in/door.png", "bytes");
    await scene.intake.addWatched([watchedFile(path)]);
    const [{ id }] = scene.queue.captures().toArray() as [QueuedCapture];
    scene.spool.remove([id]);
    Deno.renameSync(path, scene.dir.join("elsewhere"));
    Deno.symlinkSync(scene.dir.join("elsewhere"), path);
    assertEquals(await scene.reconcile(), { ...NOTHING, lost: 1 });
    assertEquals(scene.spooled(), []);
  },
});

Deno.test("a capture whose copy and original have gone is failed, and says so", async () => {
  await using scene = new Scene();
  const paths = ["gone.png", "changed.png", "link.png"].map((name) =>
    scene.dir.write(name, "bytes")
  );
  const ids = [];
  for (const path of paths) ids.push(await scene.intake.add(path, "{}"));
  ids.forEach((id) => scene.spool.remove([id]));
  const [gone, changed, linked] = paths as [string, string, string];
  Deno.removeSync(gone);
  // Of the same size and time.
  const { mtime } = Deno.statSync(changed);
  Deno.writeTextFileSync(changed, "BYTES");
  Deno.utimeSync(changed, mtime!, mtime!);
  Deno.removeSync(linked);
  Deno.symlinkSync("/etc/hostname", linked);
  assertEquals(await scene.reconcile(), { ...NOTHING, lost: 3 });
  for (const id of ids) {
    const { status, lastError } = scene.queue.get(id)!;
    assertEquals(status, "failed");
    assertStringIncludes(lastError!, "the spool's copy is gone");
  }
  assertEquals(scene.spooled(), []);
  assertEquals(await scene.reconcile(), NOTHING);
});

Deno.test("a capture that is being sent is left to whoever sends it", async () => {
  await using scene = new Scene();
  const id = await scene.take("bytes");
  scene.queue.markUploading(id);
  scene.spool.remove([id]);
  assertEquals(await scene.reconcile(), NOTHING);
  assertEquals(scene.queue.get(id)?.status, "uploading");
});

Deno.test("reconciling ends soon when the agent is to stop, and the next one goes on", async () => {
  await using scene = new Scene();
  for (let n = 0; n < 20; n++) await scene.entry(`capture ${n}`);
  const { requeued } = await scene.reconcile({ signal: AbortSignal.abort() });
  scene.spool[Symbol.dispose]();
  const rest = await scene.reconcile({ endedInOrder: true });
  assertEquals(requeued + rest.requeued, 20);
});

Deno.test("after an agent that ended in order nothing is looked for, unless another process was killed", async () => {
  await using scene = new Scene();
  const id = await scene.entry("a");
  assertEquals(await scene.reconcile({ endedInOrder: true }), NOTHING);
  // As a killed process leaves it.
  const killed = new Spool(scene.spoolDir);
  killed.occupants.enter();
  killed.occupants.leaveUnfinished();
  killed[Symbol.dispose]();
  const found = await scene.reconcile({ endedInOrder: true });
  assertEquals(found, { ...NOTHING, requeued: 1 });
  assert(scene.queue.get(id));
  assertEquals(await scene.reconcile({ endedInOrder: true }), NOTHING);
});
