import { assertEquals, assertStringIncludes } from "@std/assert";
import { runDeno } from "../../scripts/task/process.ts";
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

Deno.test({
  name: "runDeno() tells a graceful program once what its whole group is told",
  // Windows has a console in the place of signals.
  ignore: onWindows,
  async fn() {
    await using dir = new TempDir();
    const count = dir.write("count.ts", COUNT);
    const options: Deno.CommandOptions & { detached: boolean } = {
      args: [
        "run",
        "-A",
        dir.write("run.ts", RUN),
        dir.path,
        "run",
        "-A",
        count,
      ],
      detached: true,
      stdout: "piped",
    };
    await using child = new Deno.Command(Deno.execPath(), options).spawn();
    let text = "";
    const reading = (async () => {
      for await (const chunk of child.stdout) {
        text += new TextDecoder().decode(chunk);
      }
    })();
    await eventually("the program runs", () => text.includes("ready"));
    // As a terminal does, and then as "deno task" does.
    Deno.kill(-child.pid, "SIGINT");
    child.kill("SIGINT");
    await eventually("it is told", () => text.includes("interrupt 1"));
    child.kill("SIGTERM");
    assertEquals((await child.status).code, 11);
    await reading;
    assertStringIncludes(text, "interrupt 1");
  },
});

Deno.test({
  name: "runDeno() passes a second signal on",
  ignore: onWindows,
  async fn() {
    await using dir = new TempDir();
    const count = dir.write("count.ts", COUNT);
    await using child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        dir.write("run.ts", RUN),
        dir.path,
        "run",
        "-A",
        count,
      ],
      stdout: "piped",
    }).spawn();
    let text = "";
    const reading = (async () => {
      for await (const chunk of child.stdout) {
        text += new TextDecoder().decode(chunk);
      }
    })();
    await eventually("the program runs", () => text.includes("ready"));
    let sent = 0;
    await eventually("it is told twice", () => {
      if (sent++ % 20 === 0) child.kill("SIGINT");
      return text.includes("interrupt 2");
    });
    child.kill("SIGTERM");
    await child.status;
    await reading;
  },
});
