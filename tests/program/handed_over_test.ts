/** What makers do to their files after `enqueue`, while the server is away, and what arrives. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { CaptureServer, created, deadUrl } from "../helpers/capture_server.ts";
import { CuttingProxy } from "../helpers/cutting_proxy.ts";
import { eventually } from "../helpers/eventually.ts";
import { HeldAnswer } from "../helpers/held_answer.ts";
import { Host } from "../helpers/host.ts";

/** Plays a maker, then lets the server come back; returns what arrives, oldest first. */
async function arrivals(
  play: (host: Host) => Promise<void>,
): Promise<string[]> {
  await using host = new Host(deadUrl());
  await play(host);
  await using server = new CaptureServer();
  await host.run("sync", "--server", server.url);
  return server.uploads.map(({ bytes }) => new TextDecoder().decode(bytes))
    .sort();
}

Deno.test("a file that is overwritten and handed over again arrives twice, each as it was", async () => {
  const arrived = await arrivals(async (host) => {
    for (const frame of ["frame 1", "frame 2", "frame 3"]) {
      await host.enqueue(host.write("latest.jpg", frame));
    }
  });
  assertEquals(arrived, ["frame 1", "frame 2", "frame 3"]);
});

Deno.test("what is truncated, appended to, renamed or deleted after it was handed over arrives as it was", async () => {
  const arrived = await arrivals(async (host) => {
    const paths = ["truncated", "appended", "renamed", "deleted"]
      .map((name) => host.write(name));
    await host.enqueue(...paths);
    const [truncated, appended, renamed, deleted] = paths as [
      string,
      string,
      string,
      string,
    ];
    Deno.truncateSync(truncated);
    Deno.writeTextFileSync(appended, "more", { append: true });
    Deno.renameSync(renamed, `${renamed}.old`);
    Deno.removeSync(deleted);
  });
  assertEquals(arrived, ["appended", "deleted", "renamed", "truncated"]);
});

Deno.test("a file under two names that is handed over by both arrives as it was each time", async () => {
  const arrived = await arrivals(async (host) => {
    const path = host.write("a.png", "first");
    Deno.linkSync(path, host.join("b.png"));
    await host.enqueue(path);
    Deno.writeTextFileSync(path, "second");
    await host.enqueue(host.join("b.png"));
    Deno.writeTextFileSync(path, "third");
  });
  assertEquals(arrived, ["first", "second"]);
});

Deno.test("enqueue --move takes the file away, and what arrives is what it was", async () => {
  const arrived = await arrivals(async (host) => {
    const path = host.write("a.png", "first");
    await host.run("enqueue", "--move", path);
    await host.enqueue(host.write("a.png", "second"));
  });
  assertEquals(arrived, ["first", "second"]);
});

Deno.test("--move and --no-copy exclude each other", async () => {
  await using host = new Host();
  const path = host.write("a.png");
  const { code, stderr } = await host.run(
    "enqueue",
    "--move",
    "--no-copy",
    path,
  );
  assertEquals(code, 2);
  assertStringIncludes(stderr, "Cannot use --move and --no-copy at once");
});

Deno.test({
  name:
    "enqueue exits 75 for a file that goes on growing, and for one given away that somebody writes to",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using host = new Host();
    // So large that its maker has a turn while it is copied, on a busy machine too.
    const path = host.write("log", new Uint8Array(32 * 1024 * 1024));
    const script = `(while :; do echo more; done >> "${path}") & maker=$!
      "$@"; code=$?; kill $maker; exit $code`;
    for (const args of [[], ["--move"]]) {
      const { code } = await host.inShell(script, "enqueue", ...args, path);
      assertEquals(code, 75);
    }
  },
});

const CUT_OFF = "the end";

for (const way of ["is killed", "is cut off by the server"]) {
  Deno.test(
    `a file that is not copied is not sent with other bytes after an attempt that ${way}, be its size and time as before`,
    {
      ignore: Deno.build.os === "windows",
    },
    async () => {
      await using server = new CaptureServer();
      await using cutter = new CuttingProxy(server.port, CUT_OFF);
      using held = new HeldAnswer();
      server.answer = held.answer;
      const isKilled = way === "is killed";
      await using host = new Host(isKilled ? server.url : cutter.url);
      const write = (text: string) => {
        const path = host.write("a.bin", text.repeat(300_000) + CUT_OFF);
        Deno.utimeSync(path, 1_700_000_000, 1_700_000_000);
        return path;
      };
      const args = ["enqueue", "--no-copy", write("first ")];
      const id = (await host.run(...args)).stdout.trim();
      await using agent = await host.startAgent();
      const hasLeft = () =>
        isKilled ? server.uploads.length === 1 : cutter.cuts > 0;
      await eventually("it is sent", hasLeft);
      agent.kill("SIGKILL");
      await agent.ended();
      write("second");
      server.answer = created;
      await host.run("sync", "--server", server.url);
      const later = server.uploads.slice(isKilled ? 1 : 0);
      assertEquals(later.length, 0, "nothing more is sent");
      const [{ status, lastError }] = await host.json<
        [{ status: string; lastError: string }]
      >("list");
      assertEquals(status, "failed", id);
      assertStringIncludes(lastError, "was changed after it was handed over");
    },
  );
}
