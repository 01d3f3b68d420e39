import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { SmallDisk } from "../chaos/small_disk.ts";
import { CaptureServer, deadUrl } from "../helpers/capture_server.ts";
import type { StatusReport } from "../../sync/monitor/status_report.ts";
import { runCli } from "../helpers/cli.ts";
import { Host } from "../helpers/host.ts";
import { AS_PLAIN_USER, HAS_PERMISSIONS } from "../helpers/plain_user.ts";
import {
  CAN_GIVE_AWAY,
  NEIGHBOUR,
  neighboursLink,
} from "../helpers/neighbour.ts";

const onWindows = Deno.build.os === "windows";

/** The permissions of everything below a path, by name. */
function modes(path: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name, isDirectory } of Deno.readDirSync(path)) {
    const child = `${path}/${name}`;
    const mode = Deno.statSync(child).mode! & 0o777;
    found.set(child, (isDirectory ? "d" : "-") + mode.toString(8));
    if (isDirectory) modes(child).forEach((mode, at) => found.set(at, mode));
  }
  return found;
}

Deno.test(
  "the data directory and all in it are for this user alone, whatever the umask",
  {
    ignore: !HAS_PERMISSIONS,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    host.through = AS_PLAIN_USER;
    server.answer = () => new Response(null, { status: 401 });
    const path = host.write("a.png");
    Deno.chmodSync(path, 0o600);
    for (const umask of ["000", "277", "777"]) {
      const top = host.makeDir(umask);
      host.env.JARVIS_DATA_DIR = `${top}/below/this`;
      const script = `umask ${umask}; exec "$@"`;
      const run = async (code: number, ...args: string[]) => {
        const ended = await host.inShell(script, ...args);
        assertEquals(ended.code, code, `${umask} ${args}: ${ended.stderr}`);
      };
      await run(0, "enqueue", path);
      await run(0, "export", path, `${top}/exported/here`);
      await run(75, "upload", path);
      await run(75, "sync");
      const found = modes(top);
      for (const [child, mode] of found) {
        assertEquals(mode, mode[0] === "d" ? "d700" : "-600", child);
      }
      assert(found.size > 9, [...found.keys()].join());
    }
  },
);

Deno.test(
  "a data directory that is shared with others is refused, unless it is the queue's",
  {
    ignore: onWindows,
  },
  async () => {
    await using host = new Host();
    const shared = host.makeDir("shared");
    host.env.JARVIS_DATA_DIR = shared;
    const other = host.write("shared/other", "");
    Deno.chmodSync(shared, 0o777);
    const file = host.write("a.png");
    const refused = await host.run("enqueue", file);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.stderr, "other users may read it; expected");
    assertEquals(Deno.statSync(shared).mode! & 0o777, 0o777);
    Deno.removeSync(other);
    assertEquals((await host.run("enqueue", file)).code, 0);
    assertEquals(Deno.statSync(shared).mode! & 0o777, 0o700);
    Deno.chmodSync(shared, 0o755);
    const { code, stderr } = await host.run("enqueue", file);
    assertEquals([code, Deno.statSync(shared).mode! & 0o777], [0, 0o700]);
    assertStringIncludes(
      stderr,
      `"${shared}" was open to other users (mode 755), it is closed now`,
    );
  },
);

Deno.test("a data directory that cannot be used is named, with the option that names another", async () => {
  await using host = new Host(deadUrl());
  const file = host.write("file", "");
  const commands = [
    ["enqueue", file],
    ...["run", "status", "list", "sync", "pause"].map((name) => [name]),
  ];
  for (const args of commands) {
    const path = `${file}/data`;
    const { code, stdout, stderr } = await host.run(
      ...[...args, "--data-dir", path],
    );
    assertEquals([code, stdout], [1, ""]);
    assertEquals(
      stderr,
      `jarvis-agent: Cannot use the data directory "${path}": "${file}" is a file, expected a directory (--data-dir names it)\n`,
    );
  }
  const doctor = await host.run("doctor", "--data-dir", `${file}/data`);
  assertEquals(doctor.code, 1);
  assertStringIncludes(
    doctor.stdout,
    `failure  queue: Cannot use the data directory "${file}/data": `,
  );
});

