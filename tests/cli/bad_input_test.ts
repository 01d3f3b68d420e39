import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CaptureServer, deadUrl } from "../helpers/capture_server.ts";
import { IS_OLDEST_DENO } from "../helpers/deno_version.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";

const onWindows = Deno.build.os === "windows";

Deno.test("a reader that goes ends nothing early, and is no error", {
  ignore: onWindows,
}, async () => {
  await using host = new Host();
  const { code, stderr } = await host.inShell(
    '{ "$@"; echo "exit $?" >&2; } | head -n 1',
    ...["enqueue", ...host.writeMany(50)],
  );
  assertEquals([code, stderr.endsWith("\nexit 0\n")], [0, true]);
  assertEquals((await host.json<{ pending: number }>("status")).pending, 50);
  const list = await host.inShell('"$@" | true', "list");
  assertEquals([list.code, list.stderr], [0, ""]);
});

Deno.test(
  "output that cannot be written is an error, a log that cannot is none",
  {
    ignore: Deno.build.os !== "linux",
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const [id] = await host.enqueue(host.write("a.png"));
    const list = await host.inShell('"$@" > /dev/full', "list");
    assertEquals(list.code, 1);
    assertStringIncludes(list.stderr, "Cannot write to standard output: ");
    for (const option of ["--version", "--help"]) {
      const { code, stderr } = await host.inShell('"$@" > /dev/full', option);
      assertEquals(code, 1);
      assertMatch(stderr, /^jarvis-agent: Cannot write to standard output/);
    }
    const sync = await host.inShell('"$@" 2> /dev/full', "sync");
    assertEquals(sync.stdout, "1 delivered, 0 failed, 0 left\n");
    assertEquals(server.uploads.map(({ key }) => key), [id]);
  },
);

Deno.test(
  "what was done with a file is told on standard error where the output cannot be written",
  {
    ignore: Deno.build.os !== "linux",
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const full = "Cannot write to standard output: ";
    const said = (args: string[]) =>
      host.inShell('"$@" > /dev/full', ...args)
        .then(({ code, stderr }) => [code, stderr] as const);
    const newest = async () =>
      (await host.json<{ id: string }[]>("list")).at(-1)!.id;
    const path = host.write("a.png");
    for (const json of [[], ["--json"]]) {
      const [code, stderr] = await said(["enqueue", ...json, path]);
      const id = await newest();
      assertEquals(code, 1);
      assertStringIncludes(stderr, `: "${path}" is queued as ${id}; ${full}`);
    }
    const [code, sent] = await said(["upload", path]);
    assertEquals(code, 1);
    assertStringIncludes(sent, `: ${path}: delivered as server-`);
    server.answer = () => new Response(null, { status: 401 });
    const [, queued] = await said(["upload", "--json", path]);
    const id = await newest();
    assertStringIncludes(queued, `: ${path}: queued as ${id}, not delivered`);
    assertStringIncludes(queued, `; ${full}`);
  },
);

Deno.test(
  "a name that is not valid UTF-8 is refused with what to do about it",
  {
    // Deno 2.4 does not start a program with such an argument.
    ignore: Deno.build.os !== "linux" || IS_OLDEST_DENO,
  },
  async () => {
    await using host = new Host(deadUrl());
    const good = host.write("good.png");
    const { code, stdout, stderr } = await host.inShell(
      'cd "$JARVIS_DATA_DIR/.."; n="$(printf "caf\\351.png")"; touch "$n"; exec "$@" "$n"',
      ...["enqueue", good],
    );
    assertEquals([code, stdout.split("\n").length], [1, 2]);
    assertStringIncludes(
      stderr,
      "a name that is not valid UTF-8 cannot be used",
    );
  },
);

