/** The same file of a watched folder, or another: nothing is sent twice, nothing goes unsent. */
import { assertEquals } from "@std/assert";
import { bindingFlags } from "../../scripts/task/bindings.ts";
import { CaptureServer, created } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { HeldAnswer } from "../helpers/held_answer.ts";
import { Host } from "../helpers/host.ts";

const CRASH_CHILD = import.meta.resolve("../helpers/crash_child.ts");

/** What has arrived, in that order. */
function arrived(server: CaptureServer): string[] {
  return server.uploads.map(({ bytes }) => new TextDecoder().decode(bytes));
}

/** Puts a file where another one was, with the same size and time, as `cp -p` and rsync do. */
function replace(host: Host, name: string, content: string, time: Date): void {
  const path = host.write("new", content);
  Deno.utimeSync(path, time, time);
  Deno.renameSync(path, host.join(name));
}

const TIME = new Date("2026-05-01T12:00:00Z");

for (const after of ["keep", "delete"]) {
  Deno.test(`another file of the same name, size and time is delivered with --after-upload ${after}`, async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    await using agent = await host.watch(`--after-upload=${after}`);
    const frames = ["frame 1", "frame 2", "frame 3"];
    for (const [n, frame] of frames.entries()) {
      replace(host, "in/frame.raw", frame, TIME);
      await eventually(`${frame} arrives`, () => arrived(server).length > n);
    }
    // In place as well.
    const path = host.write("in/frame.raw", "frame 4");
    Deno.utimeSync(path, TIME, TIME);
    await eventually("frame 4 arrives", () => arrived(server).length > 3);
    assertEquals(arrived(server), [...frames, "frame 4"]);
    if (after === "delete") {
      await eventually(
        "all go",
        () => [...Deno.readDirSync(host.join("in"))].length === 0,
      );
    }
    await agent.stop();
  });
}

Deno.test("a file that waits without a copy, as there is no room for one, stays one capture when it is touched", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const args = ["--max-spool-bytes=1", "--after-upload=delete"];
  await using agent = await host.watch(...args);
  const queued = (count: number) =>
    eventually(`${count} are queued`, async () => {
      return (await host.json<unknown[]>("list")).length >= count;
    });
  await host.run("pause");
  const path = host.write("in/frame.raw", "frame 1");
  await queued(1);
  Deno.utimeSync(path, TIME, TIME);
  // What is touched before this one is seen before it.
  host.write("in/other.raw", "frame 2");
  await queued(2);
  await host.run("resume");
  await eventually(
    "both go",
    () => [...Deno.readDirSync(host.join("in"))].length === 0,
  );
  await eventually("nothing is left", async () => {
    return (await host.status()).pending === 0;
  });
  assertEquals(await host.json("list"), []);
  assertEquals((await host.json<unknown[]>("history")).length, 2);
  await agent.stop();
});

for (const limits of [["--max-spool-bytes=1"], ["--copy-up-to=1"]]) {
  Deno.test(`a file that waits without a copy is delivered from its new name (${limits})`, async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    await using agent = await host.watch(...limits, "--after-upload=delete");
    await host.run("pause");
    host.write("in/frame.raw", "frame 1");
    host.write("in/day/frame.raw", "frame 2");
    await eventually("both are queued", async () => {
      return (await host.status()).pending === 2;
    });
    Deno.renameSync(host.join("in/frame.raw"), host.join("in/renamed.raw"));
    Deno.renameSync(host.join("in/day"), host.join("in/night"));
    const paths = async () =>
      (await host.json<{ filepath: string }[]>("list"))
        .map(({ filepath }) => filepath).sort();
    const now = ["in/night/frame.raw", "in/renamed.raw"].map((name) =>
      host.join(name)
    );
    await eventually(
      "they are found again",
      async () => (await paths()).join() === now.join(),
    );
    await host.run("resume");
    await eventually("both arrive", () => server.uploads.length === 2);
    await eventually(
      "nothing is left",
      async () => (await paths()).length === 0,
    );
    assertEquals(arrived(server).sort(), ["frame 1", "frame 2"]);
    await agent.stop();
  });
}

for (const after of ["delete", "move"]) {
  Deno.test(`the names of one file go, and it is sent once, with --after-upload ${after}`, async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const done = host.join("done");
    const args = [
      `--after-upload=${after === "move" ? `move:${done}` : after}`,
      // A link outside keeps the file.
      "--copy-up-to=1",
    ];
    const names = () => [...Deno.readDirSync(host.join("in"))].length;
    {
      await using agent = await host.watch(...args);
      await host.run("pause");
      host.write("in/a.raw", "frame 1");
      await eventually("it waits", async () => {
        return (await host.status()).pending === 1;
      });
      Deno.linkSync(host.join("in/a.raw"), host.join("in/b.raw"));
      Deno.linkSync(host.join("in/a.raw"), host.join("backup"));
      await host.run("resume");
      // The other one may go before this one is seen to, or after the next start.
      await eventually("one name goes", () => names() < 2);
      await agent.stop();
    }
    await using agent = await host.watch(...args);
    await eventually("the other one goes", () => names() === 0);
    // Another file under the first name, with the same content, is a capture.
    host.write("in/a.raw", "frame 1");
    await eventually("it is sent", () => server.uploads.length > 1);
    await eventually("it goes", () => names() === 0);
    await agent.stop();
    assertEquals(server.names, ["a.raw", "a.raw"]);
    assertEquals(Deno.readTextFileSync(host.join("backup")), "frame 1");
    const moved = after === "move" ? [...Deno.readDirSync(done)].length : 0;
    assertEquals(moved, after === "move" ? 3 : 0);
  });
}

