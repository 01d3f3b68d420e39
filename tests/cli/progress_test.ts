import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { CaptureServer, deadUrl } from "../helpers/capture_server.ts";
import { startCli } from "../helpers/cli.ts";
import { eventually } from "../helpers/eventually.ts";
import { hasProgram } from "../helpers/has_program.ts";
import { HeldAnswer } from "../helpers/held_answer.ts";
import { Host } from "../helpers/host.ts";

const ignore = Deno.build.os !== "linux" || !hasProgram("script");

/** What was drawn over the same line, one after the other. */
const drawn = (text: string) =>
  text.split(/[\r\n]+/).filter((part) => part.includes(" captures, "))
    .map((part) => part.replace("\x1b[K", ""));

Deno.test(
  "sync draws a bar over bytes and captures on a terminal, and leaves it in a new line",
  {
    ignore,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    await host.enqueue(...host.writeMany(4));
    const { code, stdout } = await host.onTerminal("sync");
    assertEquals(code, 0);
    const last = `\r[${"#".repeat(30)}] 4 of 4 captures, 20 B of 20 B`;
    assertStringIncludes(stdout, last);
    assert(
      stdout.endsWith("\x1b[K\r\n4 delivered, 0 failed, 0 left\r\n"),
      JSON.stringify(stdout),
    );
    assert(!stdout.includes("delivered as"), "no line for each beside the bar");
    // Nothing but erasing to the end of the line: no colour, no cursor that is hidden.
    assertEquals(stdout.replaceAll("\x1b[K", "").includes("\x1b"), false);
  },
);

Deno.test(
  "the bar tells how many bytes of a capture have left, how fast, and how long the rest takes",
  {
    ignore,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const path = host.write("large", new Uint8Array(1_000_000));
    const send = ["--bandwidth=400K"];
    await host.enqueue(path);
    for (const args of [["sync", ...send], ["upload", path, ...send]]) {
      const { code, stdout } = await host.onTerminal(...args);
      assertEquals(code, 0);
      const lines = drawn(stdout);
      const midway =
        /^\[#+-+\] 0 of 1 captures, \d+ kB of 1 MB, \d+ kB\/s, \ds left$/;
      assert(lines.some((line) => midway.test(line)), stdout);
      assertMatch(lines.at(-1)!, /^\[#{5,30}\] 1 of 1 captures, 1 MB of 1 MB/);
      lines.reduce((one, next) => {
        assert(one !== next, "the same is not drawn again");
        return next;
      });
    }
  },
);

Deno.test(
  "the bar keeps to the width of its terminal",
  { ignore },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const path = host.write("large", new Uint8Array(500_000));
    for (const columns of [20, 75]) {
      const { stdout } = await host.inShell(
        `for arg; do all="$all '$arg'"; done
       exec script -qec "stty cols ${columns} && $all" /dev/null`,
        ...["upload", path, "--bandwidth=400K"],
      );
      const lines = drawn(`${stdout.replace(/large: .*/, "")}`);
      assert(lines.length > 0, stdout);
      for (const line of lines) assert(line.length < columns, line);
      assertEquals(lines.at(-1)!.startsWith("["), columns === 75);
    }
  },
);

Deno.test("what has to be said is said above the bar", { ignore }, async () => {
  await using host = new Host(deadUrl());
  await host.enqueue(...host.writeMany(2));
  const { stdout } = await host.onTerminal("sync");
  const said = (text: string) => text.replaceAll("\r\x1b[K", "<bar>\n");
  assertMatch(said(stdout), /^\d{4}-\S+ warn .*Cannot reach.*$/m);
  const upload = await host.onTerminal("upload", host.write("a"));
  assertMatch(said(upload.stdout), /<bar>\n\S*a: queued as /);
});

Deno.test("Ctrl-C leaves the terminal in a new line, with what was done", {
  ignore,
}, async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  using held = new HeldAnswer();
  server.answer = held.answer;
  await host.enqueue(...host.writeMany(2));
  const keys = host.join("keys");
  await new Deno.Command("mkfifo", { args: [keys] }).output();
  await using sync = startCli(["sync"], {
    env: host.env,
    through: [
      ...["sh", "-c"],
      `for arg; do all="$all '$arg'"; done
       exec script -qec "exec $all" /dev/null < ${keys}`,
      "sh",
    ],
  });
  using keyboard = await Deno.open(keys, { write: true });
  await eventually("it is being sent", () => server.inFlight === 2);
  await eventually("the bar is there", () => sync.stdout.includes("0 of 2"));
  keyboard.writeSync(new Uint8Array([3]));
  const { code, stdout } = await sync.ended();
  assertEquals(code, 75);
  assertMatch(
    stdout,
    /0 of 2 captures, [^\n]*\r\n0 delivered, 0 failed, 2 left[^\n]*\r\n$/,
  );
});

Deno.test("without a terminal sync writes a line for each capture, also when an agent does the work", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const lineOf = (path: string) =>
    RegExp(`^${path}: delivered as server-`, "m");
  const first = host.writeMany(3);
  await host.enqueue(...first);
  const alone = await host.run("sync");
  first.forEach((path) => assertMatch(alone.stderr, lineOf(path)));
  assertEquals(alone.stderr.trimEnd().split("\n").length, 3);
  assert(!alone.stderr.includes("\r"));

  using held = new HeldAnswer();
  server.answer = held.delivery;
  const path = host.write("later");
  await host.enqueue(path);
  await using _agent = await host.startAgent();
  await eventually("it is being sent", () => server.inFlight === 1);
  await using sync = host.start("sync");
  {
    using queue = host.queue();
    await eventually(
      "it was asked",
      () => queue.getAgentState().syncRequested > 0,
    );
  }
  held.release();
  const { stderr } = await sync.ended();
  assertMatch(stderr, lineOf(path));
});

Deno.test("--quiet says nothing but what went wrong", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await host.enqueue(...host.writeMany(2));
  const nothing = { code: 0, stdout: "", stderr: "" };
  assertEquals(await host.run("sync", "--quiet"), nothing);
  assertEquals(await host.run("upload", "-q", host.write("a")), nothing);

  server.answer = () => new Response("no", { status: 422 });
  const refused = await host.run("upload", "-q", host.write("b"));
  assertEquals([refused.code, refused.stdout], [1, ""]);
  assertMatch(refused.stderr, /^jarvis-agent: \S+b: rejected: .*422.*\n$/);
  await host.enqueue(host.write("c"));
  const failed = await host.run("sync", "-q");
  assertEquals([failed.code, failed.stdout], [1, ""]);
  assertMatch(failed.stderr, /jarvis-agent: 0 delivered, 1 failed, 0 left\n$/);
  const json = await host.run("upload", "-q", "--json", host.write("d"));
  assertEquals(JSON.parse(json.stdout).success, false);
});

Deno.test("sync -v logs all there is", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await host.enqueue(...host.writeMany(1));
  const { stderr } = await host.run("sync", "-v");
  assertMatch(stderr, / info {2}Capture "0.png" .* is delivered: 5 bytes in/);
});
