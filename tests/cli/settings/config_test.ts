import { assertEquals, assertThrows } from "@std/assert";
import { DELIMITER, join } from "@std/path";
import { parseCommandLine } from "../../../sync/cli/command_line.ts";
import { optionsOf } from "../../../sync/cli/command.ts";
import { COMMANDS } from "../../../sync/cli/commands.ts";
import {
  readSettings,
  type Settings,
} from "../../../sync/cli/settings/config.ts";
import {
  BANDWIDTH_FORM,
  SCHEDULE_FORM,
} from "../../../sync/cli/settings/timetable.ts";
import { UsageError } from "../../../sync/cli/arguments.ts";
import {
  type OptionName,
  OPTIONS,
  type OptionSpec,
} from "../../../sync/cli/settings/options.ts";
import { runInProcess } from "../../helpers/in_process.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

const onWindows = Deno.build.os === "windows";
const HOME = onWindows ? "C:\\home" : "/home/me";

/** What the settings become of a command line of `run`. */
function settings(
  args: string[],
  variables: Record<string, string> = {},
): Settings {
  const env = (name: string) => ({ HOME, ...variables })[name];
  const { given } = parseCommandLine(args, optionsOf(COMMANDS.run!), env);
  return readSettings(given, { env, err: () => {} });
}

/** A command that takes the option. */
function commandWith(option: OptionName): string {
  return Object.entries(COMMANDS)
    .find(([, command]) => optionsOf(command).includes(option))![0];
}

const SECONDS = "a time from 0s to 24h, in seconds or like 5m, 1.5h or 7d";
const BYTES = "a number of bytes like 512, 100K, 20M or 1.5G";

/** Values that no option takes, and what is said to be expected instead. */
const WRONG: Partial<Record<OptionName, [values: string[], expected: string]>> =
  {
    "allow-insecure": [["maybe", "2"], "true or false"],
    "timeout": [
      ["0", "-5", "x", "1e9", "86401", "25h", "50ms", "1 s", "s", "5m3"],
      "a time from 100ms to 24h, in seconds or like 5m, 1.5h or 7d",
    ],
    "concurrency": [
      ["0", "65", "1.5", "-1", "four", " "],
      "a whole number from 1 to 64",
    ],
    "settle": [["-1", "1e9", "Infinity", "0x10"], SECONDS],
    "grace": [["-1", "NaN", "99999"], SECONDS],
    "after-upload": [["keep it", "move", "move:"], "keep, delete or move:DIR"],
    "order": [["first", "OLDEST"], "oldest or newest"],
    "log-level": [["loud"], "info, debug, warn or error"],
    "log-format": [["xml"], "text or json"],
    "proof": [["ID", "body"], "id or status"],
    "listen": [
      ["here", "127.0.0.1:", "127.0.0.1:70000"],
      "an address and a port like 127.0.0.1:9464",
    ],
    "heartbeat-url": [
      ["here", "ftp://x/y", "here:hush"],
      "an address that begins with https://",
    ],
    "listen-anywhere": [["maybe"], "true or false"],
    "max-spool-bytes": [["-1", "1.G", "much", "20X", "G"], BYTES],
    "bandwidth": [["-1", "fast", "512", "08:00,fast"], BANDWIDTH_FORM],
    "schedule": [["night", "22:00", "Foo 10:00-12:00"], SCHEDULE_FORM],
    "min-free-bytes": [["-1", "256MM"], BYTES],
    "min-size": [["-1", "big"], BYTES],
    "max-size": [["-1", "big"], BYTES],
    "status": [["done", "PENDING"], "pending, uploading, failed or delivered"],
    "limit": [["0", "-3", "2.5", "all"], "a whole number from 1 to 1000000000"],
    "priority": [
      ["-1", "101", "1.5", "high"],
      "a whole number from 0 to 100",
    ],
    "since": [
      ["yesterday", "-2h"],
      "a time from 0s to 36500d, in seconds or like 5m, 1.5h or 7d, or a date like 2026-03-01",
    ],
    "days": [
      ["-1", "a week", "1w"],
      "a time from 0d to 36500d, in days or like 5m, 1.5h or 7d",
    ],
    "json": [["2"], "true or false"],
    "verbose": [["loud"], "true or false"],
    "failed": [["2"], "true or false"],
    "all": [["2"], "true or false"],
    "no-copy": [["2"], "true or false"],
    "metadata-json": [["[]", "{", "3", "null"], "expected a JSON object"],
  };

