import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { runInProcess } from "../helpers/in_process.ts";
import { TempDir } from "../helpers/temp_dir.ts";

Deno.test("a command that is not known ends with 2, and with a suggestion if one is near", async () => {
  const cases = {
    enqeue: 'Unknown command "enqeue"; did you mean "enqueue"?',
    ls: 'Unknown command "ls"; did you mean "list"?',
    deliver: 'Unknown command "deliver"',
    constructor: 'Unknown command "constructor"',
  };
  for (const [name, message] of Object.entries(cases)) {
    for (const args of [[name], ["help", name]]) {
      const { code, stdout, stderr } = await runInProcess(args);
      assertEquals([code, stdout], [2, ""]);
      assertStringIncludes(stderr, `jarvis-agent: ${message}\n`);
      assertStringIncludes(stderr, 'Try "jarvis-agent --help".');
    }
  }
});

/** What is expected in the place of an argument that begins with one dash. */
const DASHES =
  "two dashes and a name, or -- before an argument that begins with one";

Deno.test("an option that is not known ends with 2, and with a suggestion if one is near", async () => {
  const cases: [string[], string][] = [
    [["list", "--limt", "3"], 'Unknown option "--limt"; did you mean --limit?'],
    [["list", "--stat=x"], 'Unknown option "--stat"; did you mean --status?'],
    [["list", "--no-json"], 'Unknown option "--no-json"; did you mean --json?'],
    [
      ["enqueue", "--meta"],
      'Unknown option "--meta"; did you mean --metadata, --metadata-json or --metadata-file?',
    ],
    [["list", "-x"], `Unknown option "-x": expected ${DASHES}`],
    [["enqueue", "-5.png"], `Unknown option "-5.png": expected ${DASHES}`],
    [
      ["check", "--data-dir", "x"],
      'Unknown option "--data-dir": expected it with run, enqueue or others',
    ],
    [
      ["status", "--limit", "3"],
      'Unknown option "--limit": expected it with list or history',
    ],
    [
      ["pause", "--until", "3"],
      'Unknown option "--until": expected --data-dir, --for or --config',
    ],
    [["run", "--constructor"], 'Unknown option "--constructor"'],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await runInProcess(args);
    assertEquals(
      [code, stderr],
      [2, `jarvis-agent: ${message}\nTry "jarvis-agent ${args[0]} --help".\n`],
    );
  }
});

Deno.test("an option before the command is told to come behind it", async () => {
  const cases = {
    "--json=x":
      'option "--json": expected a command before it, like "status --json"',
    "--quiet":
      'option "--quiet": expected a command before it, like "upload --quiet"',
    "--foo": 'option "--foo": expected a command before it, like "status"',
  };
  for (const [option, message] of Object.entries(cases)) {
    const { code, stderr } = await runInProcess([option, "status"]);
    assertEquals(code, 2);
    assertStringIncludes(stderr, `Cannot begin with the ${message}\n`);
  }
});

Deno.test("a token is refused as an argument, and not repeated", async () => {
  for (const args of [["--token=hush"], ["--token", "hush"]]) {
    for (const name of ["run", "status"]) {
      const { code, stderr } = await runInProcess([name, ...args]);
      assertEquals(code, 2);
      assertStringIncludes(
        stderr,
        "expected --token-file FILE, or JARVIS_TOKEN",
      );
      assert(!stderr.includes("hush"), stderr);
    }
  }
  const { stderr } = await runInProcess(["--token=hush", "run"]);
  assert(!stderr.includes("hush"), stderr);
});

Deno.test("after -- nothing is a short option: a file may have its name", async () => {
  await using dir = new TempDir();
  const env = { JARVIS_DATA_DIR: dir.path };
  const { stderr } = await runInProcess(["run", "--", "-v"], env);
  assertStringIncludes(stderr, 'Cannot use "-v": "run" takes no arguments');
});

Deno.test("too few and too many arguments end with 2", async () => {
  const cases: [string[], string][] = [
    [["enqueue"], '"enqueue" lacks an argument: expected FILE...'],
    [["upload", "--json"], '"upload" lacks an argument: expected FILE...'],
    [["enqueue", ""], "Cannot use an empty argument: expected FILE..."],
    [["remove"], '"remove" lacks an argument: expected ID|PREFIX|FILE...'],
    [["retry"], "Cannot retry nothing: expected captures, --failed, --all or"],
    [
      ["retry", "x", "--all"],
      "Cannot retry captures and --failed, --all or --reason at once",
    ],
    [["status", "now"], 'Cannot use "now": "status" takes no arguments'],
    [["run", "007"], 'Cannot use "007": "run" takes no arguments'],
    [
      ["show", "0192f3ab", "b"],
      'Cannot use "b": "show" takes only one, ID|PREFIX|FILE',
    ],
    [
      ["completions", "sh"],
      'Cannot use "sh": "completions" takes bash, zsh or fish',
    ],
    [["completions", "zsh", "sh"], "takes only one, bash|zsh|fish"],
  ];
  await using dir = new TempDir();
  for (const [args, message] of cases) {
    const result = await runInProcess(args, { JARVIS_DATA_DIR: dir.path });
    assertEquals(result.code, 2);
    assertStringIncludes(result.stderr, message);
  }
});

Deno.test("arguments stay as they are: numbers, and whatever follows --", async () => {
  await using dir = new TempDir();
  const missing = ["007", "1e3", "-", "0x10", "--json", "-5", "--", "a\tb"];
  const { code, stdout, stderr } = await runInProcess(
    ["enqueue", ...missing.slice(0, 4), "--", ...missing.slice(4)],
    { JARVIS_DATA_DIR: dir.path },
  );
  assertEquals([code, stdout], [1, ""]);
  assertEquals(
    stderr.match(/(?<=\/)[^/]*(?=": no such file)/g),
    [...missing.slice(0, -1), "a\\u0009b"],
  );
});

Deno.test("a switch takes true and false, on the command line and from the environment", async () => {
  await using dir = new TempDir();
  const env = { JARVIS_DATA_DIR: dir.path };
  const isJson = async (...args: string[]) =>
    (await runInProcess(["list", ...args], env)).stdout === "[]\n";
  for (const on of ["--json", "--json=true", "--json=1", "--json=YES"]) {
    assert(await isJson(on), on);
  }
  for (const off of ["--json=false", "--json=0", "--json=no"]) {
    assert(!await isJson(off), off);
  }
  const { code, stderr } = await runInProcess(
    ["enqueue", dir.write("a.png", ""), "--json=maybe"],
    env,
  );
  assertEquals(code, 2);
  assert(await isJson("--json"), "nothing was queued before it was looked at");
  assertStringIncludes(
    stderr,
    'Cannot use --json "maybe": expected true or false',
  );
});
