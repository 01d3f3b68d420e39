import { assertEquals } from "@std/assert";
import { runDeno } from "../../scripts/task/process.ts";
import { RunningCli } from "../helpers/cli.ts";
import { eventually } from "../helpers/eventually.ts";
import { TempDir } from "../helpers/temp_dir.ts";

/** Says what it was started with, and ends with the code that it is told. */
const SAY = `
  console.log(JSON.stringify([Deno.args.slice(1), Deno.env.get("INIT_CWD") ?? null]));
  Deno.exit(Number(Deno.args[0]));
`;

/** Counts interrupts until it is terminated. */
const COUNT = `
  let interrupts = 0;
  Deno.addSignalListener("SIGINT", () => console.log("interrupt", ++interrupts));
  Deno.addSignalListener("SIGTERM", () => Deno.exit(10 + interrupts));
  setInterval(() => {}, 60_000);
  console.log("ready");
`;

/** A program that does nothing but run another one. */
const RUN = `
  import { runDeno } from ${
  JSON.stringify(import.meta.resolve("../../scripts/task/process.ts"))
};
  const [cwd, ...args] = Deno.args;
  Deno.exit(await runDeno(args, { cwd, isGraceful: true }));
`;

const onWindows = Deno.build.os === "windows";

Deno.test("runDeno() passes arguments on as they are, and the exit code back", async () => {
  await using dir = new TempDir();
  const say = dir.write("say.ts", SAY);
  const args = ["--json", "", "--", "a b", "$HOME", "*", '"', "é"];
  let text = "";
  const output = new WritableStream<Uint8Array>({
    write: (chunk) => {
      text += new TextDecoder().decode(chunk);
    },
  });
  const run = ["run", "-A", say, "7", ...args];
  assertEquals(await runDeno(run, { cwd: dir.path, output }), 7);
  assertEquals(JSON.parse(text), [args, null]);
});

/** Starts {@linkcode COUNT} by a program of its own, in a group of its own. */
async function startCounting(dir: TempDir): Promise<RunningCli> {
  const run = dir.write("run.ts", RUN);
  const count = dir.write("count.ts", COUNT);
  const options: Deno.CommandOptions & { detached: boolean } = {
    args: ["run", "-A", run, dir.path, "run", "-A", count],
    detached: true,
    stdout: "piped",
    stderr: "piped",
  };
  const child = new RunningCli(
    new Deno.Command(Deno.execPath(), options).spawn(),
  );
  await eventually("the program runs", () => child.stdout.includes("ready"));
  return child;
}

Deno.test({
  name: "runDeno() tells a graceful program once what its whole group is told",
  // Windows has a console in the place of signals.
  ignore: onWindows,
  async fn() {
    await using dir = new TempDir();
    await using child = await startCounting(dir);
    // As a terminal does, and then as "deno task" does.
    Deno.kill(-child.pid, "SIGINT");
    child.kill("SIGINT");
    await eventually(
      "it is told",
      () => child.stdout.includes("interrupt 1"),
    );
    child.kill("SIGTERM");
    assertEquals((await child.ended()).code, 11);
  },
});

Deno.test({
  name: "runDeno() passes a second signal on",
  ignore: onWindows,
  async fn() {
    await using dir = new TempDir();
    await using child = await startCounting(dir);
    let sent = 0;
    await eventually("it is told twice", () => {
      if (sent++ % 20 === 0) child.kill("SIGINT");
      return child.stdout.includes("interrupt 2");
    });
    child.kill("SIGTERM");
    await child.ended();
  },
});