for (const [name, wrong] of Object.entries(WRONG)) {
  const option = name as OptionName;
  const [values, expected] = wrong;
  Deno.test(`a wrong value of --${option} ends with 2, naming it and what was expected`, async () => {
    const { env } = OPTIONS[option] as OptionSpec;
    const command = commandWith(option);
    const args = COMMANDS[command]!.args ? [command, "file"] : [command];
    for (const value of values) {
      const both = await Promise.all([
        runInProcess([...args, `--${option}=${value}`], { HOME }),
        env ? runInProcess(args, { HOME, [env]: value }) : undefined,
      ]);
      both.forEach((result, i) => {
        if (!result) return;
        const source = i === 0 ? `--${option}` : env;
        // Its path may be a secret, and so may be all of what is no address.
        const shown = option !== "heartbeat-url"
          ? value
          : value.startsWith("ftp")
          ? "ftp://x/…"
          : "…";
        const what = option === "metadata-json"
          ? `--metadata-json: `
          : `Cannot use ${source} "${shown}": expected ${expected}\n`;
        assertEquals(result.code, 2, `${source} ${value}`);
        assertEquals(result.stderr.includes(what), true, result.stderr);
        assertEquals(result.stderr.includes(expected), true, result.stderr);
      });
    }
  });
}

Deno.test("a negative number is a value, and no option", async () => {
  for (const value of ["-3", "-0.5"]) {
    const { stderr } = await runInProcess(["list", "--limit", value], { HOME });
    assertEquals(stderr.includes(`Cannot use --limit "${value}": `), true);
  }
});

Deno.test("every option with a value is refused without one", async () => {
  for (const [name, { value }] of Object.entries<OptionSpec>(OPTIONS)) {
    if (!value) continue;
    const command = commandWith(name as OptionName);
    for (const args of [[`--${name}`], [`--${name}=`], [`--${name}`, "--"]]) {
      const { code, stderr } = await runInProcess([command, ...args], { HOME });
      assertEquals(code, 2);
      assertEquals(
        stderr.split("\n")[0],
        `jarvis-agent: Cannot use --${name} without a value: expected ${value}`,
      );
    }
  }
});

Deno.test("metadata without a key is refused, and not repeated", async () => {
  for (const text of ["hush", "=hush"]) {
    const { code, stderr } = await runInProcess(
      ["enqueue", "file", "--metadata", text],
      { HOME },
    );
    assertEquals(code, 2);
    assertEquals(stderr.includes("expected KEY=VALUE, like door=3"), true);
    assertEquals(stderr.includes("hush"), false);
  }
});

Deno.test("settings have the defaults that the help names", () => {
  const { token: _, bandwidth, ...rest } = settings([]);
  assertEquals(bandwidth.text, "off");
  assertEquals(rest, {
    server: null,
    dataDir: join(HOME, ".local", "share", "jarvis"),
    tokenFile: null,
    tlsFiles: [],
    tls: {},
    proof: "id",
    allowInsecure: false,
    timeoutMs: 30_000,
    concurrency: 32,
    order: "oldest",
    schedule: null,
    watch: [],
    settleMs: undefined,
    filter: { exclude: [], minSizeBytes: 0, maxSizeBytes: Infinity },
    ownPaths: [
      join(HOME, ".config", "jarvis", "agent.env"),
      join(HOME, ".local", "share", "jarvis"),
      ...[
        "spool",
        ...["queue.db", "queue.db-wal", "queue.db-shm", "queue.db-reserve"],
        "agent.lock",
        join("spool", "records.jsonl"),
      ].map((name) => join(HOME, ".local", "share", "jarvis", name)),
    ],
    afterUpload: { kind: "keep" },
    graceMs: 10_000,
    maxSpoolBytes: Infinity,
    minFreeBytes: 256 * 1024 * 1024,
    keepHistoryMs: 90 * 86_400_000,
    copyUpToBytes: 8 * 1024 * 1024,
    mode: "copy",
    logLevel: "info",
    logFormat: "text",
    monitor: {
      listen: null,
      metricsFile: null,
      heartbeatUrl: null,
      otlp: null,
    },
  });
});