Deno.test(
  "files that are no captures are refused by name, and the others are queued",
  {
    ignore: onWindows,
  },
  async () => {
    await using host = new Host(deadUrl());
    const dir = host.makeDir("folder");
    const pipe = host.join("pipe");
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    const dangling = host.join("dangling");
    Deno.symlinkSync(host.join("nowhere"), dangling);
    const file = host.write("file");
    const bad = [dir, pipe, dangling, host.join("missing")];
    bad.push(`${file}/`, `${file}/.`);
    const locked = host.write("locked");
    Deno.chmodSync(locked, 0);
    // root may read everything.
    if (Deno.uid() !== 0) bad.push(locked);
    const good = [
      host.write("empty", ""),
      host.write(`"it's" \n\u{1f4f7}`, "x"),
    ];
    for (const command of ["enqueue", "upload"]) {
      const { code, stdout, stderr } = await host.run(command, ...bad, ...good);
      assertEquals(code, 1);
      assertEquals(stdout.trimEnd().split("\n").length, good.length, stdout);
      const complaints = stderr.trimEnd().split("\n")
        .filter((line) => !line.includes("Made a new queue"));
      bad.forEach((path, i) =>
        assertStringIncludes(complaints[i]!, `"${path}"`)
      );
      assertStringIncludes(
        complaints[0]!,
        "it is a directory, expected a file",
      );
      assertStringIncludes(complaints[1]!, "it is not a regular file");
    }
  },
);

Deno.test("what the program may not read is refused with what to do about it", {
  // Deno 2.4 reads these with its other permissions.
  ignore: Deno.build.os !== "linux" || IS_OLDEST_DENO,
}, async () => {
  await using host = new Host(deadUrl());
  const enqueue = await host.run("enqueue", "/proc/version");
  assertEquals(enqueue.code, 1);
  assertStringIncludes(enqueue.stderr, "copy it to one first");
  const run = await host.run("run", "--watch", "/dev/shm");
  assertEquals(run.code, 2);
  assertStringIncludes(
    run.stderr,
    '"/dev/shm": expected a folder not below',
  );
});

Deno.test(
  "a path below /dev, /proc or /sys, or a link to there, is refused in words that help",
  {
    ignore: Deno.build.os !== "linux" || IS_OLDEST_DENO,
  },
  async () => {
    await using host = new Host(deadUrl());
    const link = host.join("link");
    Deno.symlinkSync("/dev/shm", link);
    const file = host.write("a.png");
    const bounds = "below /dev, /proc or /sys, where nothing can be used";
    const options = {
      "data-dir": ["/proc/x", "/dev/shm/x", link, `${link}/x`],
      "after-upload": ["move:/proc/x", `move:${link}/x`],
      "metrics-file": ["/sys/x.prom", `${link}/x.prom`],
      "watch": ["/proc/x", link],
    };
    for (const [name, values] of Object.entries(options)) {
      for (const value of values) {
        const { code, stderr } = await host.run("run", `--${name}`, value);
        assertEquals(code, 2, stderr);
        const [line] = stderr.split("\n");
        assertStringIncludes(
          line!,
          `Cannot use --${name} "${value}": expected `,
        );
        assertStringIncludes(line!, ` not ${bounds}`);
      }
    }
    // What no option names is told as well as it can be.
    const secret = "/proc/self/status";
    for (
      const args of [
        ["enqueue", file, "--metadata-file", "/proc/x"],
        ["enqueue", file, "--no-copy", link],
        ["check", "--token-file", secret],
        ["check", "--ca-file", secret],
        ["status", "--config", secret],
        ["export", file, "/dev/shm/x"],
      ]
    ) {
      const { code, stderr } = await host.run(...args);
      assertEquals(code > 0, true, args.join(" "));
      assertEquals(/allow-all|Requires/.test(stderr), false, stderr);
    }
    host.env.XDG_DATA_HOME = "/dev/shm";
    delete host.env.JARVIS_DATA_DIR;
    const { code, stderr } = await host.run("status");
    assertEquals(code, 1);
    assertEquals(
      stderr,
      `jarvis-agent: Cannot use the data directory "/dev/shm/jarvis": "/dev/shm/jarvis/queue.db" is ${bounds}, expected another path (--data-dir names it)\n`,
    );
  },
);

