/** A queue whose first page is damaged, with SQLite's header and the root of the schema. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { queuesSetAside } from "../../../sync/queue/side_files.ts";
import { openQueue } from "../../../sync/queue/repair/open_queue.ts";
import { UploadQueue } from "../../../sync/queue/queue.ts";
import { type Engine, openDatabase } from "../../../sync/queue/sqlite.ts";
import { IS_OLDEST_DENO } from "../../helpers/deno_version.ts";
import { testOnEachEngine } from "../../helpers/engines.ts";
import { FIRST_DESIGN, makeByConnection } from "../../helpers/first_design.ts";
import { START_MS } from "../../helpers/queue_fixture.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

const PAGE = 4096;
/** How many bytes are overwritten, from the first one. */
const LENGTHS = [16, 100, 300, PAGE];
const FILLERS = [0x00, 0xa5, 0xff];

/** A queue of thousands of rows, and what is in it. */
class Scene implements AsyncDisposable {
  readonly dir = new TempDir();
  readonly path: string = this.dir.join("queue.db");
  readonly engine: Engine;
  readonly logged: string[] = [];

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** Adds captures of each kind; returns all that the queue has. */
  fill(count: number) {
    using queue = new UploadQueue(this.path, { engine: this.engine });
    const ids = queue.enqueueMany(Array.from({ length: count }, (_, n) => ({
      filepath: `/captures/${n}`,
      metadataJson: JSON.stringify({ n, note: "x".repeat(n % 200) }),
      identity: { size: n, mtimeMs: START_MS },
      watched: n % 2 === 0,
    })));
    queue.complete(
      ids.slice(0, count / 4).map((id) => ({ id, kind: "delivered" })),
    );
    queue.markFailed(ids.at(-1)!, "HTTP 500");
    queue.pause(null);
    // Until it ends as it should.
    queue.setAgentState({ ...queue.getAgentState(), pid: 1 });
    return contentOf(queue);
  }

  /** Overwrites the beginning of the file; returns what it is then. */
  damage(length: number, filler = 0xa5, at = 0): Uint8Array {
    const bytes = Deno.readFileSync(this.path);
    Deno.writeFileSync(this.path, bytes.fill(filler, at, at + length));
    return bytes;
  }

  open(): Promise<UploadQueue> {
    return openQueue(this.path, {
      engine: this.engine,
      lockPath: this.dir.join("agent.lock"),
      log: (_level, message) => this.logged.push(message),
    });
  }

  /** The name of the one queue that was set aside. */
  get setAside(): string {
    const names = queuesSetAside(this.path);
    assertEquals(names.length, 1, `${names}`);
    return names[0]!;
  }