Deno.test("the command line outweighs the environment, and the environment the defaults", () => {
  const env = { JARVIS_CONCURRENCY: "8", JARVIS_VERBOSE: "1" };
  assertEquals(settings([], env).concurrency, 8);
  assertEquals(settings([], env).logLevel, "debug");
  assertEquals(settings(["--concurrency", "2"], env).concurrency, 2);
  assertEquals(settings(["--verbose=false"], env).logLevel, "info");
  assertEquals(settings([], { JARVIS_CONCURRENCY: "" }).concurrency, 32);
  const night = { JARVIS_SCHEDULE: "22:00-06:00" };
  assertEquals(settings(["--schedule", "always"], night).schedule, null);
});

Deno.test("numbers of bytes take units of 1024", () => {
  for (
    const [text, bytes] of [
      ["512", 512],
      ["100K", 102_400],
      ["20m", 20_971_520],
      ["4GiB", 4_294_967_296],
      ["1TB", 1_099_511_627_776],
      ["1.5G", 1_610_612_736],
      ["0.5 KB", 512],
    ] as const
  ) {
    assertEquals(settings(["--max-spool-bytes", text]).maxSpoolBytes, bytes);
  }
});

Deno.test("times are seconds, or written as people write them", () => {
  for (
    const [text, ms] of [
      ["90", 90_000],
      ["0.5", 500],
      ["250ms", 250],
      ["45s", 45_000],
      ["5m", 300_000],
      ["1.5h", 5_400_000],
      ["1h30m", 5_400_000],
      ["1d", 86_400_000],
    ] as const
  ) assertEquals(settings(["--grace", text]).graceMs, ms, text);
});

Deno.test("every option that takes a time or a size takes it as people write it, and says so where it cannot", async () => {
  await using dir = new TempDir();
  const written: Record<string, [text: string, expected: string]> = {
    SECONDS: ["5m", "like 5m, 1.5h or 7d"],
    DAYS: ["5m", "in days or like 5m, 1.5h or 7d"],
    TIME: ["5m", "like 5m, 1.5h or 7d"],
    BYTES: ["1.5G", "a number of bytes like 512, 100K, 20M or 1.5G"],
  };
  const all = Object.entries<OptionSpec>(OPTIONS)
    .filter(([, { value = "" }]) => value in written);
  for (const [name, { value }] of all) {
    const command = COMMANDS.config!.options.includes(name as OptionName)
      ? "config"
      : commandWith(name as OptionName);
    const [text, expected] = written[value!]!;
    const data = `--data-dir=${dir.join("data")}`;
    const run = (text: string, ...more: string[]) =>
      runInProcess([command, data, `--${name}=${text}`, ...more], { HOME });
    const more = name === "max-age" ? ["--check"] : [];
    const taken = await run(text, ...more);
    assertEquals(taken.stderr.includes("Cannot use"), false, taken.stderr);
    const refused = await run("soon", ...more);
    assertEquals(refused.code, 2, name);
    assertEquals(refused.stderr.includes(expected), true, refused.stderr);
  }
});

Deno.test("what of watched folders is wanted comes from globs and sizes", () => {
  const env = { JARVIS_EXCLUDE: ["raw/**", "*.bak"].join(DELIMITER) };
  const args = ["--include", "*.png", "--include", "*.jpg", "--min-size", "1K"];
  assertEquals(settings(args, env).filter, {
    include: ["*.png", "*.jpg"],
    exclude: ["raw/**", "*.bak"],
    minSizeBytes: 1024,
    maxSizeBytes: Infinity,
  });
  assertThrows(
    () => settings(["--min-size", "2K", "--max-size", "1K"]),
    UsageError,
    'Cannot use --min-size "2K": expected no more than --max-size',
  );
});

