/** Watched files that are too large to be copied, and what is handed over with `--no-copy`. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { openDatabase } from "../../sync/queue/sqlite.ts";
import { CaptureServer } from "../helpers/capture_server.ts";
import type { RunningCli } from "../helpers/cli.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";

interface Listed {
  id: string;
  filepath: string;
  status: string;
  lastError: string | null;
}

const list = (host: Host) => host.json<Listed[]>("list");

/** What has arrived, by name, sorted. */
function arrived(server: CaptureServer): string[] {
  return server.uploads
    .map(({ filename, bytes }) =>
      `${filename}: ${new TextDecoder().decode(bytes)}`
    ).sort();
}

/** Starts an agent that copies nothing; what a test writes into `in` then waits there. */
async function watch(host: Host, ...args: string[]): Promise<RunningCli> {
  const agent = await host.watch("--copy-up-to=1", ...args);
  await host.run("pause");
  return agent;
}

const queued = (host: Host, count = 1) =>
  eventually(`${count} wait`, async () => {
    return (await host.status()).pending === count;
  });

for (const [what, moved] of [["file", "in/day/a.raw"], ["folder", "in/day"]]) {
  for (const by of ["the agent", "sync"]) {
    Deno.test({
      name:
        `a watched file is not sent through a link that has taken its place, nor exported (${what}, ${by})`,
      ignore: Deno.build.os === "windows",
      fn: async () => {
        await using server = new CaptureServer();
        await using host = new Host(server.url);
        await using agent = await watch(host);
        host.write("in/day/a.raw", "private by now");
        await queued(host);
        if (by === "sync") await agent.stop();
        const path = host.join(moved!);
        Deno.renameSync(path, host.join("elsewhere"));
        Deno.symlinkSync(host.join("elsewhere"), path);
        await host.run("resume");
        // At the first time it might be found under another name yet.
        await eventually("it fails", async () => {
          await host.run("sync");
          return (await host.status()).failed === 1;
        });
        const [{ lastError }] = await list(host) as [Listed];
        assertStringIncludes(lastError!, "link");
        const exported = await host.run("export", "--failed", host.join("out"));
        assertEquals([exported.code, exported.stdout], [1, ""]);
        Deno.removeSync(path);
        Deno.renameSync(host.join("elsewhere"), path);
        assertEquals(server.uploads.length, 0);
        await host.run("retry", "--failed");
        assertEquals((await host.run("sync")).code, 0);
        assertEquals(server.uploads.length, 1);
      },
    });
  }
}

Deno.test("a watched file waits while its folder is away, and is delivered when that is back", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await using agent = await watch(host);
  host.write("in/a.raw", "frame 1");
  await queued(host);
  Deno.renameSync(host.join("in"), host.join("away"));
  await host.run("resume");
  await eventually("it was tried", async () => {
    return (await list(host))[0]!.lastError !== null;
  });
  const [{ status, lastError }] = await list(host) as [Listed];
  assertEquals(status, "pending");
  assertStringIncludes(lastError!, "its watched folder is missing");
  // It would wait for minutes now.
  await host.run("sync");
  await host.run("sync");
  Deno.renameSync(host.join("away"), host.join("in"));
  await eventually("it arrives", () => server.uploads.length === 1);
  await agent.stop();
});

Deno.test({
  name:
    "of a file that was handed over with --no-copy only the very same is sent through a link that takes its place later",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    for (const name of ["same.raw", "other.raw"]) {
      host.write(name, `bytes of ${name}`);
      assertEquals(
        (await host.run("enqueue", "--no-copy", host.join(name))).code,
        0,
      );
      Deno.renameSync(host.join(name), host.join(`moved ${name}`));
    }
    const { mtime } = Deno.statSync(host.join("moved other.raw"));
    const secret = host.write("secret", "SECRET of othe.raw");
    Deno.utimeSync(secret, mtime!, mtime!);
    Deno.symlinkSync(host.join("moved same.raw"), host.join("same.raw"));
    Deno.symlinkSync(secret, host.join("other.raw"));
    assertEquals((await host.run("sync")).code, 1);
    assertEquals(arrived(server), ["same.raw: bytes of same.raw"]);
    const [{ filepath, lastError }] = await list(host) as [Listed];
    assertEquals(filepath, host.join("other.raw"));
    assertStringIncludes(lastError!, "changed after it was handed over");
  },
});

