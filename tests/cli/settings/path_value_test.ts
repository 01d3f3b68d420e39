import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { OptionValues } from "../../../sync/cli/arguments.ts";
import {
  OPTIONS,
  type OptionSpec,
} from "../../../sync/cli/settings/options.ts";
import { runCli } from "../../helpers/cli.ts";
import { runInProcess } from "../../helpers/in_process.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

const onWindows = Deno.build.os === "windows";

/** The variable of each option that names a path, and what stands before the path there. */
const PATHS = Object.entries<OptionSpec>(OPTIONS).flatMap(
  ([name, { env, value }]) =>
    env && /\b(FILE|DIR)$/.test(value ?? "")
      ? [{ name, env, before: value!.includes("move:") ? "move:" : "" }]
      : [],
);

/** Values that are no absolute paths, and what is said of them. */
const RELATIVE = "as a relative one is another in each working directory";
const replaced = (text: string) => `and nothing replaces "${text}" there`;
const UNUSABLE = {
  "jq": RELATIVE,
  "./jq": RELATIVE,
  " /jq ": RELATIVE,
  "~": replaced("~"),
  "~/jq": replaced("~"),
  "$HOME/jq": replaced("$HOME"),
  "${HOME}/jq": replaced("${HOME}"),
  "%h/jq": replaced("%h"),
};

Deno.test("a path in a variable or the settings file is refused unless it is absolute, whichever option it is for", async () => {
  await using dir = new TempDir();
  const HOME = dir.path;
  const names = PATHS.map(({ name }) => name);
  for (const name of ["config", "data-dir", "watch", "after-upload"]) {
    assertEquals(names.includes(name), true, name);
  }
  for (const { name, env, before } of PATHS) {
    for (const [path, why] of Object.entries(UNUSABLE)) {
      const text = before + path;
      const expected = `"${text}": expected an absolute path, ${why}`;
      const { code, stderr } = await runInProcess(["config"], {
        HOME,
        [env]: text,
      });
      assertStringIncludes(
        stderr,
        `jarvis-agent: Cannot use ${env} ${expected}`,
      );
      assertEquals(code, 2);
      if (name === "config") continue;
      const file = dir.write(
        "agent.env",
        `${env}="${text.replace("$", "\\$")}"\n`,
      );
      Deno.chmodSync(file, 0o600);
      const other = await runInProcess(["config", "--config", file], { HOME });
      assertStringIncludes(
        other.stderr,
        `jarvis-agent: Cannot use ${env} in "${file}" ${expected}`,
      );
      assertEquals(other.code, 2);
    }
  }
});

Deno.test(
  "a path with a control character is refused, unless there is something of that name",
  {
    ignore: onWindows,
  },
  async () => {
    await using dir = new TempDir();
    const names = { "dd\r": "a carriage return", "dd\n": "a line break" };
    for (
      const [name, control] of Object.entries({ ...names, "d\x1b": "U+001B" })
    ) {
      const path = dir.join(name);
      const expected =
        `expected a path without a control character: ${control} is in it, and there is nothing of that name`;
      const assertRefused = async (
        what: string,
        args: string[],
        env: Record<string, string> = {},
      ) => {
        const HOME = dir.path;
        const ended = await runInProcess(args, { HOME, ...env });
        assertStringIncludes(ended.stderr, `Cannot use ${what} "`);
        assertStringIncludes(ended.stderr, expected);
        assertEquals(ended.code, 2, what);
      };
      for (const { env, before } of PATHS) {
        await assertRefused(env, ["config"], { [env]: before + path });
      }
      await assertRefused("--data-dir", ["config", "--data-dir", path]);
      for (const variable of ["XDG_DATA_HOME", "HOME"]) {
        await assertRefused(variable, ["config"], { [variable]: path });
      }
      assertEquals([...Deno.readDirSync(dir.path)], []);
    }
    const env = {
      JARVIS_WATCH: dir.join("in\n"),
      JARVIS_DATA_DIR: dir.join("d\r"),
    };
    Object.values(env).forEach((path) => Deno.mkdirSync(path));
    const { code, stderr } = await runInProcess(["config"], env);
    assertEquals([code, stderr], [0, ""]);
  },
);

Deno.test("enqueue queues nothing into a directory that another program would not find", async () => {
  await using dir = new TempDir();
  const file = dir.write("door.png", "");
  for (const env of ["jq", "~/jq"]) {
    const options = { env: { JARVIS_DATA_DIR: env }, cwd: dir.path };
    const { code, stdout } = await runCli(["enqueue", file], options);
    assertEquals([code, stdout], [2, ""]);
  }
  const typed = await runCli(["enqueue", file, "--data-dir=~/jq"], {
    cwd: dir.path,
  });
  assertEquals([typed.code, typed.stdout], [2, ""]);
  assertStringIncludes(
    typed.stderr,
    'Cannot use --data-dir "~/jq": expected a path without "~", which the shell has not replaced',
  );
  assertEquals([...Deno.readDirSync(dir.path)].map(({ name }) => name), [
    "door.png",
  ]);
});

Deno.test("export makes no folder of a path that the shell has not replaced", async () => {
  await using dir = new TempDir();
  const run = (...args: string[]) =>
    runCli([...args, "--data-dir=jq"], { cwd: dir.path });
  const { stdout } = await run("enqueue", dir.write("door.png", ""));
  const { code, stderr } = await run("export", stdout.trim(), "~/out");
  assertEquals(code, 2);
  assertStringIncludes(
    stderr,
    'Cannot export into "~/out": expected a path without "~"',
  );
  const made = [...Deno.readDirSync(dir.path)].map(({ name }) => name);
  assertEquals(made.sort(), ["door.png", "jq"]);
});

Deno.test("a path on the command line may be relative, but has nothing in it that a shell replaces", () => {
  const path = (text: string) =>
    new OptionValues(
      ["data-dir"],
      new Map([["data-dir", {
        source: "--data-dir",
        texts: [text],
      }]]),
    ).path("data-dir");
  for (const name of ["jq", "./~", "~jq", "$x.y", "a/~/b", "100%", "%ab"]) {
    assertEquals(path(name), join(Deno.cwd(), name));
  }
});

Deno.test(
  "doctor names the path that cannot be used, and looks at the rest",
  { ignore: onWindows },
  async () => {
    await using dir = new TempDir();
    for (const name of ["JARVIS_ENV_FILE", "JARVIS_DATA_DIR"]) {
      const env = { HOME: dir.path, [name]: "~/x" };
      const { code, stdout } = await runInProcess(["doctor"], env);
      assertStringIncludes(stdout, `Cannot use ${name} "~/x"`);
      assertEquals(code === 2, false, stdout);
    }
  },
);