Deno.test("the server's address is checked, and the option named that gave it", () => {
  const refused = (text: string, message: string, env = {}) =>
    assertThrows(
      () => settings(text ? ["--server", text] : [], env),
      UsageError,
      message,
    );
  for (const text of ["hush", "hush://a", "https://me:hush@[a"]) {
    const error = refused(text, "server address: expected an address like");
    assertEquals(error.message.includes("hush"), false, error.message);
  }
  refused("ftp://a.example", "(--server)");
  refused("https://a.example?x=1", "with a query or fragment");
  refused("https://me:hush@a.example", 'with credentials in it (host "a.exam');
  refused("", "(JARVIS_SERVER_URL)", { JARVIS_SERVER_URL: "nonsense" });
  refused("http://a.example", "(--server; --allow-insecure allows it)");
  assertEquals(
    settings(["--server", "http://a.example", "--allow-insecure"]).server,
    "http://a.example",
  );
  assertEquals(
    settings(["--server", "http://127.0.0.1:8000/below/"]).server,
    "http://127.0.0.1:8000/below",
  );
});

Deno.test("config and messages show of a heartbeat's address where it leads, of the token's command the program", async () => {
  const shown: [name: string, text: string, shown: string][] = [
    [
      "heartbeat-url",
      "https://ping.example/hush?x=hush#hush",
      "https://ping.example/…",
    ],
    ["heartbeat-url", "http://ping.example:8080", "http://ping.example:8080/…"],
    ["token-command", "/usr/bin/printf hush", "/usr/bin/printf …"],
    ["token-command", "KEY=hush printf a", "…"],
    ["token-command", "/bin/hostname", "/bin/hostname"],
  ];
  for (const [name, text, expected] of shown) {
    for (const more of [[], ["--json"]]) {
      const args = ["config", `--${name}`, text, ...more];
      const { code, stdout, stderr } = await runInProcess(args, { HOME });
      assertEquals(code, 0, stderr);
      assertEquals(stdout.includes("hush"), false, stdout);
      const line = more.length > 0
        ? `{"name":"${name}","value":"${expected}",`
        : `${name.padEnd(16)} ${expected} (--${name})\n`;
      assertEquals(stdout.includes(line), true, stdout);
    }
  }
  for (
    const text of ["http://u:hush@ping.example/hush", "u:hush@ping.example"]
  ) {
    const { code, stderr } = await runInProcess(
      ["run", "--heartbeat-url", text],
      { HOME },
    );
    assertEquals(code, 2);
    assertEquals(stderr.includes("hush"), false, stderr);
    assertEquals(stderr.includes('Cannot use --heartbeat-url "'), true, stderr);
  }
});

Deno.test("the queue is kept where XDG says, unless that is relative", {
  ignore: onWindows,
}, () => {
  const dataDir = (env: Record<string, string>, ...args: string[]) =>
    settings(args, env).dataDir;
  assertEquals(dataDir({ XDG_DATA_HOME: "/data" }), "/data/jarvis");
  assertEquals(
    dataDir({ XDG_DATA_HOME: "data" }),
    "/home/me/.local/share/jarvis",
  );
  assertEquals(dataDir({ JARVIS_DATA_DIR: "/x" }, "--data-dir", "/y"), "/y");
  assertEquals(dataDir({}, "--data-dir", "x"), join(Deno.cwd(), "x"));
  assertThrows(
    () => settings([], { HOME: "" }),
    UsageError,
    "neither HOME nor XDG_DATA_HOME is set to an absolute path: expected --data-dir DIR",
  );
  assertThrows(() => settings([], { HOME: "me" }), UsageError, "--data-dir");
  assertEquals(dataDir({ HOME: "", XDG_DATA_HOME: "/data" }), "/data/jarvis");
});

Deno.test("watched folders may come later, but are no files, and apart from the data directory", async () => {
  await using dir = new TempDir();
  const data = dir.join("data");
  const [watched, below] = [dir.join("in"), dir.join("data", "in")];
  Deno.mkdirSync(watched);
  Deno.mkdirSync(below, { recursive: true });
  const link = dir.join("link");
  Deno.symlinkSync(below, link);
  const file = dir.write("file", "");
  const refused = (folder: string, expected: string) =>
    assertThrows(
      () =>
        settings(["--data-dir", data, "--watch", folder, "--watch", watched]),
      UsageError,
      `Cannot use --watch "${folder}": expected a folder${expected}`,
    );
  const later = ", or the absolute path of one that will be there later";
  for (const folder of ["missing", "./missing"]) refused(folder, later);
  refused(file, ", not a file");
  assertEquals(
    settings(["--data-dir", data, "--watch", dir.join("missing")]).watch,
    [dir.join("missing")],
  );
  for (const folder of [dir.path, data, below, link]) {
    refused(folder, ` apart from the data directory "${data}"`);
  }
});

