import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { reconcileSpool } from "../../sync/spool/reconcile.ts";
import { StoreFixture } from "../helpers/store_fixture.ts";

const encode = (text: string) => new TextEncoder().encode(text);

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
    options: { signal?: AbortSignal; days?: number } = {},
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
  entry(name: string): string {
    const id = this.intake.addBytes(encode(`bytes of ${name}`), name, { name });
    this.queue.remove([id]);
    return id;
  }
}

Deno.test("a spool and a queue that agree stay as they are, and nothing is said", async () => {
  await using scene = new Scene();
  const path = scene.dir.write("door.png", "bytes");
  await scene.intake.add(path, {});
  await scene.intake.add(path, {}, { copy: false });
  const before = [scene.spooled(), scene.queue.list()];
  assertEquals(await scene.reconcile(), NOTHING);
  assertEquals([scene.spooled(), scene.queue.list()], before);
  assertEquals(scene.logged, []);
});

Deno.test("an entry without a row is queued again, as it was", async () => {
  await using scene = new Scene();
  const path = scene.dir.write("door.png", "bytes");
  const id = await scene.intake.add(path, { door: 3 });
  const before = scene.queue.get(id);
  scene.queue.remove([id]);
  assertEquals(await scene.reconcile(), { ...NOTHING, requeued: 1 });
  assertEquals(scene.queue.get(id), before);
  assertEquals(Deno.readTextFileSync(scene.spool.pathOf(id)), "bytes");
  assertEquals(scene.logged, [
    "warn 1 captures in the spool had no row: taken up again",
  ]);
  assertEquals(await scene.reconcile(), NOTHING);
});

Deno.test("an entry of a watched file is queued again as one", async () => {
  await using scene = new Scene();
  const path = scene.dir.write("door.png", "bytes");
  const { mtime, size } = Deno.statSync(path);
  const file = { path, metadata: {}, size, mtimeMs: mtime!.getTime() };
  await scene.intake.addWatched([file], { copy: true });
  const [capture] = scene.queue.list();
  // Removed by a power cut, not by a person: nothing is dismissed.
  scene.queue.markCompleted(capture!.id);
  using database = scene.open();
  database.exec("DELETE FROM delivered");
  assertEquals(await scene.reconcile(), { ...NOTHING, requeued: 1 });
  assertEquals(scene.queue.get(capture!.id)?.watched, true);
  assertEquals(
    scene.queue.knowsWatched(path, size, mtime!.getTime()),
    "queued",
  );
});

Deno.test("an entry of a delivered capture is removed, and not sent again", async () => {
  await using scene = new Scene();
  const id = scene.intake.addBytes(encode("bytes"), "door.png", {});
  scene.queue.markCompleted(id);
  assertEquals(await scene.reconcile(), { ...NOTHING, delivered: 1 });
  assertEquals(scene.spooled(), []);
  assertEquals(scene.queue.getStats().pending, 0);
});

Deno.test("an unfinished entry that is young is left alone: it may be in the making", async () => {
  await using scene = new Scene();
  const id = crypto.randomUUID();
  scene.spool.addBytes(id, encode("half"));
  assertEquals(await scene.reconcile(), NOTHING);
  assert(scene.spool.has(id));
});

Deno.test("an unfinished entry that is old is set aside, never deleted", async () => {
  await using scene = new Scene();
  const id = crypto.randomUUID();
  scene.spool.addBytes(id, encode("half"));
  assertEquals(await scene.reconcile({ days: 1 }), { ...NOTHING, orphaned: 1 });
  assertEquals(scene.spooled(), [`/orphans/${id}`]);
  assertEquals(scene.spool.orphans(), 1);
  assertEquals(scene.queue.getStats().pending, 0);
  assertStringIncludes(scene.logged.join("\n"), 'folder "orphans"');
  assertEquals(await scene.reconcile(), NOTHING);
});