  /** Asserts that all is there, that the damaged file is as it was, and nothing else is left. */
  async assertRepaired(
    expected: ReturnType<typeof contentOf>,
    damaged: Uint8Array,
  ): Promise<void> {
    using queue = await this.open();
    assertEquals(contentOf(queue), expected);
    assertEquals(queue.findDamage(), null);
    assertMatch(this.setAside, /^queue\.db\.corrupt-\w+Z$/);
    assertEquals(Deno.readFileSync(this.dir.join(this.setAside)), damaged);
    const left = [...Deno.readDirSync(this.dir.path)].map(({ name }) => name)
      .filter((name) =>
        !/^(agent\.lock|queue\.db(-.*|\.corrupt.*)?)$/.test(name)
      );
    assertEquals(left, []);
    for (const name of Deno.readDirSync(this.dir.path)) {
      if (name.name.includes("corrupt")) {
        Deno.removeSync(this.dir.join(name.name));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dir[Symbol.asyncDispose]();
  }
}

/** All that a repair has to keep. */
function contentOf(queue: UploadQueue) {
  return {
    captures: queue.captures().toArray(),
    stats: queue.getStats(),
    deliveries: [...queue.deliveries()],
    pause: queue.getPause(),
    known: queue.knownWatched(
      Array.from({ length: 40 }, (_, n) => ({
        path: `/captures/${n}`,
        identity: { size: n, mtimeMs: START_MS },
      })),
    ),
  };
}

for (const length of LENGTHS) {
  testOnEachEngine(
    `a queue whose first ${length} bytes are damaged loses nothing`,
    async (engine) => {
      await using scene = new Scene(engine);
      const expected = scene.fill(2000);
      const sound = Deno.readFileSync(scene.path);
      for (const filler of FILLERS) {
        Deno.writeFileSync(scene.path, sound);
        const damaged = scene.damage(length, filler);
        await scene.assertRepaired(expected, damaged);
      }
    },
  );
}

testOnEachEngine(
  "a queue whose first page is damaged behind a sound header loses nothing",
  async (engine) => {
    await using scene = new Scene(engine);
    const expected = scene.fill(1000);
    const sound = Deno.readFileSync(scene.path);
    for (const length of [12, 200, PAGE - 100]) {
      for (const filler of FILLERS) {
        Deno.writeFileSync(scene.path, sound);
        const damaged = scene.damage(length, filler, 100);
        await scene.assertRepaired(expected, damaged);
      }
    }
  },
);

testOnEachEngine(
  "a queue that was migrated from the first design, and lost its first page, loses nothing",
  async (engine) => {
    for (const rows of [1, 1500]) {
      await using scene = new Scene(engine);
      makeByConnection({ path: scene.path, rows: oldRows(rows) }, engine);
      const expected = scene.fill(1000);
      assert(expected.captures.length > rows);
      for (const length of [300, PAGE]) {
        const sound = Deno.readFileSync(scene.path);
        const damaged = scene.damage(length);
        await scene.assertRepaired(expected, damaged);
        Deno.writeFileSync(scene.path, sound);
      }
    }
  },
);

testOnEachEngine(
  "a queue that another program has vacuumed, and lost its first page, loses nothing",
  async (engine) => {
    await using scene = new Scene(engine);
    makeByConnection({ path: scene.path, rows: oldRows(500) }, engine);
    const expected = scene.fill(1000);
    const before = rootsOf(scene);
    {
      using database = openDatabase(scene.path, { engine });
      database.exec("VACUUM");
    }
    assert(rootsOf(scene) !== before);
    const damaged = scene.damage(PAGE);
    await scene.assertRepaired(expected, damaged);
  },
  // Its SQLite cannot vacuum.
  { ignore: IS_OLDEST_DENO },
);

testOnEachEngine(
  "what is in the -wal of a queue that lost its first page is copied too",
  async (engine) => {
    await using scene = new Scene(engine);
    scene.fill(1000);
    const wal = `${scene.path}-wal`;
    let expected, bytes;
    {
      using queue = new UploadQueue(scene.path, { engine });
      queue.retry(queue.captures().toArray().map(({ id }) => id));
      queue.pause(Date.now() + 1e7);
      expected = contentOf(queue);
      bytes = [Deno.readFileSync(scene.path), Deno.readFileSync(wal)] as const;
    }
    Deno.writeFileSync(scene.path, bytes[0]);
    Deno.writeFileSync(wal, bytes[1]);
    const damaged = scene.damage(PAGE);
    await scene.assertRepaired(expected, damaged);
  },
);

testOnEachEngine(
  "a first design's queue that lost its header loses nothing",
  async (engine) => {
    for (const length of [16, 100]) {
      await using scene = new Scene(engine);
      makeByConnection({ path: scene.path, rows: oldRows(300) }, engine);
      scene.damage(length);
      using queue = await scene.open();
      assertEquals(queue.getStats().pending, 300);
      assertEquals(queue.get("old 7")?.filepath, "/old/7");
    }
  },
);

testOnEachEngine(
  "of a queue with other tables nothing is taken for captures once it lost its first page",
  async (engine) => {
    await using scene = new Scene(engine);
    {
      using database = openDatabase(scene.path, { engine });
      database.exec(`${FIRST_DESIGN};
        CREATE TABLE captures (server_id TEXT, id TEXT, filepath TEXT);
        CREATE TABLE delivered (id TEXT, filepath TEXT, delivered_at INTEGER, more TEXT)`);
      database.exec(
        `WITH n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 500)
        INSERT INTO captures SELECT 'CREATE TABLE captures ' || n, n, n FROM n`,
      );
    }
    scene.damage(PAGE);
    using queue = await scene.open();
    const { captures, stats } = contentOf(queue);
    assertEquals(captures, []);
    assertEquals(stats.delivered, 0);
    assertMatch(scene.setAside, /-incomplete$/);
  },
);

testOnEachEngine(
  "what may be missing is said of a queue of which nothing is left",
  async (engine) => {
    await using scene = new Scene(engine);
    scene.fill(100);
    Deno.writeFileSync(scene.path, Deno.readFileSync(scene.path).slice(0, 200));
    (await scene.open()).close();
    assertMatch(scene.setAside, /-incomplete$/);
    assertMatch(
      scene.logged.at(-1)!,
      /: 0 of its captures .*; not all could be read: those handed over with --no-copy, or larger than --copy-up-to, may be missing and have to be handed over again$/,
    );
  },
);

function oldRows(count: number) {
  return Array.from({ length: count }, (_, n) => [
    `old ${n}`,
    `/old/${n}`,
    JSON.stringify({ note: "x".repeat(100) }),
    "2026-02-27T09:00:00",
    0,
    null,
    "pending",
  ]);
}

function rootsOf({ path, engine }: Scene): string {
  using database = openDatabase(path, { engine });
  return JSON.stringify(
    database.prepare("SELECT name, rootpage FROM sqlite_schema").all(),
  );
}