Deno.test(
  "files of the agent's own that would be taken for captures are refused, whatever links lead there",
  {
    ignore: onWindows,
  },
  async () => {
    await using dir = new TempDir();
    // Neither of a wrong kind as certificates nor as metrics.
    const pem = "# HELP jarvis_agent_x -----BEGIN CERTIFICATE-----";
    const own = dir.write("in/sub/own", pem);
    const away = dir.write("away", pem);
    const [watched, link] = [dir.join("in"), dir.join("link")];
    Deno.symlinkSync(watched, link);
    Deno.symlinkSync(own, dir.join("to own"));
    Deno.symlinkSync(away, dir.join("in", "to away"));
    const at = (option: string, path: string) => [
      `--${option}=${path}`,
      ...(option === "client-key" ? [`--client-cert=${away}`] : []),
      ...(option === "client-cert" ? [`--client-key=${away}`] : []),
    ];
    const options = [
      "config",
      "token-file",
      "ca-file",
      "client-key",
      "client-cert",
      "metrics-file",
    ];
    for (const option of options) {
      const source = option === "config" ? "the settings file" : `--${option}`;
      for (const folder of [watched, link]) {
        for (
          const path of [own, join(link, "sub", "own"), dir.join("to own")]
        ) {
          assertThrows(
            () => settings(["--watch", folder, ...at(option, path)]),
            UsageError,
            `Cannot use ${source} "${path}": it would be sent from the watched "${folder}", expected a file outside of it, or one that --exclude leaves out`,
          );
        }
        settings(["--watch", folder, ...at(option, away)]);
      }
      // What is passed over there is not sent.
      settings(["--watch", watched, "--exclude=sub", ...at(option, own)]);
      settings([
        "--watch",
        dir.path,
        "--exclude=in",
        "--exclude=away",
        "--exclude=link",
        "--data-dir=/nowhere",
        ...at(option, own),
      ]);
    }
    // It is written anew in the place of the link.
    for (const path of [dir.join("in", "to away"), dir.join("in", "m.prom")]) {
      assertThrows(
        () => settings(["--watch", watched, `--metrics-file=${path}`]),
        UsageError,
        `Cannot use --metrics-file "${path}"`,
      );
    }
    const env = { XDG_CONFIG_HOME: watched };
    settings(["--watch", watched], env);
    dir.write("in/jarvis/agent.env", "");
    assertThrows(
      () => settings(["--watch", watched], env),
      UsageError,
      `the settings file "${watched}/jarvis/agent.env"`,
    );
  },
);

Deno.test("watched folders come from a list like PATH too, and none counts twice", async () => {
  await using dir = new TempDir();
  const [a, b, inside] = ["a", "..b", join("a", "inside")].map((name) => {
    Deno.mkdirSync(dir.join(name), { recursive: true });
    return dir.join(name);
  });
  const env = { JARVIS_WATCH: [inside, b, a, a, ""].join(DELIMITER) };
  assertEquals(settings([], env).watch, [b, a]);
  assertEquals(settings(["--watch", a!], env).watch, [a]);
});

Deno.test("delivered files are not moved into a watched folder, nor onto a file", async () => {
  await using dir = new TempDir();
  const watched = dir.join("in");
  Deno.mkdirSync(watched);
  const link = dir.join("link");
  Deno.symlinkSync(watched, link);
  const read = (to: string) =>
    settings(["--watch", watched, "--after-upload", `move:${to}`]).afterUpload;
  for (const to of [watched, join(watched, "done"), join(link, "done")]) {
    assertThrows(
      () => read(to),
      UsageError,
      `expected a folder outside the watched "${watched}"`,
    );
  }
  assertThrows(() => read(dir.write("file", "")), UsageError, "move:DIR");
  const done = dir.join("done");
  assertEquals(read(done), { kind: "move", dir: done });
});
