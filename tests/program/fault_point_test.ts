/** A process killed at every step that `intake.ts` names, and what the next start makes of it. */

import { assert, assertEquals } from "@std/assert";
import { bindingFlags, projectPath } from "../../scripts/task/bindings.ts";
import { ReferenceServer } from "../../scripts/server/reference_server.ts";
import { onReached, reached } from "../../sync/host/fault_point.ts";
import { startCli } from "../helpers/cli.ts";
import { eventually } from "../helpers/eventually.ts";
import { runInProcess } from "../helpers/in_process.ts";
import { TempDir } from "../helpers/temp_dir.ts";
import { filesIn } from "../helpers/folders.ts";

/** A host with a server, and a program on it that crashes on request. */
class Scene implements AsyncDisposable {
  readonly dir = new TempDir();
  readonly server: ReferenceServer = new ReferenceServer({
    dir: this.dir.join("received"),
    fsync: false,
  });
  readonly dataDir: string = this.dir.join("jarvis");
  readonly capture: string = this.dir.write("door.png", "bytes of the door");

  /** Runs a command until it kills itself at a step. */
  async crash(step: string, args: string[]): Promise<void> {
    const { success, code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "-A",
        ...bindingFlags(),
        projectPath("tests/helpers/crash_child.ts"),
        step,
        ...args,
        "--data-dir",
        this.dataDir,
      ],
      stdout: "null",
      stderr: "piped",
    }).output();
    const said = new TextDecoder().decode(stderr);
    assert(!success && code !== 99, `It did not crash but ended:\n${said}`);
  }

  /** Runs a command to its end: in this process, which takes less time. */
  async run(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runInProcess([
      ...args,
      "--data-dir",
      this.dataDir,
    ]);
    assertEquals(code, 0, stderr);
    return stdout.trim();
  }

  /**
   * Starts an agent, hands it one more capture, and stops it when that has arrived and
   * a watched folder is empty.
   */
  async deliverAll(args: string[] = [], folder?: string): Promise<void> {
    const fresh = `fresh ${crypto.randomUUID()}.png`;
    await using agent = startCli([
      "run",
      "--server",
      this.server.url,
      "--data-dir",
      this.dataDir,
      ...args,
    ]);
    await agent.said("Delivering to");
    await this.run("enqueue", this.dir.write(fresh, fresh));
    await eventually(
      "a fresh capture gets through",
      () => this.server.captures.some(({ filename }) => filename === fresh),
    );
    await eventually("nothing is left to deliver", async () => {
      const { pending, uploading } = JSON.parse(
        await this.run("status", "--json"),
      );
      return pending + uploading === 0 &&
        (!folder || [...Deno.readDirSync(folder)].length === 0);
    });
    await agent.stop();
  }

  /** How often the capture has arrived. */
  get arrivals(): number {
    return this.server.captures
      .filter(({ filename }) => filename === "door.png").length;
  }

  /** How many captures have their bytes in the spool. */
  get spooled(): number {
    return filesIn(`${this.dataDir}/spool`)
      .filter((path) => !/records\.jsonl$|in-use/.test(path)).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.dir[Symbol.asyncDispose]();
  }
}

Deno.test("a crash of enqueue at spool-file hands nothing over, deletes nothing, and bars no second try", async () => {
  await using scene = new Scene();
  await scene.crash("spool-file", ["enqueue", scene.capture]);
  assertEquals(scene.spooled, 1);
  await scene.deliverAll();
  assertEquals(scene.arrivals, 0);
  assertEquals(scene.spooled, 1);
  await scene.run("enqueue", scene.capture);
  await scene.deliverAll();
  assertEquals(scene.arrivals, 1);
});