Deno.test("the queue is where XDG says, and asked for where nothing says so", {
  ignore: onWindows,
}, async () => {
  await using host = new Host();
  const home = host.makeDir("home");
  const path = host.write("a.png");
  const database = (env: Record<string, string>) =>
    runCli(["status", "--json"], { env })
      .then(({ stdout }) => JSON.parse(stdout).database.path);
  assertEquals(
    await database({ HOME: home, XDG_DATA_HOME: "relative" }),
    `${home}/.local/share/jarvis/queue.db`,
  );
  assertEquals(
    await database({ HOME: "", XDG_DATA_HOME: `${home}/xdg` }),
    `${home}/xdg/jarvis/queue.db`,
  );
  const { code, stderr } = await runCli(["enqueue", path], {
    env: { HOME: "" },
  });
  assertEquals(code, 2);
  assertStringIncludes(stderr, "expected --data-dir DIR");
});

Deno.test("commands that only look say where there is no queue, and make nothing", async () => {
  await using host = new Host(deadUrl());
  const nothing = `There is no queue in "${host.dataDir}" (--data-dir names`;
  const status = await host.run("status");
  assertEquals([status.code, status.stderr], [0, ""]);
  assertStringIncludes(status.stdout, nothing);
  const { database, pending, spool } = await host.json<StatusReport>("status");
  assertEquals([pending, spool.freeBytes], [0, null]);
  assertEquals(database.path, `${host.dataDir}/queue.db`);
  for (
    const [args, code, stdout] of [
      [["list"], 0, ""],
      [["list", "--json"], 0, "[]\n"],
      [["cleanup"], 0, "0 failed captures removed\n"],
      [["retry", "--all"], 1, ""],
      [["remove", "x"], 1, ""],
    ] as const
  ) {
    const result = await host.run(...args);
    assertEquals([result.code, result.stdout], [code, stdout], args.join(" "));
    assertStringIncludes(result.stderr, nothing);
  }
  const doctor = await host.run("doctor");
  assertEquals(doctor.code, 1);
  assertStringIncludes(doctor.stdout, `warning  queue: ${nothing}`);
  assertEquals([...Deno.readDirSync(host.join("."))], []);
});

Deno.test("commands that only look add nothing to a queue that is there", async () => {
  await using host = new Host(deadUrl());
  Deno.mkdirSync(host.dataDir);
  host.queue().close();
  const names = () => [...Deno.readDirSync(host.dataDir)].map((e) => e.name);
  for (const command of ["status", "list", "doctor"]) await host.run(command);
  assertEquals(names(), ["queue.db"]);
});

Deno.test(
  "what belongs to another user is refused, and left as it is",
  // Only root can give files away.
  { ignore: onWindows || Deno.uid() !== 0 },
  async () => {
    await using host = new Host(deadUrl());
    const file = host.write("a.png");
    await host.enqueue(file);
    const data = host.dataDir;
    for (
      const path of [data, `${data}/queue.db`, `${data}/spool`]
    ) {
      Deno.chownSync(path, 65534, 65534);
      const before = modes(host.join("."));
      for (
        const args of [["enqueue", file], ["status"], ["run"], [
          "retry",
          "--all",
        ]]
      ) {
        const { code, stdout, stderr } = await host.run(...args);
        assertEquals([code, stdout], [1, ""], args.join(" "));
        assertStringIncludes(
          stderr,
          `"${path}" belongs to another user (uid 65534, you are 0)`,
        );
      }
      assertEquals(modes(host.join(".")), before);
      Deno.chownSync(path, 0, 0);
    }
    const empty = host.makeDir("empty");
    Deno.chownSync(empty, 65534, 65534);
    const looked = await host.run("list", "--data-dir", empty);
    assertStringIncludes(looked.stderr, `"${empty}" belongs to another user`);
    const link = host.join("link");
    Deno.symlinkSync(data, link);
    await new Deno.Command("chown", { args: ["-h", "65534", link] }).output();
    const { stderr } = await host.run("enqueue", file, "--data-dir", link);
    assertStringIncludes(stderr, `"${link}" is a symbolic link of user 65534`);
  },
);

