import { assertEquals } from "@std/assert";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";

/** Queues files one after the other, so that each is younger than those before. */
async function enqueue(host: Host, ...names: string[]): Promise<void> {
  for (const name of names) await host.enqueue(host.write(name));
}

Deno.test("sync --order newest sends the youngest first, after what has a priority", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await enqueue(host, "a", "b", "c");
  await host.run("enqueue", "--priority=1", host.write("urgent"));
  await host.enqueue(host.write("d"));
  const sync = await host.run("sync", "--order=newest", "--concurrency=1");
  assertEquals(sync.code, 0);
  assertEquals(server.names, ["urgent", "d", "c", "b", "a"]);
});

Deno.test("a reload turns the order of an agent's queue round", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const write = (order: string) =>
    host.write("agent.env", `JARVIS_CONCURRENCY=1\nJARVIS_ORDER=${order}\n`);
  host.env.JARVIS_ENV_FILE = write("oldest");
  await host.enqueue(host.write("first"));
  await using agent = await host.startAgent();
  await eventually("it arrives", () => server.names.length === 1);
  await host.run("pause");
  await agent.said("Deliveries are paused");
  for (const name of ["a", "b", "c"]) await host.enqueue(host.write(name));
  write("newest");
  agent.kill("SIGHUP");
  await agent.said(/Delivering to[^]*Delivering to/);
  await host.run("resume");
  await eventually("all arrive", () => server.names.length === 4);
  assertEquals(server.names, ["first", "c", "b", "a"]);
});