for (const step of ["spool-record", "row"]) {
  Deno.test(`a crash of enqueue at ${step} loses nothing, and nothing arrives twice`, async () => {
    await using scene = new Scene();
    await scene.crash(step, ["enqueue", scene.capture]);
    assertEquals(scene.spooled, 1);
    Deno.removeSync(scene.capture);
    await scene.deliverAll();
    await scene.deliverAll();
    assertEquals(scene.arrivals, 1);
    assertEquals(scene.spooled, 0);
  });
}

Deno.test("a crash of enqueue --move at spool-record leaves the file where it was, and bars no second try", async () => {
  await using scene = new Scene();
  await scene.crash("spool-record", ["enqueue", "--move", scene.capture]);
  assertEquals(Deno.readTextFileSync(scene.capture), "bytes of the door");
  await scene.deliverAll();
  assertEquals(scene.arrivals, 0);
  await scene.run("enqueue", "--move", scene.capture);
  await scene.deliverAll();
  assertEquals(scene.arrivals, 1);
});

for (const step of ["spool-file", "row"]) {
  Deno.test(`a crash of enqueue --move at ${step} loses nothing, also after an agent that ended in order`, async () => {
    await using scene = new Scene();
    await scene.deliverAll();
    await scene.crash(step, ["enqueue", "--move", scene.capture]);
    assertEquals(scene.spooled, 1);
    await scene.deliverAll();
    await scene.deliverAll();
    assertEquals(scene.arrivals, 1);
    assertEquals(scene.spooled, 0);
  });
}

for (
  const step of ["answered", "completed", "spool-removed"]
) {
  Deno.test(`a crash of the agent at ${step} loses nothing, and nothing arrives twice`, async () => {
    await using scene = new Scene();
    await scene.run("enqueue", scene.capture);
    await scene.crash(step, ["run", "--server", scene.server.url]);
    assertEquals(scene.arrivals, 1);
    assertEquals(scene.spooled, step === "spool-removed" ? 0 : 1);
    await scene.deliverAll();
    assertEquals(scene.arrivals, 1);
    assertEquals(scene.spooled, 0);
    const { delivered } = JSON.parse(await scene.run("status", "--json"));
    assertEquals(delivered, scene.server.captures.length);
  });
}

for (
  const step of [
    "spool-file",
    "spool-record",
    "row",
    "answered",
    "completed",
    "spool-removed",
  ]
) {
  Deno.test(`a crash of a watching agent at ${step} loses nothing, and nothing arrives twice`, async () => {
    await using scene = new Scene();
    const watched = scene.dir.write("watched/door.png", "bytes of the door");
    const folder = scene.dir.join("watched");
    const watch = ["--watch", folder, "--settle", "0"];
    const args = [...watch, "--after-upload", "delete"];
    await scene.crash(step, ["run", "--server", scene.server.url, ...args]);
    // The original goes last of all.
    assertEquals(Deno.readTextFileSync(watched), "bytes of the door");
    await scene.deliverAll(args, folder);
    assertEquals(scene.arrivals, 1);
    assertEquals(scene.spooled, step === "spool-file" ? 1 : 0);
  });
}

Deno.test("a crash of remove at row-removed removes nothing", async () => {
  await using scene = new Scene();
  const id = await scene.run("enqueue", scene.capture);
  await scene.crash("row-removed", ["remove", id]);
  assertEquals(scene.spooled, 1);
  await scene.deliverAll();
  assertEquals(scene.arrivals, 1);
  assertEquals(scene.spooled, 0);
});

Deno.test("a crash of remove at bytes-removed does not bring the capture back", async () => {
  await using scene = new Scene();
  const id = await scene.run("enqueue", scene.capture);
  await scene.crash("bytes-removed", ["remove", id]);
  assertEquals(scene.spooled, 0);
  await scene.deliverAll();
  assertEquals(scene.arrivals, 0);
});

Deno.test("a step reaches whoever waits for it, and nobody else", () => {
  const steps: string[] = [];
  onReached((step) => steps.push(step));
  reached("row");
  onReached(() => {});
  reached("completed");
  assertEquals(steps, ["row"]);
});
