import {
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { deadline } from "@std/async/deadline";
import { basename, dirname } from "@std/path";
import config from "../../deno.json" with { type: "json" };
import { runningBinding } from "../../scripts/task/bindings.ts";
import { ReferenceServer } from "../../scripts/server/reference_server.ts";
import { newAuthority } from "../helpers/certificates.ts";
import type { Ended } from "../helpers/cli.ts";
import { canCompile, compileLibrary } from "../helpers/compile_library.ts";
import { eventually } from "../helpers/eventually.ts";
import {
  buildExecutable,
  runExecutable,
  startExecutable,
} from "../helpers/executable.ts";
import { delivered, ScriptedServer } from "../helpers/scripted_server.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const isJsr = runningBinding() === "jsr";
const built = await buildExecutable();
const ignore = !built.path;
const MEGABYTE = 1024 * 1024;

/** A home of its own, a server, and the executable between them. */
class Host implements AsyncDisposable {
  readonly dir = new TempDir();
  readonly server: ReferenceServer = new ReferenceServer({
    dir: this.dir.join("received"),
    fsync: false,
  });
  env: Record<string, string> = {
    HOME: this.dir.join("home"),
    TMPDIR: this.dir.path,
    JARVIS_SERVER_URL: this.server.url,
  };

  run(...args: string[]): Promise<Ended> {
    return runExecutable(built.path!, args, { env: this.env });
  }

  start(...args: string[]) {
    return startExecutable(built.path!, args, { env: this.env });
  }

  /** Queues a new capture and returns its id. */
  async enqueue(name: string, bytes: number): Promise<string> {
    const file = this.dir.write(name, new Uint8Array(bytes).fill(7));
    const { code, stdout, stderr } = await this.run("enqueue", file);
    assertEquals(code, 0, stderr);
    return stdout.trim();
  }

  async status(): Promise<Record<string, unknown>> {
    return JSON.parse((await this.run("status", "--json")).stdout);
  }

  /** What `doctor` says of SQLite. */
  async engine(env: Record<string, string> = {}): Promise<string> {
    // Where there is no queue, there is nothing to say.
    await this.run("enqueue", this.dir.write("any.png", ""));
    const { stdout, stderr } = await runExecutable(built.path!, ["doctor"], {
      env: { ...this.env, ...env },
    });
    const line = stdout.split("\n").find((line) => line.includes("SQLite "));
    return line ?? stderr;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.dir[Symbol.asyncDispose]();
  }
}

Deno.test({
  name: "the executable says the version of deno.json, and helps",
  ignore,
  async fn() {
    const version = await runExecutable(built.path!, ["--version"]);
    assertEquals(version.stdout, `jarvis-agent ${config.version}\n`);
    const help = await runExecutable(built.path!, ["--help"]);
    assertEquals([help.code, help.stderr], [0, ""]);
    assertStringIncludes(help.stdout, "Usage: jarvis-agent COMMAND");
  },
});

Deno.test({
  name:
    "the executable reads no code from the temporary folder, where others could put it",
  ignore: ignore || Deno.build.os === "windows",
  async fn() {
    await using host = new Host();
    // Whoever opens it waits for a writer that never comes.
    const name = `deno-compile-${basename(built.path!)}.cache`;
    const pipe = host.dir.join(name);
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    await using version = host.start("--version");
    assertEquals((await deadline(version.ended(), 20_000)).code, 0);
  },
});

Deno.test({
  name: "the executable queues captures and delivers them byte for byte",
  ignore,
  async fn() {
    await using host = new Host();
    const id = await host.enqueue("door.png", 3 * MEGABYTE);
    const { code, stdout } = await host.run("sync", "--json");
    assertEquals(code, 0);
    assertEquals(JSON.parse(stdout).delivered, 1);
    const [capture] = host.server.captures;
    assertEquals(capture?.idempotencyKey, id);
    assertEquals(
      Deno.readFileSync(host.server.pathOf(capture!)),
      Deno.readFileSync(host.dir.join("door.png")),
    );
  },
});

Deno.test({
  name:
    "the executable trusts the authorities that the system knows, and no other",
  ignore,
  async fn() {
    const authority = await newAuthority();
    const tls = await authority.sign();
    await using server = new ScriptedServer(delivered, { tls });
    await using host = new Host();
    host.env.JARVIS_SERVER_URL = server.url;
    const file = host.dir.write("door.png", "a capture");
    const stranger = await host.run("upload", file);
    assertMatch(stranger.stdout, /UnknownIssuer; .*SSL_CERT_FILE/);
    assertEquals([stranger.code, server.requests], [75, []]);
    host.env.SSL_CERT_FILE = host.dir.write("authority.pem", authority.cert);
    assertEquals((await host.run("upload", file)).code, 0);
    assertEquals((await host.run("sync")).code, 0);
    assertEquals(server.requests.length > 1, true);
  },
});

Deno.test({
  name: "the executable sends nothing for this machine through a proxy",
  ignore,
  async fn() {
    await using proxy = new ScriptedServer(delivered);
    await using host = new Host();
    for (const name of ["HTTP_PROXY", "ALL_PROXY"]) host.env[name] = proxy.url;
    const file = host.dir.write("door.png", "a capture");
    assertEquals((await host.run("upload", file)).code, 0);
    assertEquals([host.server.captures.length, proxy.accepted], [1, 0]);
  },
});

Deno.test({
  name: "the executable's agent ends in order on SIGTERM",
  ignore: ignore || Deno.build.os === "windows",
  async fn() {
    await using host = new Host();
    await using agent = host.start("run");
    await agent.said("Delivering to");
    await host.enqueue("door.png", 1000);
    await eventually("it is delivered", () => host.server.captures.length > 0);
    const { stderr } = await agent.stop();
    assertStringIncludes(stderr, "Stopped");
  },
});

Deno.test({
  name:
    "the executable killed between the server's storing and its answer delivers once all the same",
  ignore,
  async fn() {
    await using host = new Host();
    const id = await host.enqueue("door.png", MEGABYTE);
    host.server.misbehave({ latencyMs: 60_000 });
    {
      await using agent = host.start("run");
      await eventually("it is stored", () => host.server.captures.length > 0);
      agent.kill("SIGKILL");
    }
    host.server.misbehave({ latencyMs: 0 });
    assertEquals((await host.run("sync")).code, 0);
    assertEquals(
      host.server.captures.map(({ idempotencyKey }) => idempotencyKey),
      [id],
    );
    assertEquals((await host.status()).pending, 0);
  },
});

Deno.test({
  name: "the executable with dependencies from npm uses Deno's own SQLite",
  ignore: ignore || isJsr,
  async fn() {
    await using host = new Host();
    assertMatch(await host.engine(), /builtin/);
  },
});

Deno.test({
  name:
    "the executable uses the SQLite inside it, else the system's, else Deno's own",
  ignore: ignore || !isJsr || Deno.build.os !== "linux",
  async fn() {
    await using host = new Host();
    assertMatch(await host.engine(), /ffi: the embedded library$/);
    // It cannot be written there, so it cannot be loaded.
    assertMatch(
      await host.engine({ TMPDIR: "/proc" }),
      /ffi: libsqlite3\.so\.0$/,
    );
    assertMatch(await host.engine(withoutLibraries(host)), /builtin/);
  },
});

Deno.test({
  name: "the executable has the page in it",
  ignore,
  async fn() {
    await using host = new Host();
    await using agent = host.start("run", "--listen", "127.0.0.1:0");
    await agent.said("Showing how it goes on ");
    const [, at] = /Showing how it goes on (\S+)/.exec(agent.stderr)!;
    for (
      const [path, content] of [
        ["", "<!DOCTYPE html>"],
        ["page.js", "/** Shows what"],
        ["style.css", "color-scheme"],
        ["metrics", "jarvis_agent_build_info"],
      ] as const
    ) {
      const response = await fetch(`${at}${path}`);
      assertEquals(response.status, 200, path);
      assertStringIncludes(await response.text(), content);
    }
  },
});

/** An environment in which no native SQLite loads. */
function withoutLibraries(host: Host): Record<string, string> {
  host.dir.write("broken/libsqlite3.so.0", "not a library");
  return { TMPDIR: "/proc", LD_LIBRARY_PATH: host.dir.join("broken") };
}

Deno.test({
  name:
    "the executable takes no code from its environment, nor from a folder that others can write",
  ignore: ignore || !isJsr || !await canCompile(),
  async fn() {
    await using host = new Host();
    const source = host.dir.write(
      "foreign.c",
      `#include <fcntl.h>
       __attribute__((constructor)) static void loaded(void) {
         open("${host.dir.join("loaded")}", O_CREAT, 0600);
       }
       int sqlite3_libversion_number(void) { return 3060000; }`,
    );
    const foreign = host.dir.join("foreign.so");
    await compileLibrary(source, foreign);
    const TMPDIR = host.dir.join("tmp");
    Deno.mkdirSync(TMPDIR);
    // Where older Denos would look for what is inside an executable.
    const name = basename(built.path!);
    for (
      const inside of [
        "libsqlite3.so",
        `deno-compile-${name}/lib/libsqlite3.so`,
      ]
    ) {
      Deno.mkdirSync(dirname(`${TMPDIR}/${inside}`), { recursive: true });
      Deno.copyFileSync(foreign, `${TMPDIR}/${inside}`);
    }
    const before = [...Deno.readDirSync(TMPDIR)].length;
    const engine = await host.engine({ TMPDIR, DENO_SQLITE_PATH: foreign });
    assertMatch(engine, /ffi: the embedded library$/);
    assertThrows(() => Deno.statSync(host.dir.join("loaded")));
    assertEquals([...Deno.readDirSync(TMPDIR)].length, before);
  },
});

Deno.test({
  name: "the executable goes on with a queue that another engine has written",
  ignore: ignore || !isJsr || Deno.build.os !== "linux",
  async fn() {
    await using host = new Host();
    const env = { ...host.env };
    Object.assign(host.env, withoutLibraries(host));
    await host.enqueue("door.png", 1000);
    const { database } = await host.status();
    assertEquals((database as { engine: string }).engine, "builtin");
    host.env = env;
    assertMatch(await host.engine(), /ffi/);
    assertEquals((await host.run("sync")).code, 0);
    assertEquals(host.server.captures.length, 2);
  },
});

Deno.test({
  name:
    "the executable runs without HOME, and says what it needs when nothing else names the queue",
  ignore: ignore || Deno.build.os === "windows",
  async fn() {
    await using host = new Host();
    const args = ["status", "--data-dir", host.dir.join("data")];
    const named = await runExecutable(built.path!, args);
    assertEquals([named.code, named.stderr], [0, ""]);
    const { code, stderr } = await runExecutable(built.path!, ["status"]);
    assertEquals(code, 2);
    assertMatch(stderr, /^jarvis-agent: .*HOME.*expected --data-dir DIR\n/);
  },
});

Deno.test({
  name: "the executable runs where the temporary folder cannot be written",
  ignore: ignore || Deno.build.os === "windows",
  async fn() {
    await using host = new Host();
    host.env.TMPDIR = "/dev/null";
    await host.enqueue("door.png", 1000);
    const { code, stderr } = await host.run("sync");
    assertEquals(code, 0, stderr);
  },
});

/** A view of the file systems of its own, which any user may change where the system lets users have one. */
const UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"];
const canMount = Deno.build.os === "linux" &&
  (await runExecutable("/usr/bin/env", [...UNSHARE, "true"], {
      env: { PATH: "/usr/bin:/bin" },
    })).code === 0;

/** Runs the executable where the file systems are changed by a script first. */
async function runMounted(
  host: Host,
  script: string,
  args: string[],
): Promise<Ended> {
  return await runExecutable("/usr/bin/env", [
    ...UNSHARE,
    "sh",
    "-c",
    `${script} && exec "$0" "$@"`,
    built.path!,
    ...args,
  ], { env: { ...host.env, PATH: "/usr/sbin:/usr/bin:/sbin:/bin" } });
}

Deno.test({
  name: "the executable runs where nothing in /tmp may be executed",
  ignore: ignore || !canMount,
  async fn() {
    await using host = new Host();
    host.env.TMPDIR = host.dir.join("noexec");
    Deno.mkdirSync(host.env.TMPDIR);
    await host.enqueue("door.png", 1000);
    const { stdout, stderr } = await runMounted(
      host,
      `mount -t tmpfs -o noexec tmpfs "$TMPDIR"`,
      ["doctor"],
    );
    assertMatch(
      stdout,
      /ok +database: SQLite .*(builtin|libsqlite3\.so\.0)/,
      stderr,
    );
  },
});

Deno.test({
  name: "the executable runs on a read-only root, given one folder to write to",
  ignore: ignore || !canMount,
  async fn() {
    await using host = new Host();
    const id = await host.enqueue("door.png", 1000);
    const readOnly =
      `mount --bind "$HOME" "$HOME" && mount -o remount,bind,ro /`;
    const { code, stderr } = await runMounted(host, readOnly, ["sync"]);
    assertEquals(code, 0, stderr);
    assertEquals(host.server.captures[0]?.idempotencyKey, id);
  },
});

Deno.test({
  name:
    "the executable says in one line that it cannot write its data directory",
  ignore: ignore || !canMount,
  async fn() {
    await using host = new Host();
    const { code, stderr } = await runMounted(
      host,
      "mount -o remount,bind,ro /",
      ["enqueue", host.dir.write("door.png", "bytes")],
    );
    assertEquals(code, 1);
    assertMatch(
      stderr,
      /^jarvis-agent: Cannot use the data directory "[^"]+": "[^"]+" is on a file system that is mounted read-only [^\n]+\n$/,
    );
  },
});
