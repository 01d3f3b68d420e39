import { assert, assertEquals, assertThrows } from "@std/assert";
import { ReferenceServer } from "../../scripts/server/reference_server.ts";
import { SyncAgent } from "../../sync/agent/agent.ts";
import type { Engine } from "../../sync/queue/sqlite.ts";
import { DatabaseError } from "../../sync/queue/sqlite.ts";
import { Intake } from "../../sync/spool/intake.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { Ballast } from "../../sync/queue/ballast.ts";
import { Spool } from "../../sync/spool/spool.ts";
import { CaptureUploader } from "../../sync/upload/uploader.ts";
import { SmallDisk } from "../chaos/small_disk.ts";
import { ENGINES } from "../helpers/engines.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const MIB = 1024 * 1024;
const RESERVE_BYTES = 8 * MIB;

const canMount = await SmallDisk.canMount();

/** A data directory on a disk of 48 MiB. */
class Scene implements AsyncDisposable {
  readonly #dir: string;
  readonly disk: SmallDisk;
  readonly dataDir: string;
  readonly path: string;
  readonly #engine: Engine;

  private constructor(dir: string, disk: SmallDisk, engine: Engine) {
    this.#dir = dir;
    this.disk = disk;
    this.dataDir = `${dir}/jarvis`;
    this.path = `${this.dataDir}/queue.db`;
    this.#engine = engine;
  }

  static async make(engine: Engine): Promise<Scene> {
    const dir = Deno.makeTempDirSync({ prefix: "jarvis-test-" });
    return new Scene(dir, (await SmallDisk.mount(dir, 48))!, engine);
  }

