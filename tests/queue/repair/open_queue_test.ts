import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { ReferenceServer } from "../../../scripts/server/reference_server.ts";
import { SyncAgent } from "../../../sync/agent/agent.ts";
import {
  DatabaseError,
  type Engine,
  openDatabase,
} from "../../../sync/queue/sqlite.ts";
import { openRegularFile } from "../../../sync/host/opened_file.ts";
import { Intake } from "../../../sync/spool/intake.ts";
import { ProcessLock } from "../../../sync/host/lock.ts";
import { UploadQueue } from "../../../sync/queue/queue.ts";
import { UNREADABLE } from "../../../sync/queue/capture_row.ts";
import { queuesSetAside } from "../../../sync/queue/side_files.ts";
import { reconcileSpool } from "../../../sync/spool/reconcile.ts";
import {
  openQueue,
  type OpenQueueOptions,
} from "../../../sync/queue/repair/open_queue.ts";
import { Spool } from "../../../sync/spool/spool.ts";
import { CaptureUploader } from "../../../sync/upload/uploader.ts";
import { IS_OLDEST_DENO } from "../../helpers/deno_version.ts";
import { runCli, startCli } from "../../helpers/cli.ts";
import { testOnEachEngine } from "../../helpers/engines.ts";
import { eventually } from "../../helpers/eventually.ts";
import { makeByConnection } from "../../helpers/first_design.ts";
import { writePastSchema } from "../../helpers/past_schema.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

const PAGE = 4096;
/** Enough for tables of several pages, and quick. */
const CAPTURES = 120;

/** Overwrites one of the pages that hold captures, in the middle of them. */
function spoilCaptures(bytes: Uint8Array): void {
  const leaf = 0x0d;
  const text = new TextDecoder("latin1").decode(bytes);
  const pages = Array.from({ length: bytes.length / PAGE }, (_, n) => n * PAGE)
    .filter((at) =>
      bytes[at] === leaf &&
      text.slice(at, at + PAGE).includes('"note":"xxx')
    );
  assert(pages.length > 3, `${pages.length} pages of captures`);
  const at = pages[Math.floor(pages.length / 2)]!;
  bytes.fill(0xa5, at, at + PAGE);
}

/** A data directory whose queue gets damaged. */
class Scene implements AsyncDisposable {
  readonly dir = new TempDir();
  readonly path: string = this.dir.join("queue.db");
  readonly lockPath: string = this.dir.join("agent.lock");
  readonly spool: Spool = new Spool(this.dir.join("spool"));
  readonly engine: Engine;
  readonly logged: string[] = [];
  /** What was handed over, by how. */
  readonly inPlace: string[] = [];
  readonly spooled: string[] = [];
  readonly delivered: string[] = [];

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** Fills the queue, as an agent does that has been at work for a while. */
  async fill(): Promise<void> {
    Deno.writeTextFileSync(this.lockPath, "");
    using queue = new UploadQueue(this.path, { engine: this.engine });
    const intake = new Intake(queue, this.spool, { minFreeBytes: 0 });
    const files = Array.from({ length: CAPTURES / 3 }, (_, n) => {
      const path = this.dir.write(`${n}.png`, "bytes");
      const open = () => openRegularFile(path);
      using file = open();
      const metadataJson = JSON.stringify({ n, note: "x".repeat(300) });
      return { path, metadataJson, identity: file.identity, open };
    });
    const idsOf = async (copy: boolean) => {
      const before = new Set(
        queue.captures().toArray().map(({ id }) => id),
      );
      const copyUpToBytes = copy ? Infinity : -1;
      await intake.addWatched(files, { copyUpToBytes });
      return queue.captures().toArray().map(({ id }) => id)
        .filter((id) => !before.has(id));
    };
    this.inPlace.push(...await idsOf(false));
    this.spooled.push(...await idsOf(true));
    this.delivered.push(...await idsOf(false));
    queue.complete(this.delivered.map((id) => ({ id, kind: "delivered" })));
    // Until it ends as it should.
    queue.setAgentState({ ...queue.getAgentState(), pid: 1 });
    queue.markFailed(this.inPlace[0]!, "HTTP 500");
    queue.complete([{
      id: this.inPlace[1]!,
      kind: "discard",
      error: "HTTP 422",
    }]);
  }

