import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { projectPath, runningBinding } from "../../scripts/task/bindings.ts";
import { countTests, PROCESSES } from "../../scripts/task/run_tests.ts";
import { type Ended, endOf, RunningCli } from "../helpers/cli.ts";
import { eventually } from "../helpers/eventually.ts";
import { TempDir } from "../helpers/temp_dir.ts";

/** A task as deno.json runs it. */
function command(
  args: string[],
  env: Record<string, string> = { JARVIS_DEPS: runningBinding() },
): Deno.Command {
  const task = projectPath("scripts/task.ts");
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", "--no-lock", task, ...args],
    env,
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs a task to its end. */
async function runTask(
  args: string[],
  env?: Record<string, string>,
): Promise<Ended> {
  return await endOf(command(args, env));
}

function lastLine(text: string): string | undefined {
  return text.trimEnd().split("\n").at(-1);
}

Deno.test("a task refuses a JARVIS_DEPS that is neither jsr nor npm", async () => {
  const { code, stdout, stderr } = await runTask(["test"], {
    JARVIS_DEPS: "yarn",
  });
  assertEquals([code, stdout], [2, ""]);
  assertStringIncludes(stderr, 'JARVIS_DEPS "yarn": expected "jsr" or "npm"');
});

Deno.test("an unknown task is refused with the list of those there are", async () => {
  const { code, stderr } = await runTask(["tset"]);
  assertEquals(code, 2);
  assertMatch(stderr, /Unknown task "tset": expected one of agent, .*test/);
});

Deno.test("the agent task leaves standard output and the exit code to the program", async () => {
  const version = await runTask(["agent", "--version"]);
  assertMatch(version.stdout, /^jarvis-agent \d+\.\d+\.\d+\n$/);
  assertEquals(version.code, 0);
  assertStringIncludes(version.stderr, `Dependencies from ${runningBinding()}`);
  const wrong = await runTask(["agent", "stauts"]);
  assertEquals([wrong.code, wrong.stdout], [2, ""]);
});

Deno.test("the agent task runs in the folder that it was called in", async () => {
  await using dir = new TempDir();
  dir.write("capture.txt", "a capture");
  const { code, stderr } = await runTask(
    ["agent", "enqueue", "capture.txt", "--data-dir", "data"],
    { JARVIS_DEPS: runningBinding(), INIT_CWD: dir.path },
  );
  assertEquals(code, 0, stderr);
  assertEquals(Deno.statSync(dir.join("data", "queue.db")).isFile, true);
});

Deno.test("the test task ends with the count, and with the runner's exit code", async () => {
  await using dir = new TempDir();
  const passing = dir.write("good_test.js", 'Deno.test("a", () => {});');
  const failing = dir.write(
    "bad_test.js",
    `Deno.test("b", () => { throw new Error("no"); });
     Deno.test.ignore("c", () => {});
     Deno.test("d", () => console.log("ok | 9 passed | 9 failed"));`,
  );
  const good = await runTask(["test", passing]);
  assertEquals([lastLine(good.stdout), good.code], ["1 passed, 0 failed", 0]);
  const bad = await runTask(["test", passing, failing]);
  assertEquals(
    [lastLine(bad.stdout), bad.code],
    ["2 passed, 1 failed, 1 skipped", 1],
  );
});

Deno.test("the test task shows what each of several files says, and names those that failed", async () => {
  await using dir = new TempDir();
  const test = (name: string, end: string) =>
    dir.write(
      `${name}_test.ts`,
      `const lines = [1, 2, 3].map((n) => "${name}" + n);
       Deno.test("${name}", async () => {
         for (const line of lines) {
           console.log(line);
           await new Promise((resume) => setTimeout(resume));
         }
         ${end}
       });`,
    );
  test("good", "");
  const failing = test("bad", 'throw new Error("no");');
  const loading = dir.write(
    "loading_test.ts",
    'throw new Error("not loaded");',
  );
  const { code, stdout, stderr } = await runTask(["test", dir.path]);
  assertStringIncludes(stdout, "good1\ngood2\ngood3\n");
  assertStringIncludes(stdout, "bad1\nbad2\nbad3\n");
  assertStringIncludes(stdout, "not loaded");
  const end = stdout.slice(stdout.indexOf("Failed: ")).trimEnd();
  assertEquals(lastLine(end), "1 passed, 2 failed", stderr);
  // The reasons are repeated, as a log may have kept no more than its end.
  for (const named of [failing, "Error: no", loading, "Error: not loaded"]) {
    assertStringIncludes(end, named);
  }
  assert(!end.includes("good1"), end);
  assertEquals(code, 1);
});

Deno.test("the test task runs nothing where the types are wrong", async () => {
  await using dir = new TempDir();
  const files = [
    dir.write("good_test.ts", 'Deno.test("a", () => {});'),
    dir.write("wrong_test.ts", 'Deno.test("b", () => {}); "".no;'),
  ];
  for (const named of [files, files.slice(1)]) {
    const { code, stdout, stderr } = await runTask(["test", ...named]);
    assertEquals([code, lastLine(stdout)], [1, "0 passed, 0 failed"]);
    assertStringIncludes(stderr, "Property 'no' does not exist");
  }
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test({
    name:
      `the test task ends on ${signal} with all that it runs, and begins no more`,
    // Windows has a console in the place of signals.
    ignore: Deno.build.os === "windows",
    async fn() {
      await using dir = new TempDir();
      const running = dir.join("running");
      Deno.mkdirSync(running);
      for (let n = 0; n <= PROCESSES; n++) {
        dir.write(
          `n${n}_test.ts`,
          `Deno.test("waits", async () => {
             Deno.writeTextFileSync(\`${running}/\${Deno.pid}\`, "");
             await new Promise((resume) => setTimeout(resume, 600_000));
           });`,
        );
      }
      const pids = () => [...Deno.readDirSync(running)].map(({ name }) => name);
      await using task = new RunningCli(command(["test", dir.path]).spawn());
      await eventually("the tests run", () => pids().length === PROCESSES);
      task.kill(signal);
      const { code } = await task.ended();
      assertEquals(code, signal === "SIGINT" ? 130 : 143);
      assertEquals(pids().length, PROCESSES);
      for (const pid of pids()) {
        assertThrows(() => Deno.statSync(`/proc/${pid}`));
      }
    },
  });
}

Deno.test("the test task fails when no test ran", async () => {
  await using dir = new TempDir();
  const file = dir.write("good_test.js", 'Deno.test("a", () => {});');
  for (
    const args of [[file, "--filter", "nothing"], [dir.join("missing_test.ts")]]
  ) {
    const { stdout, code } = await runTask(["test", ...args]);
    assertEquals([lastLine(stdout), code], ["0 passed, 0 failed", 1]);
  }
});

Deno.test("countTests() reads the runner's summary, in colour or not", () => {
  const counts = (passed: number, failed: number, skipped: number) => ({
    passed,
    failed,
    skipped,
  });
  const cases = [
    ["ok | 12 passed | 0 failed (3s)\n", counts(12, 0, 0)],
    [
      "FAILED | 3 passed (4 steps) | 1 failed (2 steps) | 2 ignored (1 step) (9ms)\n",
      counts(3, 1, 2),
    ],
    [
      "ok | 5 passed | 0 failed | 1 ignored | 3 filtered out (9ms)\n",
      counts(5, 0, 1),
    ],
    ["ok | 5 passed | 0 failed | 3 filtered out (9ms)\n", counts(5, 0, 0)],
    [
      "\x1b[0m\x1b[32mok\x1b[0m | 7 passed | 0 failed \x1b[0m(9ms)\x1b[0m\n",
      counts(7, 0, 0),
    ],
    ["error: Module not found\n", counts(0, 0, 0)],
  ] as const;
  for (const [output, expected] of cases) {
    assertEquals(countTests(output), expected, output);
  }
});
