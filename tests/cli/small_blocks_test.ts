/** Disks that are almost full, and whose blocks are smaller than a page of memory. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";
import { failingDisk, LoopDisk } from "../helpers/loop_disk.ts";

const KIB = 1024;
const canMount = await LoopDisk.canMount(
  failingDisk(),
  (disk) => disk.fail(),
);

/** A host with a capture that waits, on a disk of which almost nothing is left. */
class Scene implements AsyncDisposable {
  readonly server: CaptureServer = new CaptureServer();
  readonly host: Host = new Host(this.server.url, {
    JARVIS_MIN_FREE_BYTES: "0",
  });
  disk!: LoopDisk;

  static async make(blockBytes = KIB, leftBytes = 23 * KIB): Promise<Scene> {
    const scene = new Scene();
    const { host } = scene;
    scene.disk = (await LoopDisk.mount(failingDisk(blockBytes)))!;
    host.env.JARVIS_DATA_DIR = `${scene.disk.path}/data`;
    await host.enqueue(host.write("a"));
    await scene.disk.fill(leftBytes);
    return scene;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disk[Symbol.asyncDispose]();
    await this.host[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

function testOnDisk(name: string, fn: () => Promise<void>): void {
  const skipped = canMount ? "" : " (skipped: no disk can be mounted)";
  Deno.test({ name: name + skipped, ignore: !canMount, fn });
}

for (const [blockBytes, kib] of [[1024, 17], [1024, 29], [2048, 28]] as const) {
  testOnDisk(
    `sync delivers what waits on a disk of ${blockBytes}-byte blocks with ${kib} KiB left`,
    async () => {
      await using scene = await Scene.make(blockBytes, kib * KIB);
      const { code, stderr } = await scene.host.run("sync");
      assertEquals(code, 0, stderr);
      assertEquals(scene.server.names, ["a"]);
    },
  );
}

testOnDisk(
  "an agent delivers what waits on a disk of small blocks that is almost full",
  async () => {
    await using scene = await Scene.make();
    const { host, server } = scene;
    await using _agent = await host.startAgent();
    await eventually("it is delivered", () => server.names.includes("a"));
  },
);

testOnDisk(
  "each command ends by itself on a disk of small blocks that is almost full",
  async () => {
    await using scene = await Scene.make(KIB, 9 * KIB);
    const { host } = scene;
    const status = await host.run("status");
    assertEquals(status.code, 0, status.stderr);
    assertStringIncludes(status.stdout, "1 pending");
    // Others take the reserve that it has given up.
    await scene.disk.fill(23 * KIB);
    for (const args of [["sync"], ["pause"], ["retry", "--all"]]) {
      const { code, stderr } = await host.run(...args);
      assertEquals(code, 75, stderr);
      assertStringIncludes(stderr, "the disk is full");
    }
    assertStringIncludes((await host.run("status")).stdout, "1 pending");
  },
);