  /** Starts as the agent does. */
  async open(options: Partial<OpenQueueOptions> = {}): Promise<UploadQueue> {
    return await openQueue(this.path, {
      engine: this.engine,
      lockPath: this.lockPath,
      log: (level, message) => this.logged.push(`${level} ${message}`),
      ...options,
    });
  }

  /** Opens the queue, takes the spool up again, and returns the ids of what is queued. */
  async repair(): Promise<Set<string>> {
    using queue = await this.open();
    await reconcileSpool(queue, this.spool, { log: () => {} });
    assertEquals(queue.findDamage(), null);
    const { pending, uploading, failed } = queue.getStats();
    const captures = queue.captures().toArray();
    assertEquals(captures.length, pending + uploading + failed);
    return new Set(captures.map(({ id }) => id));
  }

  /** Changes the closed file's bytes. */
  damage(
    change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array | void,
  ): Uint8Array {
    const bytes = Deno.readFileSync(this.path);
    const changed = change(bytes) ?? bytes;
    Deno.writeFileSync(this.path, changed);
    return changed;
  }

  /** The one queue that was set aside. */
  get setAside(): string {
    const names = queuesSetAside(this.path);
    assertEquals(names.length, 1, `${names}`);
    assertMatch(names[0]!, /^queue\.db\.corrupt-\d{8}T\d{6,9}Z(-incomplete)?$/);
    return this.dir.join(names[0]!);
  }

  /** The names beside the queue, but for those that are always there. */
  get names(): string[] {
    return [...Deno.readDirSync(this.dir.path)].map(({ name }) => name)
      .filter((name) => /repair|alone/.test(name)).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.spool[Symbol.dispose]();
    await this.dir[Symbol.asyncDispose]();
  }
}

function assertHasAll(found: Set<string>, expected: string[], what: string) {
  const missing = expected.filter((id) => !found.has(id));
  assertEquals(missing, [], `missing: ${what}`);
}

testOnEachEngine(
  "a sound queue is opened as it is, and nothing is said",
  async (engine) => {
    await using scene = new Scene(engine);
    (await scene.open()).close();
    await scene.fill();
    using queue = await scene.open();
    assertEquals(queue.getStats(), {
      pending: CAPTURES * 2 / 3 - 1,
      uploading: 0,
      failed: 1,
      delivered: CAPTURES / 3,
    });
    assertEquals(scene.logged, []);
    assertEquals(queuesSetAside(scene.path), []);
  },
);

testOnEachEngine(
  "a queue cut short is set aside, and what is left of it copied",
  async (engine) => {
    await using scene = new Scene(engine);
    await scene.fill();
    const left = scene.damage((bytes) =>
      bytes.slice(0, Math.floor(bytes.length * 0.7))
    );
    const found = await scene.repair();
    assertHasAll(found, scene.spooled, "what is in the spool");
    assert(
      scene.inPlace.some((id) => found.has(id)),
      "some rows were readable",
    );
    assertEquals(Deno.readFileSync(scene.setAside), left);
    assertMatch(scene.logged[0]!, /^error The queue ".*" is damaged: /);
    assertMatch(
      scene.logged[1]!,
      /kept as ".*": \d+ of its captures could be read/,
    );
    assertEquals(scene.names, []);
  },
);

