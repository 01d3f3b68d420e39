import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { agentLockPath } from "../../sync/agent/agent_lock.ts";
import { ProcessLock } from "../../sync/host/lock.ts";
import type { StatusReport } from "../../sync/monitor/status_report.ts";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";

const ignore = Deno.build.os === "windows";
const NOBODY = "http://127.0.0.1:9";

Deno.test("status counts what is being sent as waiting, with its age and bytes", async () => {
  await using host = new Host(NOBODY);
  const [id] = await host.enqueue(
    host.write("a.png", "12345"),
    host.write("b.png", "123"),
  );
  using queue = host.queue();
  queue.markUploading(id!);
  const report = await host.json<StatusReport>("status");
  assertEquals(report.uploading, 1);
  assertEquals(report.waitingBytes, 8);
  assert(report.oldestPendingAgeSeconds !== null);
  queue.complete([{ id: id!, kind: "discard", error: "HTTP 422: no" }]);
  const after = await host.json<StatusReport>("status");
  assertEquals(after.waitingBytes, 3);
  assertEquals(after.failedByReason, [{ reason: "HTTP 422: no", count: 1 }]);
  queue.retry([id!]);
  assertEquals((await host.json<StatusReport>("status")).waitingBytes, 8);
});

Deno.test("status tells a rate while captures are delivered, and none in an outage or without an agent", async () => {
  await using host = new Host(NOBODY);
  await host.enqueue(host.write("a.png"), host.write("b.png"));
  using queue = host.queue();
  // As the agent that runs.
  const lock = await ProcessLock.tryAcquire(agentLockPath(queue.path));
  const [first] = queue.getPending();
  queue.markUploading(first!.id);
  queue.markCompleted(first!.id);
  const rateWhile = async (serverState: "ready" | "down") => {
    queue.setAgentState({ ...queue.getAgentState(), serverState });
    return (await host.json<StatusReport>("status")).rate;
  };
  assert(await rateWhile("ready"));
  assertEquals(await rateWhile("down"), null);
  lock![Symbol.dispose]();
  assertEquals(await rateWhile("ready"), null);
});

Deno.test("status says of an agent that makes no turn that it hangs", {
  ignore,
}, async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await using agent = await host.startAgent();
  const heartbeat = `${host.dataDir}/agent.heartbeat`;
  await eventually("it shows life", () => {
    try {
      return Date.now() - Deno.statSync(heartbeat).mtime!.getTime() < 10_000;
    } catch {
      return false;
    }
  });
  assertEquals((await host.run("status", "--check")).code, 0);
  await host.suspend(agent);
  const before = new Date(Date.now() - 31_000);
  Deno.utimeSync(heartbeat, before, before);
  const { code, stdout } = await host.run("status", "--check");
  assertEquals(code, 2);
  assertMatch(stdout, /^failure: the agent hangs/);
  const text = (await host.run("status")).stdout;
  assertStringIncludes(text, `process ${agent.pid}, hangs since `);
  assertStringIncludes(text, `"kill -CONT ${agent.pid}"`);
  agent.kill("SIGCONT");
  await eventually(
    "it is well again",
    async () => (await host.run("status", "--check")).code === 0,
  );
});

Deno.test("status refuses options that would have no effect together", async () => {
  await using host = new Host(NOBODY);
  for (
    const [args, expected] of [
      [["--max-age", "soon"], "expected --check with it"],
      [["--max-failed", "1"], "expected --check with it"],
      [["--check", "--json"], "expected one of them"],
    ] as const
  ) {
    const { code, stderr } = await host.run("status", ...args);
    assertEquals(code, 2);
    assertStringIncludes(stderr, expected);
  }
});

Deno.test("status --watch shows it again until it is told to stop", {
  ignore,
}, async () => {
  await using host = new Host(NOBODY);
  await host.enqueue(host.write("a.png"));
  await using watching = host.start("status", "--watch");
  await eventually(
    "it shows it twice",
    () => watching.stdout.split("1 pending").length > 2,
  );
  watching.kill("SIGINT");
  assertEquals((await watching.ended()).code, 0);
});

Deno.test(
  "status --follow ends when its reader has gone, or nothing can be written",
  {
    ignore: Deno.build.os !== "linux",
  },
  async () => {
    await using host = new Host(NOBODY);
    await host.enqueue(host.write("a.png"));
    const read = await host.inShell(
      '{ timeout 4 "$@"; echo "ended with $?" >&2; } | head -n 1',
      ...["status", "--follow"],
    );
    assertEquals(read.stderr, "ended with 0\n");
    assertEquals(read.stdout.split("\n").length, 2, read.stdout);
    const full = await host.inShell(
      'timeout 4 "$@" >/dev/full',
      ...["status", "--follow"],
    );
    assertEquals(full.code, 1);
    assertStringIncludes(
      full.stderr,
      "Cannot write to standard output: No space",
    );
  },
);
