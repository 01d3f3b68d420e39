/**
 * The tasks of deno.json: picks where the dependencies come from, then runs the command.
 *
 * Arguments, input, output and exit code are the command's own; what this has to say goes to
 * standard error.
 */
import {
  type Binding,
  chooseBinding,
  flagsOf,
  projectPath,
} from "./task/bindings.ts";
import { PERMISSIONS } from "./build/permissions.ts";
import { runChecks } from "./check/main.ts";
import { runDeno } from "./task/process.ts";
import { runTests } from "./task/run_tests.ts";

type Task = (
  flags: string[],
  args: string[],
  binding: Binding,
) => Promise<number>;

/** A program of the project that runs in the user's folder and ends gracefully by itself. */
function program(path: string, permissions: readonly string[] = ["-A"]): Task {
  return (flags, args) =>
    runDeno(["run", ...flags, ...permissions, projectPath(path), ...args], {
      cwd: Deno.env.get("INIT_CWD") ?? Deno.cwd(),
      isGraceful: true,
    });
}

const TASKS: Record<string, Task> = {
  agent: program("main.ts", PERMISSIONS),
  bench: program("scripts/bench/main.ts"),
  chaos: program("tests/chaos/main.ts"),
  check: runChecks,
  compile: program("scripts/build/compile.ts"),
  demo: program("scripts/demo/main.ts"),
  fetch: (flags) =>
    runDeno([
      "cache",
      ...flags,
      "main.ts",
      "tests/scripts/dependencies_test.ts",
    ]),
  server: program("scripts/server/main.ts"),
  test: runTests,
};

async function main([name = "", ...args]: string[]): Promise<number> {
  const task = Object.hasOwn(TASKS, name) ? TASKS[name] : undefined;
  if (!task) {
    console.error(
      `Unknown task "${name}": expected one of ${
        Object.keys(TASKS).join(", ")
      }`,
    );
    return 2;
  }
  try {
    const { binding, reason } = await chooseBinding({
      mayRemember: name === "agent",
    });
    console.error(`Dependencies from ${binding} (${reason})`);
    return await task(flagsOf(binding), args, binding);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.error(error.message);
    return 2;
  }
}

Deno.exit(await main(Deno.args));
