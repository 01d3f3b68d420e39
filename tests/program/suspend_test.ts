import { assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { CaptureServer, created } from "../helpers/capture_server.ts";
import { runCli, startCli } from "../helpers/cli.ts";
import { eventually } from "../helpers/eventually.ts";
import { TempDir } from "../helpers/temp_dir.ts";

/** Three times as long as the agent waits for progress. */
const SUSPENDED_MS = 3_000;

Deno.test({
  name:
    "An agent that was suspended in mid-upload goes on with it when it wakes",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = new TempDir();
    await using server = new CaptureServer();
    const answer = Promise.withResolvers<void>();
    server.answer = async (upload) => {
      await answer.promise;
      return created(upload);
    };
    const store = ["--data-dir", dir.join("data")];
    await runCli(["enqueue", dir.write("a", "a"), ...store]);
    await using agent = startCli([
      "run",
      "--server",
      server.url,
      "--timeout",
      "1",
      ...store,
    ]);
    await eventually("the upload has begun", () => server.inFlight === 1);

    agent.kill("SIGSTOP");
    await delay(SUSPENDED_MS);
    agent.kill("SIGCONT");
    answer.resolve();

    await eventually("it is delivered", async () => {
      const { stdout } = await runCli(["status", "--json", ...store]);
      return JSON.parse(stdout).delivered === 1;
    });
    assertEquals(server.uploads.length, 1);
    await agent.stop();
  },
});