testOnEachEngine(
  "whichever page of a queue is overwritten, nothing in the spool is lost, and nothing is delivered again",
  async (engine) => {
    await using scene = new Scene(engine);
    await scene.fill();
    const sound = Deno.readFileSync(scene.path);
    const pages = sound.length / PAGE;
    assert(pages > 15, `${pages} pages`);
    let repaired = 0;
    let copied = 0;
    for (let page = 0; page < pages; page++) {
      scene.damage(() => {
        const bytes = sound.slice();
        const filler = page % 2 === 0 ? 0x00 : 0xa5;
        return bytes.fill(filler, page * PAGE, (page + 1) * PAGE);
      });
      const found = await scene.repair();
      assertHasAll(found, scene.spooled, `page ${page}: in the spool`);
      const again = scene.delivered.filter((id) => found.has(id));
      assertEquals(again, [], `page ${page}: delivered before`);
      copied += scene.inPlace.filter((id) => found.has(id)).length;
      for (const name of queuesSetAside(scene.path)) {
        repaired++;
        Deno.removeSync(scene.dir.join(name));
      }
    }
    assert(repaired > pages / 2, `${repaired} of ${pages} were damage`);
    // One page holds a part of them at most, but for the root of their table.
    const share = copied / (scene.inPlace.length * pages);
    assert(share > 0.95, `${share} of the rows were copied`);
  },
);

testOnEachEngine(
  "rows that hold what the schema forbids are damage: they are kept as failed, all others go on",
  async (engine) => {
    await using scene = new Scene(engine);
    await scene.fill();
    const [odd, ...others] = scene.inPlace;
    writePastSchema(scene.path, {
      engine,
      sql: `UPDATE captures SET filepath = x'00ff' WHERE id = '${odd}';
        UPDATE captures SET size = 9223372036854775807
        WHERE id = '${scene.spooled[0]}'`,
    });
    const found = await scene.repair();
    assertHasAll(found, [...others, ...scene.spooled], "all others");
    using queue = await scene.open();
    assertEquals(queue.get(odd!)!.lastError, UNREADABLE);
    scene.setAside;
  },
);

testOnEachEngine(
  "all of a queue is read only if its last agent did not end as it should, or somebody met damage",
  async (engine) => {
    await using scene = new Scene(engine);
    await scene.fill();
    const used = new UploadQueue(scene.path, { engine });
    used.setAgentState({ ...used.getAgentState(), pid: null });
    used.close();
    scene.damage(spoilCaptures);
    {
      using queue = await scene.open();
      assertEquals(queuesSetAside(scene.path), []);
      assertThrows(
        () => queue.captures().toArray(),
        DatabaseError,
        "is damaged",
      );
      // The agent ends, as it does with any error.
      queue.setAgentState({ ...queue.getAgentState(), pid: null });
    }
    (await scene.open()).close();
    scene.setAside;
  },
);

testOnEachEngine(
  "rows around a damaged page keep all that is known of them",
  async (engine) => {
    await using scene = new Scene(engine);
    await scene.fill();
    const before = new UploadQueue(scene.path, { engine });
    const known = new Map(
      before.captures().toArray().map((capture) => [capture.id, capture]),
    );
    before.close();
    scene.damage(spoilCaptures);
    using queue = await scene.open();
    const captures = queue.captures().toArray();
    assert(captures.length > 10 && captures.length < known.size);
    for (const capture of captures) {
      assertEquals(
        capture,
        known.get(capture.id),
      );
    }
    assertEquals(queue.getStats().delivered, scene.delivered.length);
  },
);

testOnEachEngine(
  "a file that is no database is set aside, and the queue rebuilt from the spool",
  async (engine) => {
    for (const text of ["This is a text.", "\0".repeat(PAGE * 3)]) {
      await using scene = new Scene(engine);
      await scene.fill();
      scene.damage(() => new TextEncoder().encode(text.repeat(100)));
      const found = await scene.repair();
      assertEquals([...found].sort(), scene.spooled.sort());
      assertEquals(Deno.readTextFileSync(scene.setAside), text.repeat(100));
    }
  },
);

