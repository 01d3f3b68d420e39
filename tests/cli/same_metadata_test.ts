/** What the server is told of a capture, at an attempt and at the next one. */
import { assert, assertEquals } from "@std/assert";
import { CaptureServer, created } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";
import { HAS_NAMESPACES } from "../helpers/watch_process.ts";

/** Starts a program on a host that is called `kiosk-7`. */
const ON_KIOSK = [
  ...["unshare", "-Ur", "--uts", "sh", "-c"],
  'echo kiosk-7 > /proc/sys/kernel/hostname && exec "$0" "$@"',
];

const comeAgain = () => new Response("stored, but come again", { status: 401 });

for (
  const how of ["enqueue", "enqueue --move", "enqueue --no-copy", "upload"]
) {
  Deno.test({
    name:
      `a capture is sent again with the name of the host and the time that it was handed over with (${how})`,
    ignore: !HAS_NAMESPACES,
    async fn() {
      await using server = new CaptureServer();
      await using host = new Host(server.url);
      const path = host.write("a.png", "bytes");
      const before = Deno.statSync(path).mtime!.toISOString();
      const touch = () => Deno.utimeSync(path, 1, 1);
      server.answer = () => {
        if (how !== "enqueue --move") touch();
        return comeAgain();
      };
      host.through = ON_KIOSK;
      await host.run(...how.split(" "), path);
      if (how !== "upload") await host.run("sync");
      host.through = [];
      server.answer = created;
      assertEquals((await host.run("sync")).code, 0);
      const [first, second] = server.uploads;
      assertEquals(server.uploads.length, 2);
      assert(first!.key === second!.key);
      const { hostname, timestamp } = first!.metadata;
      assertEquals([hostname, timestamp], ["kiosk-7", before]);
      const [a, b] = [first, second].map((one) =>
        JSON.stringify(one!.metadata)
      );
      assertEquals(a, b);
    },
  });
}

Deno.test("a watched file that is too large to be copied is sent again with the time that it was taken over with", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await using _agent = await host.watch("--copy-up-to=1");
  server.answer = () => {
    Deno.utimeSync(host.join("in/a.raw"), 1, 1);
    return comeAgain();
  };
  host.write("in/a.raw", "bytes");
  await eventually("it is sent", () => server.uploads.length > 0);
  server.answer = created;
  assertEquals((await host.run("sync")).code, 0);
  assert(server.uploads.length > 1);
  const told = server.uploads.map(({ key, metadata }) =>
    JSON.stringify({ key, metadata })
  );
  assertEquals(new Set(told).size, 1, told.join("\n"));
});

for (const limit of ["--copy-up-to=1", "--max-spool-bytes=1"]) {
  Deno.test(`a watched file without a copy that is renamed between two attempts is sent again by the name that it was taken over by (${limit})`, async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    await using _agent = await host.watch(limit);
    server.answer = () => {
      Deno.renameSync(host.join("in/a.raw"), host.join("in/b.raw"));
      server.answer = comeAgain;
      return comeAgain();
    };
    host.write("in/a.raw", "bytes");
    await eventually("it is found again", async () => {
      const [one] = await host.json<{ filepath: string }[]>("list");
      return one?.filepath === host.join("in/b.raw");
    });
    server.answer = created;
    assertEquals((await host.run("sync")).code, 0);
    assert(server.uploads.length > 1);
    const told = server.uploads.map(({ key, filename, metadata }) =>
      JSON.stringify({ key, filename, metadata })
    );
    assertEquals(new Set(told).size, 1, told.join("\n"));
  });
}

Deno.test("upload that is interrupted while its file changes queues the file as another capture", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const path = host.write("a.png", "first");
  const began = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  server.answer = async (upload) => {
    began.resolve();
    await over.promise;
    return created(upload);
  };
  await using upload = host.start("upload", path);
  await began.promise;
  host.write("a.png", "second, and longer");
  upload.kill("SIGINT");
  assertEquals((await upload.ended()).code, 75);
  over.resolve();
  assertEquals((await host.run("sync")).code, 0);
  const [first, second] = server.uploads.map(({ key }) => key);
  assert(second !== undefined && first !== second);
});