Deno.test("a file that vanishes after it was queued is delivered from its copy, and fails without one", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const [copied, named] = [host.write("copied"), host.write("named")];
  await host.enqueue(copied);
  await host.run("enqueue", "--no-copy", named);
  Deno.removeSync(copied);
  Deno.removeSync(named);
  const { code, stdout } = await host.run("sync");
  assertEquals([code, stdout], [1, "1 delivered, 1 failed, 0 left\n"]);
  assertEquals(server.names, ["copied"]);
  const { stdout: list } = await host.run("list");
  assertMatch(list, /\n {4}.*named": the file is gone|no such file/);
});

Deno.test("a file that changes after it was queued without a copy is refused", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const path = host.write("a.log", "at first");
  await host.run("enqueue", "--no-copy", path);
  Deno.writeTextFileSync(path, ", and later", { append: true });
  const { stdout } = await host.run("sync");
  assertStringIncludes(stdout, "1 failed");
  assertEquals(server.uploads, []);
});

Deno.test("plain http:// to another machine needs to be allowed", async () => {
  await using host = new Host("http://captures.example.org");
  const expected = "(JARVIS_SERVER_URL; --allow-insecure allows it)";
  for (const args of [["check"], ["run"], ["upload", "x"]]) {
    const { code, stderr } = await host.run(...args);
    assertEquals(code, 2);
    assertStringIncludes(stderr, expected);
  }
  const doctor = await host.run("doctor");
  assertEquals(doctor.code, 1);
  assertStringIncludes(doctor.stdout, expected);
  // A proxy that nobody listens at: nothing leaves this machine.
  host.env.HTTP_PROXY = deadUrl();
  assertEquals((await host.run("check", "--allow-insecure")).code, 75);
});

Deno.test("an agent goes on when its log's reader has gone", {
  ignore: onWindows,
}, async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const running = host.inShell('"$@" 2>&1 | head -n 1; wait', ...[
    "run",
    "--verbose",
  ]);
  let pid: number | null = null;
  await eventually("it runs", async () => {
    const { agent } = await host.json<{ agent: { pid: number } }>("status");
    return pid = agent.pid;
  });
  await host.enqueue(host.write("a"), host.write("b"));
  await eventually("both arrive", () => server.uploads.length === 2);
  Deno.kill(pid!, "SIGTERM");
  await running;
});

Deno.test({
  name:
    "a file larger than this process may write is refused in words, and nothing of it stays",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using host = new Host();
    const large = host.write("large.bin", new Uint8Array(20_000_000));
    // Some shells count by 512 bytes, others by 1024.
    const { code, stderr } = await host.inShell(
      'ulimit -f 18000; exec "$@"',
      ...["enqueue", large],
    );
    assertEquals(code, 75, stderr);
    assertStringIncludes(
      stderr,
      "Cannot take a capture: a file as large as its copy may not be written here (EFBIG)\n",
    );
    assertStringIncludes(stderr, '"ulimit -f"');
    using queue = host.queue();
    assertEquals(queue.getStats().pending, 0);
  },
});

Deno.test("a missing settings file and a folder in the place of the queue are told in a line each", async () => {
  await using host = new Host();
  const missing = host.join("missing");
  const config = await host.run("list", "--config", missing);
  assertEquals(config.code, 2);
  assertStringIncludes(
    config.stderr,
    `jarvis-agent: Cannot read the settings file "${missing}": no such file, expected one to be there\n`,
  );
  const queue = `${host.makeDir("data/queue.db")}`;
  Deno.chmodSync(host.dataDir, 0o700);
  const what =
    "it is a directory, expected a file; move it away, then try again";
  for (
    const [args, said] of [
      [["list"], `Cannot open the queue "${queue}": ${what}`],
      [["enqueue", host.write("a.png")], `Cannot open "${queue}": ${what}`],
    ] as const
  ) {
    const { code, stderr } = await host.run(...args);
    assertEquals([code, stderr.split("\n").at(-2)], [
      1,
      `jarvis-agent: ${said}`,
    ]);
  }
});
