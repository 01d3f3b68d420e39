/** A data directory in which nothing can be made any more, though its disk has room. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { StatusReport } from "../../sync/monitor/status_report.ts";
import { SmallDisk } from "../chaos/small_disk.ts";
import { CaptureServer, deadUrl } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";
import { canBeImmutable, Immutable } from "../helpers/immutable.ts";
import { failingDisk, LoopDisk } from "../helpers/loop_disk.ts";

const canMountSmall = await SmallDisk.canMount();
const canMountFailing = await LoopDisk.canMount(
  failingDisk(),
  (disk) => disk.fail(),
);

/** Expects that the verdict is this, and names the obstacle. */
async function assertTold(
  host: Host,
  { level, obstacle }: { level: string; obstacle: string },
): Promise<void> {
  const { verdict, advice } = await host.json<StatusReport>("status");
  assertEquals(verdict.level, level);
  assertStringIncludes(advice.join("\n"), obstacle);
  const { code } = await host.run("status", "--check");
  assertEquals(code, level === "failure" ? 2 : 1);
  assertStringIncludes((await host.run("doctor")).stdout, obstacle);
}

Deno.test(
  "a disk that turns read-only under an agent is told, and waited for",
  { ignore: !canMountFailing },
  async () => {
    await using host = new Host(deadUrl(), { JARVIS_MIN_FREE_BYTES: "0" });
    await using disk = (await LoopDisk.mount(failingDisk()))!;
    host.env.JARVIS_DATA_DIR = `${disk.path}/data`;
    await using agent = await host.watch();
    await host.enqueue(host.write("queued"));
    await agent.said("The server cannot be used");
    await disk.fail();
    host.write("in/late.png");
    await agent.said("Cannot take over watched files");
    await agent.said("Waiting for the queue");
    await assertTold(host, { level: "failure", obstacle: "(EROFS)" });
    assertEquals((await host.json<StatusReport>("status")).agent.running, true);
  },
);

Deno.test(
  "a disk without inodes is told, and commands that need one end with 75",
  { ignore: !canMountSmall },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url, { JARVIS_MIN_FREE_BYTES: "0" });
    const dir = host.makeDir("disk");
    await using disk = (await SmallDisk.mount(dir, 24, { inodes: 64 }))!;
    host.env.JARVIS_DATA_DIR = `${dir}/data`;
    await using _agent = await host.watch();
    const fillers = disk.useInodes();
    host.write("in/late.png");
    for (const name of ["enqueue", "upload"]) {
      const { code, stderr } = await host.run(name, host.write("a"));
      assertEquals(code, 75, stderr);
      assertStringIncludes(stderr, "df -i");
    }
    await assertTold(host, { level: "warning", obstacle: "(ENOSPC)" });
    fillers.forEach((path) => Deno.removeSync(path));
    await eventually("it is taken", () => server.names.includes("late.png"));
  },
);

Deno.test(
  "a spool in which nothing can be made is told",
  { ignore: !canBeImmutable() },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    await using _agent = await host.watch();
    using _immutable = new Immutable(`${host.dataDir}/spool`);
    const { code, stderr } = await host.run("enqueue", host.write("a"));
    assertEquals(code, 1);
    assertStringIncludes(stderr, "chattr -i");
    await assertTold(host, { level: "warning", obstacle: "(EPERM)" });
  },
);
