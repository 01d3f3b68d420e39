import { assertEquals, assertStringIncludes } from "@std/assert";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { hasProgram } from "../helpers/has_program.ts";
import { HeldAnswer } from "../helpers/held_answer.ts";
import { Host } from "../helpers/host.ts";

// Nothing sends it there.
const ignore = Deno.build.os === "windows";

Deno.test(
  "upload whose session ends queues the file under way and the rest, however often it is told",
  { ignore },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    using held = new HeldAnswer();
    server.answer = held.answer;
    const paths = ["a", "b"].map((name) => host.write(name));
    await using upload = host.start("upload", ...paths);
    await eventually("it has begun", () => server.inFlight === 1);
    // As systemd ends a session, and as a shell repeats to its jobs what the kernel said.
    for (const signal of ["SIGTERM", "SIGHUP", "SIGHUP"] as const) {
      upload.kill(signal);
    }
    const { code, stdout } = await upload.ended();
    assertEquals(code, 75);
    const { key } = server.uploads[0]!;
    assertStringIncludes(
      stdout,
      `${paths[0]}: queued as ${key}, not delivered yet: interrupted\n`,
    );
    assertEquals((await host.status()).pending, 2);
  },
);

for (
  const [signal, name] of [
    ["SIGHUP", "upload"],
    ["SIGHUP", "sync"],
    ["SIGQUIT", "upload"],
    ["SIGQUIT", "sync"],
  ] as const
) {
  Deno.test(`${signal} alone ends ${name} as SIGINT does`, {
    ignore,
  }, async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    using held = new HeldAnswer();
    server.answer = held.answer;
    const path = host.write("a");
    if (name === "sync") await host.enqueue(path);
    await using program = host.start(name, ...name === "upload" ? [path] : []);
    await eventually("it has begun", () => server.inFlight === 1);
    program.kill(signal);
    assertEquals((await program.ended()).code, 75);
    const { pending, uploading } = await host.status();
    assertEquals([pending, uploading], [1, 0]);
  });
}

Deno.test(
  "upload whose terminal is closed queues what it has not delivered, though it cannot say so",
  { ignore: Deno.build.os !== "linux" || !hasProgram("script") },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    using held = new HeldAnswer();
    server.answer = held.answer;
    const paths = ["a", "b"].map((name) => host.write(name));
    await using terminal = host.startOnTerminal("upload", ...paths);
    await eventually("it has begun", () => server.inFlight === 1);
    await eventually(
      "the bar is there",
      () => terminal.stdout.includes("of 2"),
    );
    terminal.kill("SIGKILL");
    await eventually(
      "both are queued",
      async () => (await host.status()).pending === 2,
    );
  },
);
