/**
 * The tasks of deno.json: sees to it that the dependencies are there, then runs the
 * command.
 *
 * Arguments, input, output and exit code are the command's own; its own messages go
 * to standard error.
 */
import { ignoreDebugSignal } from "../sync/host/debug_signal.ts";
import { type Binding, flagsOf, projectPath } from "./task/bindings.ts";
import { PERMISSIONS } from "./build/permissions.ts";
import { runChecks } from "./check/main.ts";
import { fetchDependencies } from "./task/fetch_dependencies.ts";
import { DownloadError } from "./task/download.ts";
import { runDeno } from "./task/process.ts";
import { runTests } from "./task/run_tests.ts";

type Task = (
  flags: string[],
  args: string[],
  binding: Binding,
) => Promise<number>;

/** A program of the project that runs in the user's folder and ends gracefully by itself. */
function program(path: string, permissions: readonly string[] = ["-A"]): Task {
  return (flags, args) => {
    // All is there: without this Deno asks the registry about packages at each start.
    const how = ["--cached-only", ...flags, ...permissions];
    return runDeno(["run", ...how, projectPath(path), ...args], {
      cwd: Deno.env.get("INIT_CWD") ?? Deno.cwd(),
      isGraceful: true,
    });
  };
}

const TASKS: Record<string, Task> = {
  agent: program("main.ts", PERMISSIONS),
  bench: program("scripts/bench/main.ts"),
  chaos: program("tests/chaos/main.ts"),
  check: runChecks,
  compile: program("scripts/build/compile.ts"),
  demo: program("scripts/demo/main.ts"),
  // That is done before every task.
  fetch: () => Promise.resolve(0),
  fuzz: program("tests/fuzz/main.ts"),
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
  // Networks that inspect TLS do so with an authority of their own, which the system
  // knows. Deno reads the variable when TLS is first used, children inherit it.
  if (!Deno.env.get("DENO_TLS_CA_STORE")) {
    Deno.env.set("DENO_TLS_CA_STORE", "mozilla,system");
  }
  try {
    const { binding } = await fetchDependencies();
    return await task(flagsOf(binding), args, binding);
  } catch (error) {
    const isUsage = error instanceof RangeError;
    if (!isUsage && !(error instanceof DownloadError)) throw error;
    console.error(error.message);
    return isUsage ? 2 : 1;
  }
}

ignoreDebugSignal();
Deno.exit(await main(Deno.args));
