import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { exists } from "../../sync/host/files.ts";
import { Host } from "../helpers/host.ts";
import { runInProcess } from "../helpers/in_process.ts";

/** A command line, and what it is refused with. */
type Case = [args: string[], message: string];

async function assertRefused(host: Host, cases: Case[]): Promise<void> {
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await runInProcess(args, host.env);
    assertEquals([code, stdout], [2, ""], args.join(" ") + stderr);
    assertStringIncludes(stderr, message);
  }
}

const TWICE = "twice, with different values: expected one";

Deno.test("an option that takes one value is refused with two, which are not repeated", async () => {
  await using host = new Host();
  await assertRefused(host, [
    [["list", "--status", "failed", "--status=pending"], `--status ${TWICE}`],
    [["list", "--json", "--json=false"], `--json ${TWICE}`],
    [["remove", "x", "--yes=no", "--yes=yes"], `--yes ${TWICE}`],
    [["pause", "--for", "1h", "--for", "2h"], `--for ${TWICE}`],
  ]);
  const hushed = await runInProcess(
    ["check", "--token-command", "echo hush", "--token-command", "echo psst"],
  );
  assertEquals(hushed.code, 2);
  assert(!/hush|psst/.test(hushed.stderr), hushed.stderr);
  const same = await runInProcess(
    ["list", "--json", "--json", "--limit=3", "--limit=3"],
    host.env,
  );
  assertEquals([same.code, same.stdout], [0, "[]\n"]);
});

Deno.test("options that contradict each other, or would have no effect, are refused", async () => {
  await using host = new Host("http://127.0.0.1:1");
  const file = host.write("a.png");
  const more = "at once: expected one of them";
  await assertRefused(host, [
    [["enqueue", file, "--move", "--no-copy"], `--move and --no-copy ${more}`],
    [
      ["enqueue", file, "--metadata=a=1", "--metadata=a=2"],
      "Cannot use several --metadata with the same key",
    ],
    [["sync", "-q", "-v"], `--verbose and --quiet ${more}`],
    [
      ["run", "-v", "--log-level", "warn"],
      `--verbose and --log-level ${more}`,
    ],
    [["retry", "--all", "--failed"], `--all and --failed ${more}`],
    [
      ["list", "--status", "delivered", "--reason", "x"],
      "Cannot use --reason for what is delivered",
    ],
    [
      ["list", "--status", "delivered", "--group", "reason"],
      "Cannot use --group for what is delivered",
    ],
    [
      ["list", "--since", "2999-01-01"],
      'Cannot use --since "2999-01-01": expected a time that is over',
    ],
    [
      ["list", "--since", "2026-02-30"],
      'Cannot use --since "2026-02-30": expected a time that is over',
    ],
    [["status", "--check", "--follow"], `--check and --follow ${more}`],
    [["status", "--watch", "--json"], `--follow and --json ${more}`],
    [["run", "--dry-run"], "no folder is watched: expected --watch DIR"],
    [
      ["service", "status", "--server", "http://127.0.0.1:1"],
      'Cannot use --server with "service status": expected it with "service install"',
    ],
  ]);
  // What is set for good can be asked otherwise once, and a switch that is off is none.
  const once = { ...host.env, JARVIS_VERBOSE: "1", JARVIS_LOG_LEVEL: "warn" };
  assertEquals((await runInProcess(["sync", "--quiet"], once)).code, 0);
  const off = ["retry", "--all=no", "--failed"];
  assertEquals((await runInProcess(off, host.env)).code, 0);
});

Deno.test("a folder in the place of a file is called that", async () => {
  await using host = new Host("http://127.0.0.1:1");
  const [dir, file] = [host.makeDir("dir"), host.write("a.png")];
  await assertRefused(host, [
    [["list", "--config", dir], "it is a directory, expected a file"],
    [["check", "--token-file", dir], "it is a directory, expected a file"],
    [
      ["run", "--metrics-file", dir],
      `Cannot use --metrics-file "${dir}": expected a new file, like NAME.prom, or one with earlier metrics`,
    ],
    [
      ["enqueue", file, "--metadata-file", dir],
      `Cannot use --metadata-file "${dir}": expected a file with a JSON object`,
    ],
    [
      ["enqueue", file, "--metadata-file", host.join("missing")],
      "expected a file with a JSON object, or - for standard input",
    ],
  ]);
});

