import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { runInProcess } from "../../helpers/in_process.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

const ignore = Deno.build.os === "windows";

/** A home with a settings file in it, as `service install` leaves it. */
function homeWith(dir: TempDir, settings: string) {
  Deno.mkdirSync(dir.join(".config", "jarvis"), { recursive: true });
  const file = dir.write(".config/jarvis/agent.env", settings);
  Deno.chmodSync(file, 0o600);
  return { file, env: { HOME: dir.join() } };
}

interface Row {
  name: string;
  value: string | null;
  source: string;
}

Deno.test("enqueue puts a file into the queue that the service delivers", {
  ignore,
}, async () => {
  await using dir = new TempDir();
  const data = dir.join("jdata");
  const { env } = homeWith(dir, `JARVIS_DATA_DIR="${data}"\n`);
  const { code, stderr } = await runInProcess(
    ["enqueue", dir.write("door.png", "door")],
    env,
  );
  assertEquals(code, 0);
  assertStringIncludes(stderr, `Made a new queue in "${data}"`);
  const status = await runInProcess(["status", "--json"], env);
  const { pending, database } = JSON.parse(status.stdout);
  assertEquals(
    { pending, path: database.path },
    { pending: 1, path: `${data}/queue.db` },
  );
});

Deno.test(
  "flags come before the environment, that before the file, that before defaults",
  {
    ignore,
  },
  async () => {
    await using dir = new TempDir();
    const { file, env } = homeWith(
      dir,
      [
        "JARVIS_TIMEOUT=1m",
        "JARVIS_CONCURRENCY=4",
        "JARVIS_GRACE=3",
        "JARVIS_VERBOSE=yes",
      ].join("\n"),
    );
    const { code, stdout } = await runInProcess(
      ["config", "--json", "--timeout", "5"],
      { ...env, JARVIS_CONCURRENCY: "2" },
    );
    assertEquals(code, 0);
    const rows: Row[] = JSON.parse(stdout);
    const shown = ["timeout", "concurrency", "grace", "verbose", "proof"]
      .map((name) => {
        const { value, source } = rows.find((row) => row.name === name)!;
        return `${name}=${value} by ${source}`;
      });
    assertEquals(shown, [
      "timeout=5 by --timeout",
      "concurrency=2 by JARVIS_CONCURRENCY",
      `grace=3 by JARVIS_GRACE in "${file}"`,
      `verbose=yes by JARVIS_VERBOSE in "${file}"`,
      "proof=id by default",
    ]);
  },
);

Deno.test("--config names another settings file, which must be there", {
  ignore,
}, async () => {
  await using dir = new TempDir();
  const { env } = homeWith(dir, "JARVIS_GRACE=3\n");
  const other = dir.write("other.env", "JARVIS_GRACE=7\n");
  Deno.chmodSync(other, 0o600);
  const { stdout } = await runInProcess(["config", "--config", other], env);
  assertStringIncludes(stdout, `7 (JARVIS_GRACE in "${other}")`);
  const missing = await runInProcess(
    ["status", "--config", dir.join("none")],
    env,
  );
  assertEquals(missing.code, 2);
  assertMatch(missing.stderr, /Cannot read the settings file ".*none"/);
});

Deno.test("a wrong value in the settings file is told with the file's name", {
  ignore,
}, async () => {
  await using dir = new TempDir();
  const { file, env } = homeWith(dir, "JARVIS_GRACE=soon\n");
  const { code, stderr } = await runInProcess(["config"], env);
  assertEquals(code, 2);
  assertStringIncludes(
    stderr,
    `Cannot use JARVIS_GRACE in "${file}" "soon": expected a time`,
  );
});

Deno.test(
  "a variable or line that nothing reads is told of, with the nearest name",
  {
    ignore,
  },
  async () => {
    await using dir = new TempDir();
    const { file, env } = homeWith(
      dir,
      "JARVIS_DATADIR=/x\nOTHER=1\nexport JARVIS_GRACE=3\n",
    );
    const { code, stderr } = await runInProcess(
      ["status"],
      { ...env, JARVIS_SERVER_ULR: "x", JARVIS_TOKEN: "t" },
    );
    assertEquals(code, 0);
    assertEquals(stderr.split("\n"), [
      `jarvis-agent: Nothing reads line 3 of "${file}": expected NAME=value, without "export": no shell reads it`,
      "jarvis-agent: Nothing reads the variable JARVIS_SERVER_ULR in the environment; did you mean JARVIS_SERVER_URL?",
      `jarvis-agent: Nothing reads the variable JARVIS_DATADIR in "${file}"; did you mean JARVIS_DATA_DIR?`,
      "",
    ]);
  },
);

Deno.test("a token of the environment takes the place of the file's", {
  ignore,
}, async () => {
  await using dir = new TempDir();
  const { env } = homeWith(dir, "JARVIS_TOKEN_FILE=/not/there\n");
  const { code, stdout, stderr } = await runInProcess(
    ["config"],
    { ...env, JARVIS_TOKEN: "s3cret" },
  );
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  assertMatch(stdout, /^token +set$/m);
  assertEquals(stdout.includes("s3cret"), false);
});

Deno.test("the settings file of another user is refused", {
  ignore: ignore || Deno.uid() !== 0,
}, async () => {
  await using dir = new TempDir();
  const { file, env } = homeWith(dir, "JARVIS_GRACE=3\n");
  Deno.chownSync(file, 65534, 65534);
  const { code, stderr } = await runInProcess(["status"], env);
  assertEquals(code, 2);
  assertMatch(stderr, /agent.env" belongs to another user \(uid 65534/);
});

Deno.test("a command that only looks makes nothing", { ignore }, async () => {
  await using dir = new TempDir();
  const { env } = homeWith(dir, `JARVIS_DATA_DIR=${dir.join("jdata")}\n`);
  await runInProcess(["status"], env);
  await runInProcess(["config"], env);
  assertEquals([...Deno.readDirSync(dir.join())].map(({ name }) => name), [
    ".config",
  ]);
});

Deno.test("run says in JSON what is wrong with options and settings, wherever the format was given", async () => {
  await using dir = new TempDir();
  const file = dir.write(
    "agent.env",
    "JARVIS_LOG_FORMAT=json\nexport NAME=1\nJARVIS_SERVR_URL=x\nJARVIS_CONCURRENCY=many\n",
  );
  Deno.chmodSync(file, 0o640);
  const cases: [string[], Record<string, string>, string[]][] = [
    [["--log-format", "json", "--foo"], {}, ["error", "error"]],
    [["--log-format=json"], { JARVIS_TYPO: "1" }, ["warn", "error", "error"]],
    [["x"], { JARVIS_LOG_FORMAT: "json" }, ["error", "error"]],
    [["--config", file], {}, ["warn", "warn", "error", "error"]],
  ];
  for (const [args, env, levels] of cases) {
    const { code, stderr } = await runInProcess(["run", ...args], {
      JARVIS_DATA_DIR: dir.join("data"),
      ...env,
    });
    assertEquals(code, 2);
    const lines = stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
    assertEquals(lines.map(({ level }) => level), levels, stderr);
    for (const { time, event, message } of lines) {
      assert(Date.parse(time) > 0 && event === "note");
      assert(!message.startsWith("jarvis-agent: "), message);
    }
  }
  const text = await runInProcess(["config", "--log-format=json", "--foo"]);
  assertMatch(text.stderr, /^jarvis-agent: Unknown option "--foo"/);
});
