/** Captures with the content of the last one of their name, told apart by their sidecars. */
import { assertEquals } from "@std/assert";
import { CaptureServer, created } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { HeldAnswer } from "../helpers/held_answer.ts";
import { Host } from "../helpers/host.ts";

/** Puts a file in the place of another one. */
function publish(host: Host, name: string, content: string): void {
  host.write(`in/.${name}`, content);
  Deno.renameSync(host.join("in", `.${name}`), host.join("in", name));
}

function publishEvent(host: Host, at: number): void {
  publish(host, "e.txt.json", `{"at": ${at}}`);
  publish(host, "e.txt", "motion");
}

for (const before of ["delivered", "queued"]) {
  Deno.test(`a capture with a sidecar of its own is sent, though the last one of its name had the same content (${before})`, async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    await using agent = await host.watch();
    if (before === "queued") await host.run("pause");
    const taken = (count: number) =>
      eventually(`${count} are taken`, async () => {
        const { pending, delivered } = await host.status();
        return (before === "queued" ? pending : delivered) === count;
      });
    publishEvent(host, 1);
    await taken(1);
    publishEvent(host, 2);
    await taken(2);
    // Touched, it is the same capture, with its sidecar or without.
    Deno.utimeSync(host.join("in", "e.txt"), 1, 1);
    publish(host, "a", "a");
    await taken(3);
    Deno.removeSync(host.join("in", "e.txt.json"));
    Deno.utimeSync(host.join("in", "e.txt"), 2, 2);
    publish(host, "b", "b");
    await taken(4);
    if (before === "queued") await host.run("resume");
    await eventually("all arrive", () => server.uploads.length === 4);
    await agent.stop();
    const events = server.uploads.filter(({ filename }) => filename === "e.txt")
      .map(({ metadata }) => metadata.at);
    assertEquals(events, [1, 2]);
    assertEquals(server.uploads.length, 4);
  });
}

Deno.test("a capture without a copy whose file is replaced by one of the same content is sent, and so is that one", async () => {
  await using server = new CaptureServer();
  server.ready = false;
  server.answer = () => new Response(null, { status: 503 });
  await using host = new Host(server.url);
  const watch = () =>
    host.startAgent(
      ...["--watch", host.makeDir("in"), "--settle=1"],
      ...["--copy-up-to=0", "--after-upload=delete"],
    );
  {
    await using agent = await watch();
    publishEvent(host, 1);
    await eventually("it is tried", () => server.uploads.length > 0);
    await agent.stop();
  }
  Deno.removeSync(host.join("in", "e.txt"));
  publishEvent(host, 2);
  server.uploads.length = 0;
  server.ready = true;
  server.answer = created;
  await using _agent = await watch();
  await eventually(
    "both arrive, and go",
    () =>
      server.uploads.length === 2 &&
      [...Deno.readDirSync(host.join("in"))].length === 0,
  );
  const events = server.uploads.map(({ metadata }) => metadata.at);
  assertEquals(events.toSorted(), [1, 2]);
});

Deno.test("a capture that is written anew with the same content while it is sent stays until it is sent, too", async () => {
  using held = new HeldAnswer();
  await using server = new CaptureServer();
  server.answer = held.delivery;
  await using host = new Host(server.url);
  await using _agent = await host.startAgent(
    "--watch",
    host.makeDir("in"),
    "--settle=1",
    "--after-upload=delete",
  );
  publishEvent(host, 1);
  await eventually("it is sent", () => server.uploads.length === 1);
  host.write("in/e.txt.json", '{"at": 2}');
  host.write("in/e.txt", "motion");
  held.release();
  await eventually(
    "both arrive, and go",
    () =>
      server.uploads.length === 2 &&
      [...Deno.readDirSync(host.join("in"))].length === 0,
  );
  assertEquals(server.uploads.map(({ metadata }) => metadata.at), [1, 2]);
});