testOnEachEngine(
  "what another program has put into a queue to run with it is set aside, and nothing of its own is lost",
  async (engine) => {
    const planted = {
      trigger:
        "CREATE TRIGGER x AFTER UPDATE ON captures BEGIN DELETE FROM captures; END",
      view: "CREATE VIEW x AS SELECT id FROM captures",
    };
    for (const [kind, sql] of Object.entries(planted)) {
      await using scene = new Scene(engine);
      await scene.fill();
      {
        using database = openDatabase(scene.path, { engine });
        database.exec(sql);
      }
      assertEquals(
        [...await scene.repair()].sort(),
        [...scene.inPlace, ...scene.spooled].sort(),
      );
      assertStringIncludes(
        scene.logged[0]!,
        `is damaged: it has a ${kind} of another program`,
      );
    }
  },
);

Deno.test({
  name: "a pipe in a queue's place is refused, and not waited for",
  ignore: Deno.build.os === "windows",
  async fn() {
    for (const end of ["", "-wal"]) {
      await using scene = new Scene("builtin");
      await new Deno.Command("mkfifo", { args: [scene.path + end] }).output();
      await assertRejects(() => scene.open(), Error, "it is not a file");
    }
  },
});

for (
  const sql of [
    "DELETE FROM agent",
    "DELETE FROM counts",
    "UPDATE counts SET pending = -9223372036854775808",
    "UPDATE counts SET failed = -1",
  ]
) {
  testOnEachEngine(
    `a queue is repaired after ${sql}, and keeps all its captures`,
    async (engine) => {
      await using scene = new Scene(engine);
      await scene.fill();
      using database = openDatabase(scene.path, { engine });
      database.exec(sql);
      database.close();
      const found = await scene.repair();
      assertHasAll(found, [...scene.inPlace, ...scene.spooled], sql);
      scene.setAside;
    },
  );
}

testOnEachEngine(
  "a queue that has become empty is rebuilt from the spool",
  async (engine) => {
    await using scene = new Scene(engine);
    await scene.fill();
    scene.damage(() => new Uint8Array(0));
    const found = await scene.repair();
    assertEquals([...found].sort(), scene.spooled.sort());
    assertEquals(Deno.statSync(scene.setAside).size, 0);
  },
);

testOnEachEngine(
  "an empty file that was never used is a new queue",
  async (engine) => {
    await using scene = new Scene(engine);
    Deno.writeTextFileSync(scene.path, "");
    using _queue = await scene.open();
    assertEquals(queuesSetAside(scene.path), []);
  },
);

/** Puts a database's -wal, as a crash leaves it, beside another one. */
function leaveWal(from: string, to: string): Uint8Array {
  const bytes = Deno.readFileSync(`${from}-wal`);
  assert(bytes.length > 0);
  Deno.writeFileSync(`${to}-wal`, bytes);
  return bytes;
}

testOnEachEngine(
  "a -wal of another queue is set aside with the queue, and loses none of its own captures",
  async (engine) => {
    await using scene = new Scene(engine);
    await scene.fill();
    await using other = new TempDir();
    using foreign = new UploadQueue(other.join("queue.db"), { engine });
    for (let n = 0; n < 10; n++) foreign.enqueue(`/foreign/${n}`);
    const wal = leaveWal(other.join("queue.db"), scene.path);
    const main = Deno.readFileSync(scene.path);
    const found = await scene.repair();
    assertEquals(
      [...found].sort(),
      [...scene.inPlace, ...scene.spooled].sort(),
    );
    assertStringIncludes(scene.logged[0]!, "its -wal is another file's");
    assertEquals(Deno.readFileSync(scene.setAside), main);
    assertEquals(Deno.readFileSync(`${scene.setAside}-wal`), wal);
  },
);