Deno.test("--metrics-file writes over nothing but metrics", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using host = new Host("http://127.0.0.1:1");
  const [pipe, link] = [host.join("pipe"), host.join("link")];
  await new Deno.Command("mkfifo", { args: [pipe] }).output();
  const file = host.write("token", "secret");
  Deno.symlinkSync(file, link);
  const notes = host.write("notes.md", "# Notes\n\nmy own text\n");
  const others = host.write(
    "node.prom",
    "# HELP node_load1 1m\nnode_load1 1\n",
  );
  const mixed = host.write("mixed", "# HELP jarvis_agent_up x\nmy own text\n");
  await assertRefused(
    host,
    [pipe, file, link, notes, others, mixed].map((path) => [
      ["run", "--metrics-file", path],
      `Cannot use --metrics-file "${path}": expected a new file, like NAME.prom, or one with earlier metrics`,
    ]),
  );
  assertEquals(Deno.readTextFileSync(file), "secret");
});

Deno.test(
  "neither moved files nor metrics are put into the data directory, by whatever link",
  {
    ignore: Deno.build.os === "windows",
  },
  async () => {
    await using host = new Host("http://127.0.0.1:1");
    const link = host.join("link");
    Deno.symlinkSync(host.dataDir, link);
    const run = ["run", "--dry-run", "--watch", host.makeDir("in")];
    const dirs = [host.dataDir, `${host.dataDir}/spool/new`, `${link}/done`];
    const outside = `outside the data directory "${host.dataDir}"`;
    const cases = () =>
      dirs.flatMap((dir): Case[] => [
        [
          [...run, "--after-upload", `move:${dir}`],
          `Cannot use --after-upload "move:${dir}": expected move:DIR with a DIR ${outside}`,
        ],
        [
          [...run, "--metrics-file", `${dir}/agent.lock`],
          `Cannot use --metrics-file "${dir}/agent.lock": expected a file ${outside}`,
        ],
      ]);
    await assertRefused(host, cases());
    // Where the data directory is there, and its spool on another disk.
    await host.enqueue(host.write("a.png"));
    Deno.renameSync(`${host.dataDir}/spool`, host.join("elsewhere"));
    Deno.symlinkSync(host.join("elsewhere"), `${host.dataDir}/spool`);
    dirs.push(host.join("elsewhere/done"));
    await assertRefused(host, cases());
  },
);

Deno.test("an empty argument of a command that takes none is refused as that", async () => {
  const { code, stderr } = await runInProcess(["resume", ""]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, 'Cannot use "": "resume" takes no arguments');
});

Deno.test("export copies nothing into the data directory or a watched folder, and takes no capture for a folder", async () => {
  await using host = new Host();
  const ids = await host.enqueue(host.write("a.png"), host.write("b.png"));
  const watched = host.makeDir("watched");
  {
    using queue = host.queue();
    const folder = { path: watched, watchedBy: "events", reason: null };
    queue.setAgentState({ folders: JSON.stringify([folder]) });
  }
  await assertRefused(host, [
    [["export", ...ids], `into "${ids[1]}": it is a capture's id, expected`],
    [["export", ids[0]!, host.dataDir], "it is in the data directory"],
    [["export", ids[0]!, `${host.dataDir}/spool`], "in the data directory"],
    [["export", ids[0]!, watched], "it is in a watched folder, and all would"],
    [["export", ids[0]!, `${watched}/out`], "it is in a watched folder"],
  ]);
  assert(!exists(ids[1]!));
  assertEquals([...Deno.readDirSync(watched)], []);
});

Deno.test("what to do about a full spool is said once for all files", async () => {
  await using host = new Host();
  const paths = ["a", "b", "c"].map((name) => host.write(name));
  const { code, stderr } = await runInProcess(
    ["enqueue", ...paths, "--max-spool-bytes", "0"],
    host.env,
  );
  assertEquals(code, 75);
  const lines = stderr.trimEnd().split("\n");
  assertEquals(lines.length, 5);
  assertStringIncludes(lines[4]!, "allow more: --max-spool-bytes, --min-free");
});

Deno.test(
  "a current directory that was removed is named as what is in the way",
  {
    // Windows removes no directory that is in use.
    ignore: Deno.build.os === "windows",
  },
  async () => {
    await using host = new Host();
    const before = Deno.cwd();
    const dir = host.makeDir("gone");
    Deno.chdir(dir);
    Deno.removeSync(dir);
    try {
      for (const args of [["enqueue", "a.png"], ["list", "--data-dir", "x"]]) {
        const { code, stderr } = await runInProcess(args, host.env);
        assertEquals(code, 1);
        assertStringIncludes(stderr, "The current directory is not there any");
      }
    } finally {
      Deno.chdir(before);
    }
  },
);