for (const limit of ["--copy-up-to=1", "--copy-up-to=1M"]) {
  Deno.test(`a file that was renamed while it waited goes by its new name once it is delivered (${limit})`, async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    await using agent = await host.watch(limit, "--after-upload=delete");
    await host.run("pause");
    host.write("in/a.raw.json", "{}");
    host.write("in/a.raw", "frame 1");
    await eventually("it waits", async () => {
      return (await host.status()).pending === 1;
    });
    Deno.renameSync(host.join("in/a.raw.json"), host.join("in/b.raw.json"));
    Deno.renameSync(host.join("in/a.raw"), host.join("in/b.raw"));
    // Events come in order: once this one was taken, that one was looked at.
    host.write("in/later.raw", "later");
    await eventually("a later one waits", async () => {
      return (await host.status()).pending === 2;
    });
    await host.run("resume");
    await eventually(
      "all go",
      () => [...Deno.readDirSync(host.join("in"))].length === 0,
    );
    assertEquals(arrived(server).sort(), ["frame 1", "later"]);
    await agent.stop();
  });
}

for (const status of [201, 503]) {
  Deno.test(`a file written over with its old time while it is sent is delivered as well, after a ${status}`, async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    using held = new HeldAnswer();
    let isFirst = true;
    server.answer = async (upload) => {
      if (!isFirst) return created(upload);
      isFirst = false;
      await held.released;
      return status === 201 ? created(upload) : new Response(null, { status });
    };
    await using agent = await host.watch("--copy-up-to=0");
    const path = host.join("in/frame.raw");
    replace(host, "in/frame.raw", "frame 1", TIME);
    await eventually("it is being sent", () => server.inFlight === 1);
    Deno.writeTextFileSync(path, "frame 2");
    Deno.utimeSync(path, TIME, TIME);
    // Events come in order: once this one was taken, that one was looked at.
    host.write("in/later.raw", "later");
    await eventually(
      "a later one arrives",
      () => arrived(server).includes("later"),
    );
    held.release();
    await eventually("the new version arrives", async () => {
      // The first version waits after a 503, and can only fail then.
      if (status === 503) await host.run("retry", "--all");
      return arrived(server).includes("frame 2");
    });
    await agent.stop();
  });
}

Deno.test("files that were touched, shifted, renamed with their folder or restored are not sent again", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const names = ["touched", "shifted", "whole", "restored", "sub/renamed"];
  for (const name of names) host.write(`in/${name}`);
  {
    await using agent = await host.watch();
    await eventually("all arrive", () => server.uploads.length === 5);
    await agent.stop();
  }
  const timeOf = (name: string) => Deno.statSync(host.join("in", name)).mtime!;
  const set = (name: string, ms: number) =>
    Deno.utimeSync(host.join("in", name), ms / 1000, ms / 1000);
  set("touched", Date.now());
  set("shifted", timeOf("shifted").getTime() + 3_600_000);
  set("whole", Math.floor(timeOf("whole").getTime() / 2000) * 2000);
  replace(host, "in/restored", "in/restored", TIME);
  Deno.renameSync(host.join("in/sub"), host.join("in/moved"));
  await using agent = await host.watch();
  host.write("in/new");
  await eventually("the new one arrives", () => server.uploads.length > 5);
  await agent.stop();
  assertEquals(arrived(server).slice(5), ["in/new"]);
});

Deno.test("a crash between delivery and tidying up leaves neither the file nor its sidecar", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const files = {
    "a.png": "a",
    "a.png.json": '{"door": 3}',
    "b.png": "b",
    "b.png.json": "broken {",
  };
  for (const [name, content] of Object.entries(files)) {
    host.write(`in/${name}`, content);
  }
  const args = [
    "run",
    "--watch",
    host.join("in"),
    "--settle=0.1",
    "--after-upload=delete",
  ];
  const { signal } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      ...bindingFlags(),
      CRASH_CHILD,
      "spool-removed",
      ...args,
    ],
    env: host.env,
    stdout: "null",
    stderr: "null",
  }).output();
  assertEquals(signal, "SIGKILL");
  await using agent = await host.watch("--after-upload=delete");
  await eventually("both are delivered", () => server.names.length >= 2);
  // What was not metadata stays.
  await eventually(
    "the others go",
    () => [...Deno.readDirSync(host.join("in"))].length === 1,
  );
  assertEquals(Deno.readTextFileSync(host.join("in/b.png.json")), "broken {");
  assertEquals(arrived(server).sort(), ["a", "b"]);
  await agent.stop();
});