testOnEachEngine(
  "a -wal of another program is set aside with the queue",
  async (engine) => {
    await using scene = new Scene(engine);
    await scene.fill();
    await using other = new TempDir();
    using foreign = openDatabase(other.join("places.db"), { engine });
    foreign.exec("PRAGMA journal_mode = WAL; CREATE TABLE places (x)");
    foreign.exec("INSERT INTO places VALUES (zeroblob(50000))");
    leaveWal(other.join("places.db"), scene.path);
    const found = await scene.repair();
    assertEquals(
      [...found].sort(),
      [...scene.inPlace, ...scene.spooled].sort(),
    );
    scene.setAside;
  },
);

testOnEachEngine(
  "a -wal of its own is no damage: what a crash left in it is there",
  async (engine) => {
    await using scene = new Scene(engine);
    await scene.fill();
    await using copy = new TempDir();
    using queue = new UploadQueue(scene.path, { engine });
    const id = queue.enqueue("/captures/last");
    const path = copy.join("queue.db");
    Deno.copyFileSync(scene.path, path);
    leaveWal(scene.path, path);
    using opened = await openQueue(path, {
      engine,
      lockPath: copy.join("agent.lock"),
      log: (_level, message) => scene.logged.push(message),
    });
    assert(opened.get(id));
    assertEquals(scene.logged, []);
  },
);

testOnEachEngine(
  "what is in the -wal of a damaged queue is copied too",
  async (engine) => {
    await using scene = new Scene(engine);
    await scene.fill();
    await using copy = new TempDir();
    const path = copy.join("queue.db");
    let last: string;
    {
      using queue = new UploadQueue(scene.path, { engine });
      last = queue.enqueue("/captures/last");
      Deno.copyFileSync(scene.path, path);
      leaveWal(scene.path, path);
    }
    Deno.renameSync(path, scene.path);
    Deno.renameSync(`${path}-wal`, `${scene.path}-wal`);
    scene.damage(spoilCaptures);
    const found = await scene.repair();
    assert(found.has(last));
    assertHasAll(found, scene.spooled, "in the spool");
    assert(Deno.statSync(`${scene.setAside}-wal`).size > 0);
  },
);

testOnEachEngine(
  "a first design's database that is damaged keeps what can be read of it",
  async (engine) => {
    await using scene = new Scene(engine);
    const rows = Array.from({ length: 300 }, (_, n) => {
      const metadata = JSON.stringify({ note: "x".repeat(100) });
      return [
        `old ${n}`,
        `/c/${n}`,
        metadata,
        "2026-02-27T09:00:00",
        0,
        null,
        "pending",
      ];
    });
    makeByConnection({ path: scene.path, rows }, engine);
    scene.damage(spoilCaptures);
    const found = await scene.repair();
    assert(found.size > 200 && found.size < 300, `${found.size}`);
    using queue = await scene.open();
    assertEquals(queue.get("old 0")?.createdAt, "2026-02-27T09:00:00.000Z");
    scene.setAside;
  },
);

testOnEachEngine(
  "a queue of a newer version, or another program's, is refused and not set aside",
  async (engine) => {
    for (
      const sql of ["PRAGMA user_version = 2", "PRAGMA application_id = 7"]
    ) {
      await using scene = new Scene(engine);
      await scene.fill();
      {
        using database = openDatabase(scene.path, { engine });
        database.exec(sql);
      }
      const bytes = Deno.readFileSync(scene.path);
      await assertRejects(() => scene.open(), Error, "Cannot open the queue");
      assertEquals(Deno.readFileSync(scene.path), bytes);
      assertEquals(queuesSetAside(scene.path), []);
      assertEquals(scene.names, []);
    }
  },
);

testOnEachEngine(
  "a damaged queue whose agent runs is left to it",
  async (engine) => {
    await using scene = new Scene(engine);
    await scene.fill();
    using lock = await ProcessLock.tryAcquire(scene.lockPath);
    assert(lock);
    // Whoever can open it may use it.
    (await scene.open()).close();
    const bytes = scene.damage(() =>
      new TextEncoder().encode("x".repeat(PAGE))
    );
    await assertRejects(
      () => scene.open({ patienceMs: 200 }),
      Error,
      "end the agent first",
    );
    assertEquals(Deno.readFileSync(scene.path), bytes);
  },
);

