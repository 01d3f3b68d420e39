/** Watched captures whose copy in the spool is gone or damaged, and whose file is still there. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";

interface Listed {
  id: string;
  status: string;
  lastError: string | null;
}

/** What happens to a copy. */
const HARM: Record<string, (path: string) => void> = {
  gone: (path) => Deno.removeSync(path),
  damaged: (path) => Deno.writeTextFileSync(path, "rotten bytes"),
  cut: (path) => Deno.truncateSync(path, 3),
  // As by a failing disk, which changes neither size nor times.
  rotten: rot,
  "rotten, large": rot,
};

function rot(path: string): void {
  const { atime, mtime } = Deno.statSync(path);
  using file = Deno.openSync(path, { write: true });
  file.writeSync(new Uint8Array([0]));
  Deno.utimeSync(path, atime!, mtime!);
}

const contentOf = (name: string) =>
  `bytes of ${name}`.padEnd(name.includes("large") ? 1_500_000 : 0);

/** Starts an agent that is paused, and takes files over; returns what stops it. */
async function taken(host: Host, ...names: string[]) {
  const agent = await host.watch();
  await host.run("pause");
  for (const name of names) host.write(`in/${name}`, contentOf(name));
  await eventually("they wait", async () => {
    return (await host.status()).pending === names.length;
  });
  const stop = async () => {
    await agent.stop();
    await host.run("resume");
  };
  const captures = await host.json<Listed[]>("list");
  return { agent, stop, captures };
}

const copyOf = (host: Host, id: string) =>
  `${host.dataDir}/spool/${id.slice(-2)}/${id}`;

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("a watched file is sent in the place of its copy that is gone or damaged, by the agent and by sync", async () => {
  for (const by of ["the agent", "sync"]) {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const names = Object.keys(HARM);
    const { agent, stop, captures } = await taken(host, ...names);
    await using _agent = agent;
    const harms = Object.values(HARM);
    captures.forEach(({ id }, n) => harms[n]!(copyOf(host, id)));
    if (by === "sync") {
      await stop();
      assertEquals((await host.run("sync")).code, 0);
    } else await host.run("resume");
    await eventually(
      "all arrive",
      () => server.uploads.length === names.length,
    );
    assertEquals(
      server.uploads.map(({ bytes }) => text(bytes)).sort(),
      names.map(contentOf).sort(),
    );
    await eventually("all are done", async () => {
      const { failed, delivered } = await host.status();
      return failed === 0 && delivered === names.length;
    });
  }
});

Deno.test("export takes a watched file in the place of its copy that is gone or damaged", async () => {
  await using host = new Host("http://127.0.0.1:1");
  const { agent, stop, captures } = await taken(host, ...Object.keys(HARM));
  await using _agent = agent;
  await stop();
  const harms = Object.values(HARM);
  captures.forEach(({ id }, n) => harms[n]!(copyOf(host, id)));
  const ids = captures.map(({ id }) => id);
  const { code, stdout } = await host.run("export", ...ids, host.join("out"));
  assertEquals(code, 0);
  assertEquals(
    stdout.trimEnd().split("\n").map((path) => Deno.readTextFileSync(path))
      .sort(),
    Object.keys(HARM).map(contentOf).sort(),
  );
});

Deno.test("a file is not sent in the place of its damaged copy if it is another one by now, in no watched folder, or was not watched, and retry sends it when it is back", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const { agent, stop, captures } = await taken(host, "changed", "away");
  await using _agent = agent;
  await host.enqueue(host.write("in/.given", "bytes of given"));
  await stop();
  for (const { id } of await host.json<Listed[]>("list")) {
    const copy = copyOf(host, id);
    Deno.writeTextFileSync(copy, "x".repeat(Deno.statSync(copy).size));
  }
  Deno.writeTextFileSync(host.join("in/changed"), "others");
  Deno.renameSync(host.join("in/away"), host.join("away"));
  Deno.symlinkSync(host.join("away"), host.join("in/away"));
  assertEquals((await host.run("sync")).code, 1);
  const failed = await host.json<Listed[]>("list");
  assertEquals(failed.length, 3);
  for (const { status, lastError } of failed) {
    assertEquals(status, "failed");
    assertStringIncludes(lastError!, "changed after it was handed over");
  }
  assertEquals(server.uploads.length, 0);
  Deno.removeSync(host.join("in/away"));
  Deno.renameSync(host.join("away"), host.join("in/away"));
  await host.run("retry", "--failed");
  assertEquals((await host.run("sync")).code, 1);
  assertEquals(server.uploads.map(({ bytes }) => text(bytes)), [
    "bytes of away",
  ]);
  assertEquals(captures.length, 2);
});

Deno.test("a watched file whose copy is gone waits while its folder is away", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const { agent, stop, captures } = await taken(host, "a");
  await using _agent = agent;
  await stop();
  Deno.removeSync(copyOf(host, captures[0]!.id));
  Deno.renameSync(host.join("in"), host.join("away"));
  await host.run("sync");
  const [{ status }] = await host.json<Listed[]>("list") as [Listed];
  assertEquals(status, "pending");
  Deno.renameSync(host.join("away"), host.join("in"));
  assertEquals((await host.run("sync")).code, 0);
  assertEquals(server.uploads.length, 1);
});
