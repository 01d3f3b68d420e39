import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { pathToFileURL } from "node:url";
import denoJson from "../../deno.json" with { type: "json" };
import { moduleGraph } from "../../scripts/build/sbom.ts";
import { bindingFlags, projectPath } from "../../scripts/task/bindings.ts";
import { parseCommandLine } from "../../sync/cli/command_line.ts";
import { COMMANDS } from "../../sync/cli/commands.ts";
import { OPTIONS } from "../../sync/cli/settings/options.ts";
import { runCli } from "../helpers/cli.ts";
import { runInProcess } from "../helpers/in_process.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const NAMES = Object.keys(COMMANDS);

Deno.test("every command has a module that does it", async () => {
  for (const { load } of Object.values(COMMANDS)) {
    assertEquals(typeof (await load()).run, "function");
  }
});

Deno.test("the program says its version", async () => {
  const expected = {
    code: 0,
    stdout: `jarvis-agent ${denoJson.version}\n`,
    stderr: "",
  };
  assertEquals(await runCli(["--version"]), expected);
  assertEquals(await runInProcess(["-V"]), expected);
  assertEquals(await runInProcess(["-v"]), expected);
});

Deno.test("the program's help names every command", async () => {
  const { code, stdout, stderr } = await runCli(["--help"]);
  assertEquals([code, stderr], [0, ""]);
  for (const name of NAMES) assertMatch(stdout, RegExp(`^  ${name} `, "m"));
  for (const args of [[], ["help"], ["-h"]]) {
    assertEquals((await runInProcess(args)).stdout, stdout);
  }
});

Deno.test("the program's help loads neither SQLite nor the C library", async () => {
  const { modules } = await moduleGraph("sync/cli/help.ts", bindingFlags());
  const loaded = new Set<string>();
  const load = (specifier: string): void => {
    if (loaded.has(specifier)) return;
    loaded.add(specifier);
    modules.find((module) => module.specifier === specifier)?.dependencies
      ?.forEach(({ code, isDynamic }) => {
        if (code?.specifier && !isDynamic) load(code.specifier);
      });
  };
  load(pathToFileURL(projectPath("sync/cli/help.ts")).href);
  assert([...loaded].some((specifier) => specifier.endsWith("/options.ts")));
  const heavy = /\/(sync\/queue|sync\/host\/libc)|^node:/;
  assertEquals([...loaded].filter((specifier) => heavy.test(specifier)), []);
});

for (const name of NAMES) {
  Deno.test(`"${name} --help" shows usage, every option with its variable, and an example that can be used`, async () => {
    const { code, stdout } = await runInProcess([name, "--help"]);
    assertEquals(code, 0);
    assertStringIncludes(stdout, `Usage: jarvis-agent ${name}`);
    const { options, example } = COMMANDS[name]!;
    for (const option of options) {
      const { env, value } = OPTIONS[option] as {
        env?: string;
        value?: string;
      };
      const flag = value ? `--${option} ${value}` : `--${option}`;
      assertStringIncludes(stdout, env ? `  ${flag} [${env}]` : `  ${flag}\n`);
    }
    assertStringIncludes(stdout, `Example:\n  ${example}`);
    const [program, command, ...args] = example.split(" ");
    assertEquals([program, command], ["jarvis-agent", name]);
    parseCommandLine(args, options, () => undefined);

    assertEquals((await runInProcess(["help", name])).stdout, stdout);
    assertEquals((await runInProcess([name, "x", "-h"])).stdout, stdout);
  });
}

Deno.test("what is told stays on its line, whatever a file is called", async () => {
  await using dir = new TempDir();
  const { stderr } = await runInProcess(
    ["enqueue", "a\nb\x1b[31m\u202e.png"],
    { JARVIS_DATA_DIR: dir.path },
  );
  assertStringIncludes(stderr, "a\\nb\\u001b[31m\\u202e.png");
  // The first one tells that the queue is new.
  assertEquals(stderr.trimEnd().split("\n").length, 2);
  const usage = await runInProcess(["status", "a\nb"]);
  assertStringIncludes(usage.stderr, 'Cannot use "a\\nb": ');
});