  open(reserveBytes = RESERVE_BYTES): UploadQueue {
    return new UploadQueue(this.path, { engine: this.#engine, reserveBytes });
  }

  /** How much room is kept, in bytes. */
  get reserved(): number {
    try {
      return Deno.statSync(`${this.path}-reserve`).size;
    } catch {
      return 0;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disk[Symbol.asyncDispose]();
    Deno.removeSync(this.#dir, { recursive: true });
  }
}

function testOnSmallDisk(
  name: string,
  body: (scene: Scene) => void | Promise<void>,
): void {
  for (const engine of ENGINES) {
    Deno.test({
      name: canMount
        ? `${name} (${engine})`
        : `${name} (${engine}; skipped: no disk can be mounted)`,
      ignore: !canMount,
      async fn() {
        await using scene = await Scene.make(engine);
        await body(scene);
      },
    });
  }
}

const FILE = {
  filepath: "/captures/x",
  metadataJson: JSON.stringify({ note: "x".repeat(500) }),
};

Deno.test("Ballast.take() takes the room once, for its user alone", async () => {
  await using dir = new TempDir();
  const path = dir.join("reserve");
  new Ballast(path, 100_000).take();
  const { size, mode } = Deno.statSync(path);
  assert(size >= 100_000);
  const bytes = Deno.readFileSync(path);
  if (Deno.build.os !== "windows") assertEquals(mode! & 0o777, 0o600);
  new Ballast(path, 100_000).take();
  const after = Deno.readFileSync(path);
  assert(bytes.every((byte, at) => after[at] === byte), "written again");
});

Deno.test("Ballast.drop() gives the room back, and does not take it again at once", async () => {
  await using dir = new TempDir();
  const path = dir.join("reserve");
  const ballast = new Ballast(path, 100_000);
  assert(!ballast.drop());
  new Ballast(path, 100_000).take();
  assert(ballast.drop());
  assert(!ballast.drop());
  ballast.take();
  assertEquals([...Deno.readDirSync(dir.path)], []);
});

testOnSmallDisk(
  "less room is reserved on a small disk, and none where hardly any is left",
  (scene) => {
    {
      using _queue = scene.open(16 * MIB);
      assert(scene.reserved >= 11 * MIB && scene.reserved <= 12 * MIB);
    }
    Deno.removeSync(`${scene.path}-reserve`);
    scene.disk.fill();
    const filling = `${scene.disk.path}/ballast`;
    Deno.truncateSync(filling, Deno.statSync(filling).size - 3 * MIB);
    using _queue = scene.open(16 * MIB);
    assertEquals(scene.reserved, 0);
  },
);

testOnSmallDisk(
  "on a full disk captures are marked, settled, retried and removed, but not taken in",
  (scene) => {
    const first = scene.open();
    assert(scene.reserved >= RESERVE_BYTES);
    const ids = first.enqueueMany(Array.from({ length: 500 }, () => FILE));
    // With the last to close it, the -wal goes, and the room that it had.
    first.close();
    using queue = scene.open();
    scene.disk.fill();
    const error = assertThrows(
      () => queue.enqueueMany(Array.from({ length: 5000 }, () => FILE)),
      DatabaseError,
    );
    assertEquals(error.fault, "full");
    assert(scene.reserved > 0, "the reserve is not for what comes in");
    assertEquals(queue.getStats().pending, 500);
    // The first to need room needs little.
    queue.setAgentState({ ...queue.getAgentState(), serverState: "down" });
    // Far more is written than the disk, and the reserve, have room for.
    for (let round = 0; round < 20; round++) {
      // Whatever comes free, something else takes.
      scene.disk.fill();
      const claimed = queue.claim(100).map(({ id }) => id);
      assertEquals(claimed.length, 100);
      queue.complete(
        claimed.map((id) => ({ id, kind: "charge", error: "HTTP 500" })),
      );
      queue.makeAllDue();
    }
    queue.complete(ids.slice(0, 400).map((id) => ({ id, kind: "delivered" })));
    queue.markFailed(ids[400]!, "HTTP 500");
    queue.complete([{ id: ids[401]!, kind: "discard", error: "HTTP 422" }]);
    assertEquals(queue.retry(ids).length, 100);
    assertEquals(queue.remove(ids.slice(400, 450)).length, 50);
    assertEquals(queue.getStats(), {
      pending: 50,
      uploading: 0,
      failed: 0,
      delivered: 400,
    });
    assertEquals(scene.reserved, 0);
    assertEquals(queue.findDamage(), null);
  },
);

testOnSmallDisk(
  "on a full disk a queue can be opened, and what was in flight recovered",
  (scene) => {
    {
      using queue = scene.open();
      queue.enqueueMany(Array.from({ length: 100 }, () => FILE));
      queue.claim(100);
    }
    scene.disk.fill();
    {
      using queue = scene.open();
      assertEquals(queue.recover(), 100);
    }
    // As often as one likes; then something else takes what was given up.
    using queue = scene.open();
    scene.disk.fill();
    const claimed = queue.claim(100).map(({ id }) => id);
    queue.complete(claimed.map((id) => ({ id, kind: "delivered" })));
    assertEquals(queue.getStats().delivered, 100);
  },
);

testOnSmallDisk(
  "the room is taken again when the disk has plenty once more",
  (scene) => {
    scene.open().close();
    scene.disk.fill();
    scene.open().close();
    assertEquals(scene.reserved, 0);
    scene.disk.free();
    scene.open().close();
    assert(scene.reserved >= RESERVE_BYTES);
  },
);

testOnSmallDisk(
  "a full disk does not keep the agent from delivering everything",
  async (scene) => {
    await using elsewhere = new TempDir();
    await using server = new ReferenceServer({
      dir: elsewhere.join("received"),
      fsync: false,
    });
    {
      using queue = scene.open();
      using spool = new Spool(`${scene.dataDir}/spool`);
      const intake = new Intake(queue, spool, { minFreeBytes: 0 });
      for (let n = 0; n < 150; n++) {
        const path = elsewhere.write(`${n}.png`, `bytes of ${n}`);
        await intake.add(path, JSON.stringify({ note: "x".repeat(2000) }));
      }
      queue.claim(3);
    }
    scene.disk.fill();
    using queue = scene.open();
    const spool = new Spool(`${scene.dataDir}/spool`);
    await using uploader = new CaptureUploader(server.url, { maxRetries: 1 });
    const agent = new SyncAgent({
      queue,
      uploader,
      spool,
      onDelivered: () => {
        // Whatever comes free, something else takes.
        if (queue.getStats().delivered % 5 === 0) scene.disk.fill();
      },
    });
    const report = await agent.runOnce();
    assertEquals(report, { delivered: 150, failed: 0, postponed: 0 });
    assertEquals(server.captures.length, 150);
    assertEquals(queue.getStats().delivered, 150);
  },
);