Deno.test("an entry whose record cannot be used is set aside, with the record where there is one", async () => {
  await using scene = new Scene();
  const [damaged, badMetadata] = [scene.entry("a"), scene.entry("b")];
  scene.editLog((line) =>
    line.includes(damaged!)
      ? "{"
      : line.includes(badMetadata!)
      ? line.replace(/"metadataJson":"[^}]*}"/, '"metadataJson":"["')
      : line
  );
  const whole = scene.entry("whole");
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

Deno.test("a record in a file of its own, as an earlier version kept it, is as good", async () => {
  await using scene = new Scene();
  const id = scene.entry("old");
  const log = `${scene.spoolDir}/records.jsonl`;
  Deno.renameSync(log, scene.spool.pathOf(id) + ".json");
  assertEquals(await scene.reconcile(), { ...NOTHING, requeued: 1 });
  assert(scene.queue.get(id));
});

Deno.test("an entry that cannot be set aside does not hold up the others", async () => {
  await using scene = new Scene();
  const unfinished = [1, 2, 3].map(() => crypto.randomUUID());
  unfinished.forEach((id) => scene.spool.addBytes(id, encode("half")));
  const whole = [scene.entry("a"), scene.entry("b"), scene.entry("c")];
  // In the place of the folder.
  Deno.writeTextFileSync(`${scene.spoolDir}/orphans`, "");
  const found = await scene.reconcile({ days: 1 });
  assertEquals(found, { ...NOTHING, requeued: 3 });
  assert(whole.every((id) => scene.queue.get(id)));
  assert(unfinished.every((id) => scene.spool.has(id)));
  for (const id of unfinished) {
    assertStringIncludes(
      scene.logged.join("\n"),
      `error Cannot bring "${id}" in the spool into line`,
    );
  }
});

Deno.test("a capture whose copy has gone gets a new one from the original", async () => {
  await using scene = new Scene();
  const path = scene.dir.write("door.png", "bytes");
  const id = await scene.intake.add(path, { door: 3 });
  scene.spool.remove(id);
  assertEquals(await scene.reconcile(), { ...NOTHING, restored: 1 });
  assertEquals(Deno.readTextFileSync(scene.spool.pathOf(id)), "bytes");
  const records = (await Array.fromAsync(scene.spool.records())).flat();
  assertEquals(records.length, 2);
  assertEquals(records[0], records[1]);
  assertEquals(scene.queue.get(id)?.status, "pending");
  assertEquals(await scene.reconcile(), NOTHING);
});

Deno.test("a capture whose copy and original have gone is failed, and says so", async () => {
  await using scene = new Scene();
  const [gone, changed] = ["gone.png", "changed.png"].map((name) =>
    scene.dir.write(name, "bytes")
  );
  const ids = [
    await scene.intake.add(gone!, {}),
    await scene.intake.add(changed!, {}),
  ];
  ids.forEach((id) => scene.spool.remove(id));
  Deno.removeSync(gone!);
  Deno.writeTextFileSync(changed!, "BYTES");
  Deno.utimeSync(changed!, new Date(0), new Date(0));
  assertEquals(await scene.reconcile(), { ...NOTHING, lost: 2 });
  for (const id of ids) {
    const { status, lastError } = scene.queue.get(id)!;
    assertEquals(status, "failed");
    assertStringIncludes(lastError!, "the spool's copy is gone");
  }
  assertEquals(await scene.reconcile(), NOTHING);
});

Deno.test("a capture that is being sent is left to whoever sends it", async () => {
  await using scene = new Scene();
  const id = scene.intake.addBytes(encode("bytes"), "door.png", {});
  scene.queue.markUploading(id);
  scene.spool.remove(id);
  assertEquals(await scene.reconcile(), NOTHING);
  assertEquals(scene.queue.get(id)?.status, "uploading");
});

Deno.test("reconciling ends soon when the agent is to stop", async () => {
  await using scene = new Scene();
  for (let n = 0; n < 20; n++) scene.entry(`capture ${n}`);
  const { requeued } = await scene.reconcile({ signal: AbortSignal.abort() });
  assert(requeued < 20, `${requeued}`);
  const rest = await scene.reconcile();
  assertEquals(requeued + rest.requeued, 20);
});