Deno.test("what other users could open is closed, and reported", {
  ignore: onWindows,
}, async () => {
  await using host = new Host(deadUrl());
  const file = host.write("a.png");
  await host.enqueue(file);
  const spool = `${host.dataDir}/spool`;
  for (const args of [["enqueue", file], ["retry", "--all"]]) {
    const loose = [host.dataDir, spool].flatMap((dir) => [
      dir,
      ...[...Deno.readDirSync(dir)].map(({ name }) => `${dir}/${name}`),
    ]);
    for (const name of ["queue.db", "spool/records.jsonl", "spool/in-use"]) {
      assert(loose.includes(`${host.dataDir}/${name}`), name);
    }
    for (const path of loose) Deno.chmodSync(path, 0o777);
    const { stderr } = await host.run(...args);
    for (const path of loose) {
      assertStringIncludes(stderr, ` "${path}" was open to other users (mod`);
      assertEquals(Deno.statSync(path).mode! & 0o077, 0, path);
    }
  }
});

Deno.test("a file in the place of the spool is told by every command", async () => {
  await using host = new Host(deadUrl());
  const file = host.write("a.png");
  await host.enqueue(file);
  const spool = `${host.dataDir}/spool`;
  Deno.renameSync(spool, host.join("spool"));
  Deno.writeTextFileSync(spool, "");
  for (const args of [["enqueue", file], ["status"], ["sync"], ["doctor"]]) {
    const { code, stdout, stderr } = await host.run(...args);
    assertEquals(code, 1, args[0]);
    assertStringIncludes(
      stdout + stderr,
      `"${spool}" is a file, expected a directory`,
    );
  }
});

const canMount = await SmallDisk.canMount();

Deno.test(
  "on a full disk commands that look at the queue still can, or say that it is full",
  {
    ignore: !canMount,
  },
  async () => {
    await using host = new Host(deadUrl());
    await using disk = (await SmallDisk.mount(host.makeDir("data"), 48))!;
    await host.enqueue(host.write("a.png"), "--min-free-bytes", "0");
    const looks = { status: "1 pending", list: "a.png", doctor: "1 wait" };
    // The second time something else has taken what was kept for that.
    for (const _ of [1, 2]) {
      disk.fill();
      for (const [name, expected] of Object.entries(looks)) {
        const { stdout, stderr } = await host.run(name);
        assertStringIncludes(stdout, expected, stderr);
      }
    }
    // Nor is there room for a copy.
    host.env.TMPDIR = disk.path;
    for (const name of Object.keys(looks)) {
      const { code, stdout, stderr } = await host.run(name);
      assertStringIncludes(stdout + stderr, "the disk is full", name);
      assertEquals(code, name === "doctor" ? 1 : 75, name);
    }
  },
);

Deno.test(
  "a data directory is not reached through a link of another user on the way",
  { ignore: !CAN_GIVE_AWAY },
  async () => {
    await using host = new Host(deadUrl());
    const file = host.write("a.png");
    const link = host.join("share");
    const home = host.makeDir("home");
    neighboursLink(home, link);
    host.env.JARVIS_DATA_DIR = `${link}/below/data`;
    const refused = async (...args: string[]) => {
      const { code, stdout, stderr } = await host.run(...args);
      assertEquals([code, stdout], [1, ""], args.join(" "));
      assertStringIncludes(
        stderr,
        `Cannot use the data directory "${link}/below/data": "${link}" is a symbolic link of user ${NEIGHBOUR} to "${home}"`,
      );
    };
    for (const args of [["enqueue", file], ["status"], ["run"]]) {
      await refused(...args);
    }
    assertEquals([...Deno.readDirSync(home)], []);
    const data = host.makeDir("home/below/data");
    await host.run("enqueue", file, "--data-dir", data);
    for (const args of [["enqueue", file], ["list"]]) await refused(...args);
    host.env.JARVIS_DATA_DIR = data;
    assertEquals((await host.json<unknown[]>("list")).length, 1);
  },
);
