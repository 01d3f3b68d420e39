import { assert, assertEquals } from "@std/assert";
import { projectPath, runningBinding } from "../../scripts/task/bindings.ts";
import { agentLockPath } from "../../sync/agent/agent_lock.ts";
import { ProcessLock } from "../../sync/host/lock.ts";
import { runCli, RunningCli } from "../helpers/cli.ts";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { TempDir } from "../helpers/temp_dir.ts";
import { hasProgram } from "../helpers/has_program.ts";

// Windows has a console in the place of signals.
const ignore = Deno.build.os === "windows";

/** `deno task agent run` in a session of its own, and what it needs. */
class RunningTask implements AsyncDisposable {
  readonly #dir = new TempDir();
  readonly #server = new CaptureServer();
  readonly #outermost: RunningCli;

  /** @param through What starts it: a command that gets the task as its last arguments. */
  constructor(through: string[] = [], env: Record<string, string> = {}) {
    const { npm_node_execpath: _, ...own } = Deno.env.toObject();
    const task = [Deno.execPath(), "task", "agent", "run"];
    const [program, ...args] = [...through, ...task];
    const command: Deno.CommandOptions & { detached: boolean } = {
      args,
      cwd: projectPath("."),
      clearEnv: true,
      env: {
        ...own,
        JARVIS_DEPS: runningBinding(),
        JARVIS_DATA_DIR: this.#dir.path,
        JARVIS_SERVER_URL: this.#server.url,
        ...env,
      },
      // A group of its own, like a shell's job.
      detached: true,
      stdout: "piped",
      stderr: "piped",
    };
    this.#outermost = new RunningCli(
      new Deno.Command(program!, command).spawn(),
    );
  }

  /** Waits until the agent is at work. */
  async started(): Promise<void> {
    const out = this.#outermost;
    await eventually(
      "the agent runs",
      () => `${out.stdout}${out.stderr}`.includes("Delivering to"),
    );
    assert(await this.hasAgent());
  }

  hasAgent(): Promise<boolean> {
    return ProcessLock.isHeld(agentLockPath(this.#dir.join("queue.db")));
  }

  kill(signal: Deno.Signal): void {
    this.#outermost.kill(signal);
  }

  killGroup(signal: Deno.Signal): void {
    Deno.kill(-this.#outermost.pid, signal);
  }

  /** The process of the task itself, below `deno task`. */
  async runnerPid(): Promise<number> {
    const { stdout } = await new Deno.Command("ps", {
      args: ["-o", "pid=", "--ppid", String(this.#outermost.pid)],
    }).output();
    return Number(new TextDecoder().decode(stdout));
  }

  /** Waits until there is no agent any more. */
  async ended(): Promise<void> {
    await eventually("the agent ends", async () => !await this.hasAgent());
  }

  /** Returns what the task wrote to standard error. */
  async said(): Promise<string> {
    return (await this.#outermost.ended()).stderr;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.killGroup("SIGKILL");
    } catch {
      // All of it has ended.
    }
    // An agent that a failed test leaves would keep the pipes open.
    const env = { JARVIS_DATA_DIR: this.#dir.path };
    const { stdout } = await runCli(["status", "--json"], { env });
    const { pid } = JSON.parse(stdout).agent;
    if (pid !== null) Deno.kill(pid, "SIGKILL");
    await this.#outermost[Symbol.asyncDispose]();
    await this.#server[Symbol.asyncDispose]();
    await this.#dir[Symbol.asyncDispose]();
  }
}

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"] as const) {
  Deno.test({
    name: `the agent ends in order with its task on ${signal}`,
    ignore,
    async fn() {
      await using task = new RunningTask();
      await task.started();
      task.kill(signal);
      await task.ended();
      assertEquals((await task.said()).match(/Stopped/g)?.length, 1);
    },
  });
}

Deno.test({
  name: "the agent ends with its task when the whole group is killed",
  ignore,
  async fn() {
    await using task = new RunningTask();
    await task.started();
    task.killGroup("SIGKILL");
    await task.ended();
  },
});

Deno.test({
  name: "the agent ends with its task when only what runs it is killed",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using task = new RunningTask();
    await task.started();
    Deno.kill(await task.runnerPid(), "SIGKILL");
    await task.ended();
  },
});

Deno.test({
  name: "the agent ends with its task when the terminal is closed",
  ignore: Deno.build.os !== "linux" || !hasProgram("script"),
  async fn() {
    const onTerminal = [
      ...["sh", "-c", 'exec script -qec "$*" /dev/null', "sh"],
    ];
    await using task = new RunningTask(onTerminal);
    await task.started();
    // With it goes the other end of the terminal.
    task.kill("SIGKILL");
    await task.ended();
  },
});

Deno.test({
  name: "the agent ends with its task when what npm put above it is killed",
  ignore: Deno.build.os !== "linux",
  async fn() {
    // As npx does: a program, below it a shell, and below that `deno task`.
    const npm = ["sh", "-c", 'bash -c \'"$@"; true\' bash "$@"; true', "sh"];
    await using task = new RunningTask(npm, {
      npm_node_execpath: Deno.realPathSync("/bin/sh"),
    });
    await task.started();
    task.kill("SIGKILL");
    await task.ended();
  },
});
