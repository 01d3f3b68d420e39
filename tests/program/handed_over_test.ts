/** What makers do to their files after `enqueue`, while the server is away, and what arrives. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { CaptureServer, deadUrl } from "../helpers/capture_server.ts";
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
  assertStringIncludes(stderr, "Cannot use --move together with --no-copy");
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