testOnEachEngine(
  "a queue damaged twice is set aside twice, under two names",
  async (engine) => {
    await using scene = new Scene(engine);
    await scene.fill();
    for (let n = 0; n < 3; n++) {
      scene.damage(() => new TextEncoder().encode(`${n}`.repeat(PAGE)));
      await scene.repair();
    }
    const kept = queuesSetAside(scene.path).map((name) =>
      Deno.readTextFileSync(scene.dir.join(name))[0]
    );
    assertEquals(kept.sort(), ["0", "1", "2"]);
  },
);

/** What a crash may leave between the steps of a repair. */
const CRASHES: Record<string, (scene: Scene, moved: string) => void> = {
  "amid the moves": (scene, moved) => {
    Deno.renameSync(`${scene.path}-wal`, `${moved}-wal`);
  },
  "after the moves": (scene, moved) => {
    for (const end of ["-wal", ""]) {
      Deno.renameSync(scene.path + end, moved + end);
    }
  },
  "after making a new queue, which was used since": (scene, moved) => {
    for (const end of ["-wal", ""]) {
      Deno.renameSync(scene.path + end, moved + end);
    }
    using queue = new UploadQueue(scene.path, { engine: scene.engine });
    scene.inPlace.push(queue.enqueue("/captures/since"));
  },
};

for (const [when, crash] of Object.entries(CRASHES)) {
  testOnEachEngine(
    `a crash ${when} loses nothing of what can be read`,
    async (engine) => {
      await using scene = new Scene(engine);
      await scene.fill();
      // Not damaged at all, so that everything can be read.
      {
        await using copy = new TempDir();
        using queue = new UploadQueue(scene.path, { engine });
        scene.inPlace.push(queue.enqueue("/captures/last"));
        for (const end of ["", "-wal"]) {
          Deno.copyFileSync(scene.path + end, copy.join(`queue.db${end}`));
        }
        queue.close();
        for (const end of ["", "-wal"]) {
          Deno.copyFileSync(copy.join(`queue.db${end}`), scene.path + end);
        }
      }
      crash(scene, `${scene.path}.repair-20261124T010203Z`);
      const found = await scene.repair();
      assertEquals(
        [...found].sort(),
        [...scene.inPlace, ...scene.spooled].sort(),
      );
      assert(scene.setAside.endsWith("corrupt-20261124T010203Z"));
      assertEquals(scene.names, []);
      assertEquals(await scene.repair(), found);
    },
  );
}

testOnEachEngine(
  "a -wal that a crash has parted from its queue is kept, whatever came since",
  async (engine) => {
    await using scene = new Scene(engine);
    await scene.fill();
    await using copy = new TempDir();
    using queue = new UploadQueue(scene.path, { engine });
    scene.inPlace.push(queue.enqueue("/captures/since"));
    for (const end of ["", "-wal"]) {
      Deno.copyFileSync(scene.path + end, copy.join(`queue.db${end}`));
    }
    const path = copy.join("queue.db");
    Deno.writeTextFileSync(`${path}.repair-20261124T010203Z-wal`, "parted");
    using opened = await openQueue(path, {
      engine,
      lockPath: copy.join("agent.lock"),
      log: () => {},
    });
    const found = opened.captures().toArray().map(({ id }) => id);
    assertEquals(found.sort(), [...scene.inPlace, ...scene.spooled].sort());
    const kept = `${path}.corrupt-20261124T010203Z-incomplete-wal`;
    assertEquals(Deno.readTextFileSync(kept), "parted");
  },
);

testOnEachEngine(
  "a copy that was done and not finished is done again, and changes nothing",
  async (engine) => {
    await using scene = new Scene(engine);
    await scene.fill();
    Deno.copyFileSync(scene.path, `${scene.path}.repair-20261124T010203Z`);
    {
      using queue = new UploadQueue(scene.path, { engine });
      queue.markCompleted(scene.inPlace[0]!);
    }
    const found = await scene.repair();
    const left = [...scene.inPlace.slice(1), ...scene.spooled];
    assertEquals([...found].sort(), left.sort());
  },
);

