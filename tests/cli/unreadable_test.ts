import { assertEquals, assertMatch } from "@std/assert";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";
import { AS_PLAIN_USER, HAS_PERMISSIONS } from "../helpers/plain_user.ts";

Deno.test(
  "status says how many watched files and folders cannot be read, until they can or are gone",
  { ignore: !HAS_PERMISSIONS },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url, { JARVIS_SETTLE: "0.1" });
    const watched = host.makeDir("watched");
    const closedFile = host.write("watched/closed.png");
    const closedFolder = host.makeDir("watched/closed");
    for (const path of [closedFile, closedFolder]) Deno.chmodSync(path, 0);
    host.through = AS_PLAIN_USER;
    await using _agent = await host.startAgent("--watch", watched);
    const unreadable = async () => (await host.status()).folders[0]?.unreadable;

    await eventually("both are told of", async () => await unreadable() === 2);
    const { folders, advice } = await host.status();
    const { path, reason } = folders[0]!.firstUnreadable!;
    assertEquals(advice, [
      `2 files and folders in the watched folder "${watched}" cannot be read, like "${path}": ${reason}: let this user read them, or leave them out with --exclude`,
    ]);

    Deno.removeSync(closedFolder);
    Deno.chmodSync(closedFile, 0o600);
    host.write("watched/closed.png");
    await eventually("neither is", async () => await unreadable() === 0);
    await eventually("it is delivered", () => server.names.length === 1);
    assertEquals((await host.status()).advice, []);
  },
);

Deno.test(
  "status counts files and folders whose names are not UTF-8 as soon as they come, until they are renamed",
  { ignore: Deno.build.os !== "linux" },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url, { JARVIS_SETTLE: "0.1" });
    const watched = host.makeDir("watched");
    await using _agent = await host.startAgent("--watch", watched);
    const shell = (script: string) =>
      new Deno.Command("sh", { args: ["-c", script, watched] }).outputSync();
    const folder = `"$0/$(printf 'K\\374che')"`;
    const file = `"$0/$(printf 'T\\374r.png')"`;
    shell(`mkdir ${folder}; touch ${file}`);
    const unreadable = async () => (await host.status()).folders[0]?.unreadable;
    await eventually("both are told of", async () => await unreadable() === 2);
    const [advice] = (await host.status()).advice;
    assertMatch(advice!, /like ".*": its name is not valid UTF-8: rename it/);
    shell(`mv ${file} "$0/Tür.png"; rmdir ${folder}`);
    await eventually("neither is", async () => await unreadable() === 0);
    await eventually("it is delivered", () => server.names.length === 1);
  },
);

Deno.test(
  "a capture waits while its sidecar cannot be read, which status tells of, and goes with it then",
  { ignore: !HAS_PERMISSIONS },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url, { JARVIS_SETTLE: "0.1" });
    const watched = host.makeDir("watched");
    const sidecar = host.write("watched/a.png.json", '{"door": 3}');
    Deno.chmodSync(sidecar, 0);
    const capture = host.write("watched/a.png");
    host.through = AS_PLAIN_USER;
    const args = ["--watch", watched, "--after-upload", "delete"];
    await using agent = await host.startAgent(...args);
    await agent.said(`Cannot read "${capture}" or its metadata, will try ag`);
    await eventually("status tells of it", async () => {
      const { folders } = await host.status();
      return folders[0]?.unreadable === 1 &&
        folders[0].firstUnreadable!.path === capture;
    });
    assertEquals(server.uploads.length, 0);
    assertEquals(Deno.readTextFileSync(capture), "watched/a.png");

    Deno.chmodSync(sidecar, 0o600);
    host.write("watched/a.png.json", '{"door": 3}');
    await eventually("it arrives", () => server.uploads.length === 1);
    assertEquals(server.uploads[0]!.metadata.door, 3);
    await eventually("both are deleted", () => {
      return [...Deno.readDirSync(watched)].length === 0;
    });
  },
);

Deno.test(
  "status says how many delivered files cannot be deleted",
  { ignore: !HAS_PERMISSIONS },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url, { JARVIS_SETTLE: "0.1" });
    const watched = host.makeDir("watched");
    host.write("watched/closed/a.png");
    host.write("watched/closed/b.png");
    Deno.chmodSync(host.join("watched/closed"), 0o500);
    host.through = AS_PLAIN_USER;
    const args = ["--watch", watched, "--after-upload", "delete"];
    await using _agent = await host.startAgent(...args);
    const remaining = async () => (await host.status()).folders[0]?.remaining;

    await eventually("both are told of", async () => await remaining() === 2);
    const { folders, advice } = await host.status();
    const { path, reason } = folders[0]!.firstRemaining!;
    assertEquals(advice, [
      `2 delivered files in the watched folder "${watched}" cannot be deleted or moved, like "${path}": ${reason}: let this user write to the folder, or set --after-upload to keep`,
    ]);
  },
);
