import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { bindingFlags, projectPath } from "../../../scripts/task/bindings.ts";
import { RunningCli } from "../../helpers/cli.ts";
import { eventually } from "../../helpers/eventually.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

/** Starts the demo with a folder of its own for its temporary files. */
function startDemo(args: string[], tempDir: string): RunningCli {
  const command = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      ...bindingFlags(),
      projectPath("scripts/demo/main.ts"),
      ...args,
    ],
    // Settings of the user's own agent, which must not get in the way.
    env: {
      TMPDIR: tempDir,
      TEMP: tempDir,
      TMP: tempDir,
      JARVIS_CONCURRENCY: "none",
      JARVIS_TOKEN: "secret",
      HTTP_PROXY: "http://127.0.0.1:1",
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  return new RunningCli(command.spawn());
}

/** Waits until the demo has told that its agent runs. */
async function agentStarted(demo: RunningCli): Promise<void> {
  const failed = demo.ended().then(({ stderr }) => {
    throw new Error(`The demo ended early: ${stderr}`);
  });
  await Promise.race([
    eventually(
      "the agent starts",
      () => demo.stdout.includes("The agent starts"),
    ),
    failed,
  ]);
}

/** The ids of the processes that the demo has told of. */
function processIds(story: string): number[] {
  return Array.from(story.matchAll(/process (\d+)/g), ([, pid]) => Number(pid));
}

/** A folder such as a user may have. */
function fill(folder: TempDir): void {
  folder.write("one.txt", "same");
  folder.write("below/one.txt", "same");
  folder.write("below/deep/📷 two.txt", "two");
  folder.write("empty", "");
  folder.write("one.txt.json", '{"metadata":"of one.txt"}');
  folder.write("data.json", "{}");
  folder.write(".hidden", "no capture");
  folder.write("half.part", "no capture");
}

function listTree(path: string): string[] {
  return Array.from(Deno.readDirSync(path)).flatMap(({ name, isDirectory }) => {
    const { size, mtime } = Deno.lstatSync(`${path}/${name}`);
    return isDirectory
      ? listTree(`${path}/${name}`)
      : [`${path}/${name} ${size} ${mtime}`];
  }).sort();
}

Deno.test("demo delivers a folder through an outage and crashes, and cleans up", async () => {
  await using folder = new TempDir();
  await using temp = new TempDir();
  fill(folder);
  const before = listTree(folder.path);
  await using demo = startDemo([folder.path], temp.path);
  const { code, stdout, stderr } = await demo.ended();
  assertEquals(code, 0, stdout + stderr);
  assertStringIncludes(stdout, "4 captures are in the folder");
  const [, delivered, all] =
    /\nDELIVERED (\d+) of (\d+), 0 lost, 0 duplicated\n$/.exec(stdout) ?? [];
  assertEquals(delivered, all);
  assert(Number(all) > 4, stdout);
  assertEquals(processIds(stdout).length, 5, stdout);
  assertEquals(listTree(folder.path), before);
  assertEquals([...Deno.readDirSync(temp.path)], []);
});

Deno.test({
  name: "demo ends its processes and removes its folder when it is interrupted",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using folder = new TempDir();
    await using temp = new TempDir();
    fill(folder);
    await using demo = startDemo([folder.path], temp.path);
    await agentStarted(demo);
    demo.kill("SIGINT");
    const { code, stdout, stderr } = await demo.ended();
    assertEquals(code, 130, stdout + stderr);
    assertStringIncludes(stderr, "Interrupted");
    assertEquals([...Deno.readDirSync(temp.path)], []);
    const pids = processIds(stdout);
    assertEquals(pids.length, 2);
    for (const pid of pids) assertThrows(() => Deno.kill(pid, "SIGCONT"));
  },
});

Deno.test("demo fails and shows the last words of a process that ends by itself", async () => {
  await using folder = new TempDir();
  await using temp = new TempDir();
  fill(folder);
  await using demo = startDemo([folder.path], temp.path);
  await agentStarted(demo);
  Deno.kill(processIds(demo.stdout).at(-1)!, "SIGKILL");
  const { code, stderr } = await demo.ended();
  assertEquals(code, 1, stderr);
  assertMatch(
    stderr,
    /The agent ended with exit code \d+, which it was not told to/,
  );
  assertStringIncludes(stderr, "Watching");
  assertEquals([...Deno.readDirSync(temp.path)], []);
});

Deno.test("demo refuses anything but one folder, and exits 2", async () => {
  await using temp = new TempDir();
  const file = temp.write("file", "");
  const runs = [
    [[file], "expected one folder or nothing"],
    [[temp.join("missing")], "expected one folder or nothing"],
    [[temp.path, temp.path], "expected one folder or nothing"],
    [["--fast"], 'Cannot use "--fast"'],
  ] as const;
  for (const [args, message] of runs) {
    await using demo = startDemo([...args], temp.path);
    const { code, stderr } = await demo.ended();
    assertEquals(code, 2);
    assertStringIncludes(stderr, message);
  }
});