testOnEachEngine(
  "who has the old file open while it is set aside is told, and loses nothing unsaid",
  async (engine) => {
    await using scene = new Scene(engine);
    await scene.fill();
    scene.damage(spoilCaptures);
    // That page is none that opening or appending needs.
    using old = new UploadQueue(scene.path, { engine });
    const kept = old.enqueue("/captures/before");
    using queue = await scene.open();
    scene.setAside;
    assert(queue.get(kept));
    const enqueue = () => old.enqueue("/captures/after");
    assertThrows(enqueue, Error, "was removed or replaced meanwhile");
    assertEquals(
      queue.captures().toArray().at(-1)?.filepath,
      "/captures/before",
    );
    assertEquals(queue.findDamage(), null);
  },
);

testOnEachEngine(
  "damage that shows only while the agent runs ends it, and the next start repairs the queue and delivers the rest",
  async (engine) => {
    await using scene = new Scene(engine);
    await scene.fill();
    await using received = new TempDir();
    await using server = new ReferenceServer({
      dir: received.path,
      fsync: false,
    });
    await using uploader = new CaptureUploader(server.url, { maxRetries: 1 });
    const deliver = async (queue: UploadQueue) => {
      await reconcileSpool(queue, scene.spool, { log: () => {} });
      const agent = new SyncAgent({
        queue,
        uploader,
        spool: scene.spool,
      });
      await agent.runOnce();
    };
    scene.damage(spoilCaptures);
    {
      using queue = new UploadQueue(scene.path, { engine });
      const error = await assertRejects(() => deliver(queue), DatabaseError);
      assertEquals(error.fault, "damaged");
      assertStringIncludes(
        error.message,
        "sets it aside when it starts",
      );
    }
    using queue = await scene.open();
    queue.makeAllDue();
    await deliver(queue);
    scene.setAside;
    const keys = server.captures.map(({ idempotencyKey }) => idempotencyKey);
    assertEquals(new Set(keys).size, keys.length);
    assertHasAll(new Set(keys.map(String)), scene.spooled, "in the spool");
    const { pending, uploading } = queue.getStats();
    assertEquals([pending, uploading], [0, 0]);
  },
);

testOnEachEngine(
  "a queue whose files another process is just moving is opened when that is over",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("queue.db");
    new UploadQueue(path, { engine }).close();
    using lock = await ProcessLock.tryAcquire(dir.join("agent.lock"));
    assert(lock);
    const options = { lockPath: dir.join("agent.lock"), log() {}, engine };
    // A -wal cannot be read without its -shm.
    Deno.writeFileSync(`${path}-wal`, new Uint8Array(PAGE));
    Deno.symlinkSync(dir.join("nowhere/else"), `${path}-shm`);
    await assertRejects(
      () => openQueue(path, { ...options, patienceMs: 300 }),
      DatabaseError,
      "Cannot open the queue",
    );
    const opened = openQueue(path, options);
    Deno.removeSync(`${path}-shm`);
    (await opened).close();
    assertEquals(queuesSetAside(path), []);
  },
  // It can only wait for a lock, and here for longer than it has patience.
  { ignore: IS_OLDEST_DENO },
);

Deno.test("status and doctor name the damaged queues that were set aside", async () => {
  await using scene = new Scene("builtin");
  await scene.fill();
  scene.damage(() => new TextEncoder().encode("x".repeat(PAGE)));
  const args = ["--data-dir", scene.dir.path];
  const before = await runCli(["status", ...args]);
  assertEquals(before.code, 1);
  assertStringIncludes(
    before.stderr,
    'the queue is damaged (file is not a database): "jarvis-agent run" sets it aside when it starts, and so does "sync"',
  );
  (await scene.open()).close();
  const [name] = queuesSetAside(scene.path);
  const { stdout, stderr } = await runCli(["status", ...args]);
  assertStringIncludes(stdout, `is kept as "${name}"`, stderr);
  const doctor = await runCli(["doctor", ...args]);
  assertMatch(
    doctor.stdout,
    new RegExp(
      `^warning .*is kept as "${name}"; what to do: hand over again .* --no-copy`,
      "m",
    ),
  );
});

