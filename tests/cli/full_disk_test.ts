import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { StatusReport } from "../../sync/monitor/status_report.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { SmallDisk } from "../chaos/small_disk.ts";
import { CaptureServer, created } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";

const canMount = await SmallDisk.canMount();

Deno.test({
  name:
    `an agent that starts on a full disk without a reserve says so, waits, and ends when it is told to${
      canMount ? "" : " (skipped: no disk can be mounted)"
    }`,
  ignore: !canMount,
  async fn() {
    await using server = new CaptureServer();
    await using host = new Host(server.url, { JARVIS_MIN_FREE_BYTES: "0" });
    await using disk = (await SmallDisk.mount(host.makeDir("disk"), 24))!;
    host.env.JARVIS_DATA_DIR = `${disk.path}/data`;
    server.answer = () => new Response(null, { status: 503 });
    const killed = await host.startAgent();
    for (const name of ["a", "b", "c"]) await host.enqueue(host.write(name));
    await killed.said("The server cannot be used");
    killed.kill("SIGSTOP");
    {
      using queue = new UploadQueue(`${host.env.JARVIS_DATA_DIR}/queue.db`);
      queue.recover();
      queue.retry("all");
      // Due at once, as after any outage that lasts.
      queue.complete(
        queue.claim(3).map(({ id }) => ({
          id,
          kind: "snooze",
          delayMs: 0,
          error: "HTTP 503",
        })),
      );
    }
    killed.kill("SIGKILL");
    await killed.ended();
    await Deno.remove(`${host.env.JARVIS_DATA_DIR}/queue.db-reserve`)
      .catch(() => {});
    disk.fill();
    server.answer = created;

    const agent = await host.startAgent();
    await agent.said("disk is full");
    const { agent: { running, pid } } = await host.json<StatusReport>("status");
    assert(running && pid !== killed.pid, `process ${pid} runs`);
    const check = await host.run("status", "--check");
    assertEquals(check.code, 1);
    assertStringIncludes(check.stdout, "the disk is full (0 B left)");

    agent.kill("SIGTERM");
    let code: number | undefined;
    agent.ended().then((ended) => code = ended.code);
    await eventually("it ends", () => code !== undefined);

    assertEquals(code, 0);

    disk.free();
    assertEquals((await host.run("sync")).code, 0);
    assertEquals((await host.status()).delivered, 3);
  },
});
