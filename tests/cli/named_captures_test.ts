import { assertEquals, assertStringIncludes } from "@std/assert";
import type { QueuedCapture } from "../../sync/queue/queue.ts";
import { Host } from "../helpers/host.ts";

/** A host with captures that have these ids, of files of the same names. */
function hostWith(...ids: string[]): Host {
  const host = new Host();
  Deno.chmodSync(host.makeDir("data"), 0o700);
  using queue = host.queue();
  for (const id of ids) queue.enqueue(host.write(id), {}, { id });
  return host;
}

const listed = async (host: Host) =>
  (await host.json<QueuedCapture[]>("list")).map(({ id }) => id);

Deno.test("retry, bump, remove and export take the beginning of an id, or the path of a file", async () => {
  await using host = hostWith("aaaa-1", "aaab-2", "aaac-3");
  assertEquals((await host.run("retry", "AAAA")).stdout, "aaaa-1\n");
  assertEquals((await host.run("bump", "aaab-")).stdout, "aaab-2\n");
  const out = host.join("out");
  const exported = await host.run("export", host.join("aaac-3"), "aaab", out);
  assertEquals(
    [exported.code, exported.stdout],
    [0, `${out}/aaac-3\n${out}/aaab-2\n`],
  );
  // Named twice it is one capture.
  const removed = await host.run("remove", "aaaa", host.join("aaaa-1"));
  assertEquals([removed.code, removed.stdout], [0, "aaaa-1\n"]);
  assertEquals(await listed(host), ["aaab-2", "aaac-3"]);
});

Deno.test("what may be several captures changes none of them, and says how many it may be", async () => {
  await using host = hostWith("aaaa-1", "aaaa-2", "bbbb-3");
  for (const command of ["retry", "bump", "remove"]) {
    const { code, stdout, stderr } = await host.run(command, "aaaa", "bbbb");
    assertEquals([code, stdout], [1, "bbbb-3\n"]);
    assertEquals(
      stderr.split("\n").slice(0, 3),
      [
        `jarvis-agent: Cannot ${command} "aaaa": 2 captures match, expected more of the id`,
        `  aaaa-1  pending  ${host.join("aaaa-1")}`,
        `  aaaa-2  pending  ${host.join("aaaa-2")}`,
      ],
    );
  }
  assertEquals(await listed(host), ["aaaa-1", "aaaa-2"]);
});

const COMMANDS = ["show", "retry", "bump", "remove", "export"];

Deno.test("the beginning of an id has four characters at least: an empty variable of a script removes nothing", async () => {
  await using host = hostWith("aaaa-1");
  const more = { export: [host.join("out")] } as Record<string, string[]>;
  const unknown = "no such capture: expected an id,";
  const short =
    "too short for the beginning of an id, and no file of this name was handed over: expected an id, its first 4 characters or more, or the path of a file";
  const cases = { a: short, aaa: short, "%": short, "aaaa-1x": unknown };
  for (const command of COMMANDS) {
    const empty = await host.run(command, "", ...more[command] ?? []);
    assertEquals(empty.code, 2);
    for (const [name, reason] of Object.entries(cases)) {
      const { code, stdout, stderr } = await host.run(
        ...[command, name, ...more[command] ?? []],
      );
      assertEquals([code, stdout], [1, ""]);
      assertStringIncludes(stderr, `Cannot ${command} "${name}": ${reason}`);
      assertStringIncludes(stderr, '"jarvis-agent list" shows them\n');
    }
  }
  assertEquals(await listed(host), ["aaaa-1"]);
});

Deno.test("more captures than are told are said to be more", async () => {
  const ids = Array.from({ length: 25 }, (_, n) => `aaaa-${n + 10}`);
  await using host = hostWith(...ids);
  for (const command of ["show", "bump"]) {
    const { code, stderr } = await host.run(command, "aaaa");
    assertEquals([code, stderr.trimEnd().split("\n").length], [1, 21]);
    assertStringIncludes(stderr, ": 20 or more captures match, expected more");
  }
});

Deno.test("what is under way, has failed or is delivered is named as that", async () => {
  await using host = hostWith("sent-1", "fail-2", "done-3");
  {
    using queue = host.queue();
    queue.markUploading("sent-1");
    queue.complete([{ id: "fail-2", kind: "discard", error: "no" }]);
    queue.markCompleted("done-3");
  }
  const said = async (...args: string[]) => {
    const { code, stderr } = await host.run(...args);
    assertEquals(code, 1);
    return stderr.trimEnd().replace("jarvis-agent: Cannot ", "");
  };
  assertEquals(
    await Promise.all([
      said("retry", "sent"),
      said("bump", "fail"),
      said("remove", "done"),
    ]),
    [
      'retry "sent-1": it is being sent',
      'bump "fail-2": it is failed, expected a pending one',
      'remove "done": it is delivered already',
    ],
  );
});