/** No database at all: nothing can be read of it. */
const spoil = () => new TextEncoder().encode("x".repeat(PAGE));

Deno.test("run sets a damaged queue aside by itself, and delivers what is in the spool", async () => {
  await using scene = new Scene("builtin");
  await scene.fill();
  scene.damage(spoil);
  await using received = new TempDir();
  await using server = new ReferenceServer({
    dir: received.path,
    fsync: false,
  });
  await using agent = startCli([
    "run",
    `--data-dir=${scene.dir.path}`,
    `--server=${server.url}`,
  ]);
  await agent.said(/error The queue ".*" is damaged: /);
  const isDelivered = () => {
    const keys = new Set(server.captures.map((one) => one.idempotencyKey));
    return scene.spooled.every((id) => keys.has(id));
  };
  await eventually("the spool is delivered", isDelivered);
  await agent.stop();
  assertEquals(Deno.readFileSync(scene.setAside), spoil());
});

Deno.test("damage that only a look at all of the queue finds is repaired by the next run", async () => {
  await using scene = new Scene("builtin");
  await scene.fill();
  scene.damage(spoilCaptures);
  await using agent = startCli([
    "run",
    `--data-dir=${scene.dir.path}`,
    "--server=http://127.0.0.1:9",
  ]);
  await agent.said(/kept as ".*": \d+ of its captures could be read/);
});

Deno.test("damage that only a look at all of the queue finds is repaired by the next sync", async () => {
  await using scene = new Scene("builtin");
  await scene.fill();
  scene.damage(spoilCaptures);
  const { code, stderr } = await runCli([
    "sync",
    `--data-dir=${scene.dir.path}`,
    "--server=http://127.0.0.1:9",
  ]);
  assertMatch(stderr, /kept as ".*": \d+ of its captures could be read/);
  assertEquals(code, 75, stderr);
});

for (const command of ["enqueue", "upload", "sync"]) {
  Deno.test(`${command} sets a damaged queue aside where no agent runs`, async () => {
    await using scene = new Scene("builtin");
    await using elsewhere = new TempDir();
    await scene.fill();
    scene.damage(spoil);
    const { code, stderr } = await runCli([
      command,
      `--data-dir=${scene.dir.path}`,
      ...command === "enqueue" ? [] : ["--server=http://127.0.0.1:9"],
      ...command === "sync" ? [] : [elsewhere.write("new.png", "bytes")],
    ]);
    assertMatch(stderr, /error The queue ".*" is damaged: /);
    assertEquals(code, command === "enqueue" ? 0 : 75, stderr);
    using queue = new UploadQueue(scene.path, { engine: "builtin" });
    const { pending } = queue.getStats();
    // What only the spool knows is for whoever delivers.
    assertEquals(pending, command === "sync" ? scene.spooled.length : 1);
    assertEquals(Deno.readFileSync(scene.setAside), spoil());
  });
}

Deno.test("enqueue leaves a damaged queue to the agent that runs, and says so", async () => {
  await using scene = new Scene("builtin");
  await scene.fill();
  scene.damage(spoil);
  using lock = await ProcessLock.tryAcquire(scene.lockPath);
  assert(lock);
  const file = scene.dir.write("new.png", "bytes");
  const { code, stderr } = await runCli([
    "enqueue",
    `--data-dir=${scene.dir.path}`,
    file,
  ]);
  assertEquals(code, 75);
  assertStringIncludes(stderr, "while its agent runs: it does so itself");
  assertEquals(queuesSetAside(scene.path), []);
});
