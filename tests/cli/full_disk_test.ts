import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { StatusReport } from "../../sync/monitor/status_report.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { SmallDisk } from "../chaos/small_disk.ts";
import { CaptureServer, created } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";

const canMount = await SmallDisk.canMount();

/** A host whose agent was killed in an outage, with three captures due, before its disk was filled. */
class Scene implements AsyncDisposable {
  readonly server: CaptureServer = new CaptureServer();
  readonly host: Host = new Host(this.server.url, {
    JARVIS_MIN_FREE_BYTES: "0",
  });
  disk!: SmallDisk;
  killedPid!: number;

  static async make(options: { reserve: boolean }): Promise<Scene> {
    const scene = new Scene();
    const { server, host } = scene;
    const dir = host.makeDir("disk");
    scene.disk = (await SmallDisk.mount(dir, 24))!;
    host.env.JARVIS_DATA_DIR = `${dir}/data`;
    server.answer = () => new Response(null, { status: 503 });
    const agent = await host.startAgent();
    await host.enqueue(...["a", "b", "c"].map((name) => host.write(name)));
    await agent.said("The server cannot be used");
    await host.suspend(agent);
    makeDue(`${dir}/data/queue.db`);
    agent.kill("SIGKILL");
    await agent.ended();
    scene.killedPid = agent.pid;
    const reserve = `${dir}/data/queue.db-reserve`;
    if (!options.reserve) await Deno.remove(reserve).catch(() => {});
    scene.disk.fill();
    server.answer = created;
    return scene;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disk[Symbol.asyncDispose]();
    await this.host[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

/** Has captures wait that are due at once, as after any outage that lasts. */
function makeDue(path: string): void {
  using queue = new UploadQueue(path);
  queue.recover();
  queue.retry(queue.captures().map(({ id }) => id).toArray());
  const what = { kind: "snooze", delayMs: 0, error: "HTTP 503" } as const;
  queue.complete(queue.claim(3).map(({ id }) => ({ id, ...what })));
}

function testOnFullDisk(name: string, fn: () => Promise<void>): void {
  const skipped = canMount ? "" : " (skipped: no disk can be mounted)";
  Deno.test({ name: name + skipped, ignore: !canMount, fn });
}

testOnFullDisk(
  "an agent that starts on a full disk without a reserve says so, waits, and ends when it is told to",
  async () => {
    await using scene = await Scene.make({ reserve: false });
    const { host, killedPid } = scene;
    await using agent = await host.startAgent();
    await agent.said("disk is full");
    const { agent: { running, pid } } = await host.json<StatusReport>("status");
    assert(running && pid !== killedPid, `process ${pid} runs`);
    const check = await host.run("status", "--check");
    assertEquals(check.code, 1);
    assertStringIncludes(check.stdout, "the disk is full (0 B left)");

    agent.kill("SIGTERM");
    let code: number | undefined;
    agent.ended().then((ended) => code = ended.code);
    await eventually("it ends", () => code !== undefined);
    assertEquals(code, 0);

    scene.disk.free();
    assertEquals((await host.run("sync")).code, 0);
    assertEquals((await host.status()).delivered, 3);
  },
);

testOnFullDisk(
  "an agent that starts on a small disk that is full delivers what waits",
  async () => {
    await using scene = await Scene.make({ reserve: true });
    await using _agent = await scene.host.startAgent();
    await eventually(
      "all are delivered",
      async () => (await scene.host.status()).delivered === 3,
    );
  },
);

testOnFullDisk(
  "somebody who makes room on a full disk by removing the -wal loses no capture",
  async () => {
    await using scene = await Scene.make({ reserve: true });
    const { host, disk, server } = scene;
    disk.free();
    server.answer = () => new Response(null, { status: 500 });
    await using agent = await host.startAgent();
    await host.run("enqueue", "--no-copy", host.write("d"));
    disk.fill();
    const queue = `${host.env.JARVIS_DATA_DIR}/queue.db`;
    for (const end of ["-wal", "-shm"]) Deno.removeSync(queue + end);
    // What it had is still taken, by the agent that has it open.
    disk.fill();
    assertEquals((await agent.ended()).code, 75);
    disk.free();
    server.answer = created;
    assertEquals((await host.run("sync")).code, 0);
    assertEquals((await host.status()).delivered, 4);
  },
);

testOnFullDisk(
  "export to a full disk leaves nothing behind, and says what to do",
  async () => {
    await using host = new Host();
    const metadata = ["--metadata", `v=${"1".repeat(10_000)}`];
    const ids = await host.enqueue(
      ...metadata,
      host.write("empty", ""),
      host.write("large", "x".repeat(100_000)),
    );
    const dir = host.makeDir("disk");
    await using disk = (await SmallDisk.mount(dir, 1))!;
    disk.fill();
    for (const out of [dir, `${dir}/new/out`]) {
      const { code, stdout, stderr } = await host.run("export", ...ids, out);
      assertEquals([code, stdout], [1, ""]);
      assertStringIncludes(stderr, `the disk of "${out}" is full: make room`);
      assertEquals([...Deno.readDirSync(dir)].map(({ name }) => name), [
        "ballast",
      ]);
    }
    disk.free();
    assertEquals((await host.run("export", ...ids, dir)).code, 0);
  },
);