for (const how of ["--no-copy", "watched"]) {
  // What is handed over is read at once, what is watched when it is sent.
  for (const isRead of how === "watched" ? [false, true] : [true]) {
    Deno.test(`export refuses a file without a copy that was changed after it was handed over (${how}, ${isRead ? "its content" : "its identity"} is known)`, async () => {
      await using server = new CaptureServer();
      server.answer = () => new Response(null, { status: 401 });
      await using host = new Host(server.url);
      const names = ["other", "same size", "made anew", "same"];
      const paths = names.map((name) => host.join(`in/${name}`));
      await using agent = how === "watched" ? await watch(host) : undefined;
      for (const name of names) host.write(`in/${name}`, `1st of ${name}`);
      if (agent) await queued(host, names.length);
      else await host.enqueue("--no-copy", ...paths);
      await agent?.stop();
      if (how === "watched" && isRead) {
        // Whatever is sent is read, and its hash is known from then on.
        await host.run("resume");
        await eventually("each was tried", async () => {
          await host.run("sync");
          return (await list(host)).every(({ lastError }) => lastError);
        });
      }
      const { mtime } = Deno.statSync(paths[1]!);
      Deno.writeTextFileSync(paths[0]!, "other");
      Deno.writeTextFileSync(paths[1]!, "2nd of same size");
      if (isRead) Deno.utimeSync(paths[1]!, mtime!, mtime!);
      Deno.renameSync(paths[2]!, host.join("aside"));
      Deno.copyFileSync(host.join("aside"), paths[2]!);
      const listed = await list(host);
      const ids = paths.map((path) =>
        listed.find(({ filepath }) => filepath === path)!.id
      );
      const out = host.join("out");
      const { code, stdout, stderr } = await host.run("export", ...ids, out);
      const taken = names.slice(isRead ? 2 : 3);
      assertEquals(
        [code, stdout],
        [1, taken.map((name) => `${out}/${name}\n`).join("")],
      );
      assertEquals(
        stderr.match(/ it was changed after it was handed over$/gm)?.length,
        names.length - taken.length,
        stderr,
      );
      assertEquals([...Deno.readDirSync(out)].length, 2 * taken.length);
    });
  }
}

for (const size of [10, 2 * 1024 * 1024]) {
  Deno.test(`a file that was handed over with --no-copy is not sent after it was written over with its old size and time (${size} bytes)`, async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const path = host.write("in/frame.raw", "1".repeat(size));
    await host.enqueue("--no-copy", path);
    const { mtime } = Deno.statSync(path);
    Deno.writeTextFileSync(path, "2".repeat(size));
    Deno.utimeSync(path, mtime!, mtime!);
    await host.run("sync");
    assertEquals(arrived(server), []);
    const [{ status, lastError }] = await list(host) as [Listed];
    assertEquals(status, "failed");
    assertStringIncludes(lastError!, "changed");
  });
}

/** Exchanges the names of two files or folders. */
function exchange(host: Host, one: string, other: string): void {
  Deno.renameSync(host.join(one), host.join("aside"));
  Deno.renameSync(host.join(other), host.join(one));
  Deno.renameSync(host.join("aside"), host.join(other));
}

for (const runs of [true, false]) {
  for (const limit of ["--copy-up-to=1", "--max-spool-bytes=1"]) {
    Deno.test(
      `captures without a copy go where their files go whose names are exchanged while ${
        runs ? "an" : "no"
      } agent runs (${limit})`,
      async () => {
        await using server = new CaptureServer();
        await using host = new Host(server.url);
        const names = ["1.raw", "two.raw", "x/a.raw", "other/a.raw"];
        let agent = await host.watch(limit);
        await host.run("pause");
        for (const name of names) host.write(`in/${name}`, `bytes of ${name}`);
        await queued(host, names.length);
        if (!runs) await agent.stop();
        exchange(host, "in/1.raw", "in/two.raw");
        exchange(host, "in/x", "in/other");
        await host.run("resume");
        if (!runs) agent = await host.watch(limit);
        await using _running = agent;
        await eventually("all arrive", () => server.uploads.length === 4);
        await agent.stop();
        assertEquals(arrived(server), [
          "1.raw: bytes of 1.raw",
          "a.raw: bytes of other/a.raw",
          "a.raw: bytes of x/a.raw",
          "two.raw: bytes of two.raw",
        ]);
        assertEquals(await list(host), []);
        assertEquals(agent.stderr.includes(" error "), false, agent.stderr);
      },
    );
  }
}

for (const after of ["keep", "delete"]) {
  Deno.test(`the loss of a version that was overwritten before it was sent is told for a day, and asks for nothing then (${after})`, async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    await using agent = await watch(host, `--after-upload=${after}`);
    host.write("in/a.log", "version 1");
    await queued(host, 1);
    host.write("in/a.log", "version two");
    await queued(host, 2);
    await host.run("resume");
    // At the first time it might be found under another name yet.
    await eventually("it is told", async () => {
      await host.run("sync");
      return (await host.status()).failed === 1;
    });
    await agent.said("failed and is kept for a day");
    assertEquals(arrived(server), ["a.log: version two"]);
    const [{ id, lastError }] = await list(host) as [Listed];
    assertStringIncludes(
      lastError!,
      "it was overwritten, or touched, before it was",
    );
    assertStringIncludes(
      (await host.run("show", id)).stdout,
      "it is forgotten",
    );
    assertEquals((await host.run("status", "--check")).code, 1);
    await agent.stop();
    {
      using database = openDatabase(`${host.dataDir}/queue.db`);
      database.exec(
        "UPDATE captures SET last_attempt = last_attempt - 86400000",
      );
    }
    await using later = await watch(host);
    await later.said("1 capture that failed a day ago");
    await host.run("resume");
    assertEquals((await host.run("status", "--check")).code, 0);
    assertEquals(await list(host), []);
    await later.stop();
  });
}
