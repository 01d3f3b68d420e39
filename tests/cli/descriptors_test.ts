import { delay } from "@std/async/delay";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { exitCodeOf, remedyFor } from "../../sync/cli/exit_code.ts";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { hasProgram } from "../helpers/has_program.ts";
import { Host } from "../helpers/host.ts";

Deno.test("that too many files are open is a temporary failure, which says what to do", () => {
  const error = new Error("Too many open files (os error 24): readdir '/x'");
  for (const one of [error, new Error("Cannot look", { cause: error })]) {
    assertEquals(exitCodeOf(one), 75);
    assertStringIncludes(remedyFor(one)!, '"ulimit -n"');
  }
});

for (const command of ["list", "sync"]) {
  Deno.test(
    `${command} exits 75 and says what to do at whatever limit on open files it cannot begin`,
    {
      ignore: Deno.build.os !== "linux",
    },
    async () => {
      await using host = new Host("http://127.0.0.1:1");
      await host.enqueue(host.write("a"));
      const said: string[] = [];
      // Below these the runtime itself cannot start.
      for (let limit = 20; limit < 40; limit++) {
        const script = `ulimit -n ${limit}; exec "$@"`;
        const { code, stdout, stderr } = await host.inShell(script, command);
        if (stdout !== "") break;
        if (!stderr.startsWith("jarvis-agent: ")) continue;
        said.push(stderr);
        assertEquals(code, 75, stderr);
        assertStringIncludes(stderr, '"ulimit -n"');
      }
      assert(said.length > 0);
    },
  );
}

Deno.test(
  "an agent that may open few files delivers with those that it has, charges no capture, and says so once",
  { ignore: Deno.build.os !== "linux" || !hasProgram("prlimit") },
  async () => {
    await using server = new CaptureServer();
    const { answer } = server;
    server.answer = async (upload) => {
      // Slow enough that many would be on their way at a time.
      await delay(100);
      return answer(upload);
    };
    await using host = new Host(server.url, { JARVIS_SETTLE: "0.1" });
    const watched = host.makeDir("watched");
    await using agent = await host.startAgent("--watch", watched);
    await agent.said("Watching");
    const open = [...Deno.readDirSync(`/proc/${agent.pid}/fd`)].length;
    const { success } = await new Deno.Command("prlimit", {
      args: ["--pid", `${agent.pid}`, `--nofile=${open + 8}:`],
    }).output();
    assertEquals(success, true);

    const names = Array.from({ length: 80 }, (_, i) => `${i}.png`);
    for (const name of names) host.write(`watched/${name}`);
    await eventually("all are delivered", () => server.names.length >= 80);
    assertEquals(server.names.toSorted(), names.toSorted(), agent.stderr);
    const warnings = agent.stderr.split("\n")
      .filter((line) => line.includes(" warn "));
    assertEquals(
      warnings.filter((line) => line.includes("will be tried again")),
      [],
    );
    const waits = warnings.filter((line) =>
      line.includes("Waiting for open files to be closed: ")
    );
    assertEquals(waits.length, 1, agent.stderr);
  },
);
