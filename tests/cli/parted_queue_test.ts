import { assertEquals, assertStringIncludes } from "@std/assert";
import { CaptureServer, created, deadUrl } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { NotifySocket } from "../helpers/notify_socket.ts";
import { Host } from "../helpers/host.ts";

for (const ends of [["-wal", "-shm"], ["-wal"], ["-shm"]]) {
  Deno.test(
    `an agent whose ${
      ends.join(" and ")
    } was removed ends, to be started again, and nothing is lost`,
    {
      // An open file cannot be removed there.
      ignore: Deno.build.os === "windows",
    },
    async () => {
      await using server = new CaptureServer();
      server.answer = () => new Response(null, { status: 500 });
      await using host = new Host(server.url);
      await using agent = await host.startAgent();
      const handOver = async (name: string) =>
        await host.run("enqueue", "--no-copy", host.write(name));
      const before = await handOver("before");
      await eventually("it was tried", () => server.uploads.length > 0);
      for (const end of ends) {
        await Deno.remove(`${host.dataDir}/queue.db${end}`);
      }
      const after = await handOver("after");
      assertEquals(after.code, 0, after.stderr);
      const why = `queue.db${ends[0]}" was removed or replaced meanwhile`;
      await agent.said(why);
      assertEquals((await agent.ended()).code, 75);
      server.answer = created;
      const sync = await host.run("sync");
      assertEquals(sync.code, 0, sync.stderr);
      const history = await host.json<{ id: string }[]>("history");
      assertEquals(
        history.map(({ id }) => id).sort(),
        [before, after].map(({ stdout }) => stdout.trim()).sort(),
      );
    },
  );
}

Deno.test(
  "who hands a capture over while an agent with a removed -wal hangs is told to try again",
  {
    // An open file cannot be removed there.
    ignore: Deno.build.os === "windows",
  },
  async () => {
    await using host = new Host(deadUrl());
    await using agent = await host.startAgent();
    await host.enqueue(host.write("before"));
    await host.suspend(agent);
    await Deno.remove(`${host.dataDir}/queue.db-wal`);
    const { code, stderr } = await host.run("enqueue", host.write("after"));
    assertEquals(code, 75, stderr);
    assertStringIncludes(stderr, "its -wal was removed or replaced");
  },
);

Deno.test(
  "a service whose -wal was removed ends, for its manager to start it again",
  { ignore: Deno.build.os !== "linux" },
  async () => {
    await using manager = new NotifySocket();
    await using host = new Host(deadUrl(), { NOTIFY_SOCKET: manager.path });
    await using agent = await host.startAgent();
    await manager.told("READY=1");
    await Deno.remove(`${host.dataDir}/queue.db-wal`);
    let code: number | undefined;
    agent.ended().then((ended) => code = ended.code);
    await eventually("it ends", () => code !== undefined);
    assertEquals(code, 75);
  },
);
