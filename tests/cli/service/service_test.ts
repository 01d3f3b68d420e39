import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { ReferenceServer } from "../../../scripts/server/reference_server.ts";
import { exists } from "../../../sync/host/files.ts";
import { SCHEMA_VERSION } from "../../../sync/queue/schema.ts";
import { openDatabase } from "../../../sync/queue/sqlite.ts";
import { parseEnvFile } from "../../../sync/cli/service/env_file.ts";
import { type Ended, runCli } from "../../helpers/cli.ts";
import { eventually } from "../../helpers/eventually.ts";
import {
  buildExecutable,
  runExecutable,
  startExecutable,
} from "../../helpers/executable.ts";
import { TempDir } from "../../helpers/temp_dir.ts";
import { managerScript, UserManager } from "./user_manager.ts";

const built = await buildExecutable();
const ignore = !built.path || !managerScript;
const UNIT = "jarvis-agent.service";
/** As low as it goes; the README says what each point that is left is for. */
const MAX_EXPOSURE = 1.7;

/** A user who is logged in, the executable in their home, and a server. */
class Host implements AsyncDisposable {
  readonly dir = new TempDir();
  readonly server: ReferenceServer;
  readonly manager: UserManager;
  readonly program: string;

  private constructor(manager: UserManager, options: { token?: string }) {
    this.manager = manager;
    this.server = new ReferenceServer({
      dir: this.dir.join("received"),
      ...options,
    });
    this.program = manager.home("bin", "jarvis-agent");
    Deno.mkdirSync(manager.home("bin"));
    Deno.copyFileSync(built.path!, this.program);
    Deno.mkdirSync(manager.home("captures"));
    // There is no journal here; and what takes minutes elsewhere takes seconds.
    this.dropIn(
      "test.conf",
      "StandardOutput=append:%h/log\nStandardError=append:%h/log\n" +
        "WatchdogSec=8s\nTimeoutAbortSec=1s",
    );
  }

  static async start(options: { token?: string } = {}): Promise<Host> {
    return new Host(await UserManager.start(), options);
  }

  /** Changes the unit as a person does. */
  dropIn(name: string, text: string): void {
    this.manager.write(
      `.config/systemd/user/${UNIT}.d/${name}`,
      `[Service]\n${text}\n`,
    );
  }

  agent(...args: string[]): Promise<Ended> {
    return this.manager.run(this.program, args);
  }

  install(...args: string[]): Promise<Ended> {
    return this.agent(
      "service",
      "install",
      "--server",
      this.server.url,
      ...args,
    );
  }

  property(name: string): Promise<string> {
    return this.manager.property(UNIT, name);
  }

  /** The file names that the server has, each as often as it has it. */
  get received(): string[] {
    return this.server.captures.map(({ filename }) => filename).sort();
  }

  /** Waits until the server has a capture of this name. */
  async delivered(name: string): Promise<void> {
    await eventually(
      `${name} is delivered`,
      () => this.received.includes(name),
    ).catch((error) => {
      throw new Error(`${error.message}\n${this.log}`);
    });
  }

  /** Sends a signal to the agent and returns its process. */
  async kill(signal: Deno.Signal): Promise<string> {
    const pid = await eventually("there is one", async () => {
      const pid = await this.property("MainPID");
      // Nobody is the process 0: that would be the group of this one.
      return pid === "0" ? undefined : pid;
    });
    Deno.kill(Number(pid), signal);
    return pid;
  }

  /** Waits until another process is the agent, and is ready. */
  async replaced(pid: string): Promise<void> {
    const states = ["MainPID", "ActiveState", "Result", "StatusText"];
    let seen: string[] = [];
    await eventually("it is back", async () => {
      seen = await Promise.all(states.map((name) => this.property(name)));
      return seen[0] !== pid && seen[1] === "active";
    }).catch((error) => {
      throw new Error(`${error.message}: ${seen.join(", ")}\n${this.log}`);
    });
  }

  get log(): string {
    return Deno.readTextFileSync(this.manager.home("log"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.manager[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await this.dir[Symbol.asyncDispose]();
  }
}

Deno.test({
  name: "the service lives through everything, from install to uninstall",
  ignore,
  async fn(t) {
    await using host = await Host.start({ token: "right" });
    const { manager, server } = host;
    const token = manager.write("token", "wrong\n");

    await t.step(
      "install starts it, returns when it is ready, and says that the server refuses the token",
      async () => {
        const { code, stdout, stderr } = await host.install(
          ...["--token-file", "token", "--watch", "captures"],
          ...["--after-upload", "delete", "--settle", "0.2", "--grace", "2"],
        );
        assertEquals(code, 75, stderr);
        assertMatch(
          stderr,
          /The service is installed, but the server refuses the token: HTTP 401/,
        );
        assertMatch(stdout, /The service runs: everything is delivered/);
        assertStringIncludes(stderr, "loginctl enable-linger");
        assertEquals(await host.property("ActiveState"), "active");
        assertEquals(await host.property("UnitFileState"), "enabled");
      },
    );

    await t.step(
      "its settings are for its user alone, and hold no token",
      () => {
        const path = manager.home(".config/jarvis/agent.env");
        assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
        const text = Deno.readTextFileSync(path);
        const variables = parseEnvFile(text);
        assertEquals(variables.get("JARVIS_TOKEN_FILE"), token);
        assertEquals(variables.get("JARVIS_WATCH"), manager.home("captures"));
        assert(!text.includes("wrong"));
      },
    );

    await t.step(
      "systemd finds no fault in the unit, and little exposure",
      async () => {
        const path = manager.home(".config/systemd/user", UNIT);
        const verified = await manager.run(
          "systemd-analyze",
          ["--user", "verify", path],
        );
        assertEquals([verified.code, verified.stderr], [0, ""]);
        const { stdout } = await manager.run(
          "systemd-analyze",
          ["--user", "--no-pager", "security", UNIT],
        );
        const [, exposure] =
          /Overall exposure level .*: ([\d.]+)/.exec(stdout) ??
            [];
        assert(Number(exposure) <= MAX_EXPOSURE, stdout);
      },
    );

    await t.step("a reload brings a new token into effect", async () => {
      manager.write("captures/door.png", "door");
      await eventually(
        "the server refuses it",
        async () => /cannot be used/.test(await host.property("StatusText")),
      );
      manager.write("token", "right\n");
      assertEquals((await manager.systemctl("reload", UNIT)).code, 0);
      await host.delivered("door.png");
      await eventually(
        "the file is gone",
        () => [...Deno.readDirSync(manager.home("captures"))].length === 0,
      );
    });

    await t.step("SIGKILL loses nothing and sends nothing twice", async () => {
      server.misbehave({ latencyMs: 60_000 });
      for (const name of ["a.png", "b.png", "c.png"]) {
        await host.agent("enqueue", manager.write(name, name));
      }
      await host.delivered("a.png");
      const pid = await host.kill("SIGKILL");
      server.misbehave({ latencyMs: 0 });
      await host.replaced(pid);
      for (const name of ["b.png", "c.png"]) await host.delivered(name);
      assertEquals(host.received, ["a.png", "b.png", "c.png", "door.png"]);
    });

    await t.step(
      "one that hangs is killed by the watchdog, and is back",
      async () => {
        const pid = await host.kill("SIGSTOP");
        await host.agent("enqueue", manager.write("d.png", "d"));
        await host.replaced(pid);
        await host.delivered("d.png");
      },
    );

    await t.step("it is active only once it is ready", async () => {
      // Reading the token waits for somebody who writes it.
      Deno.removeSync(token);
      await manager.run("mkfifo", [token]);
      await manager.systemctl("restart", "--no-block", UNIT);
      await eventually(
        "the program runs",
        async () => await host.property("SubState") === "start",
      );
      assertEquals(await host.property("ActiveState"), "activating");
      Deno.writeTextFileSync(token, "right\n", { create: false });
      await eventually(
        "it is ready",
        async () => await host.property("ActiveState") === "active",
      );
      Deno.removeSync(token);
      manager.write("token", "right\n");
    });

    await t.step(
      "it stops in order while an upload is under way, and goes on with it",
      async () => {
        server.misbehave({ latencyMs: 60_000 });
        await host.agent("enqueue", manager.write("e.png", "e"));
        await host.delivered("e.png");
        assertEquals((await manager.systemctl("stop", UNIT)).code, 0);
        assertEquals(await host.property("Result"), "success");
        assertEquals(await host.property("ExecMainStatus"), "0");
        server.misbehave({ latencyMs: 0 });
        const { code, stdout } = await host.agent("service", "restart");
        assertEquals(code, 0);
        assertStringIncludes(stdout, "The service runs");
        await eventually(
          "nothing waits",
          async () =>
            /^everything/.test(await host.property("StatusText")) &&
            JSON.parse((await host.agent("status", "--json")).stdout)
                .pending ===
              0,
        );
        assertEquals(
          host.received.filter((name) => name === "e.png").length,
          1,
        );
      },
    );

    await t.step("installing again keeps what a person wrote", async () => {
      const unit = manager.home(".config/systemd/user", UNIT);
      const env = manager.home(".config/jarvis/agent.env");
      Deno.writeTextFileSync(unit, "# mine\n", { append: true });
      Deno.writeTextFileSync(env, "# mine too\nJARVIS_SETTLE=0.3\n", {
        append: true,
      });
      const { code, stdout } = await host.install("--grace", "3");
      assertEquals(code, 0);
      const [, kept] = /your version is kept as "([^"]+)"/.exec(stdout)!;
      assertMatch(Deno.readTextFileSync(kept!), /# mine\n$/);
      Deno.removeSync(kept!);
      assertMatch(Deno.readTextFileSync(unit), /^TimeoutStopSec=23s$/m);
      const text = Deno.readTextFileSync(env);
      assertMatch(text, /^JARVIS_GRACE=3$/m);
      assertMatch(text, /^# mine too\nJARVIS_SETTLE=0\.3$/m);
      const again = await host.install();
      assertEquals(again.stdout.match(/is up to date/g)?.length, 2);
    });

    await t.step("status and print show it", async () => {
      const { stdout } = await host.agent("service", "status");
      assertMatch(stdout, /Active: active \(running\)/);
      const printed = await host.agent("service", "print");
      assertEquals(
        printed.stdout,
        Deno.readTextFileSync(manager.home(".config/systemd/user", UNIT)),
      );
    });

    await t.step("doctor looks at it, and at what becomes of it", async () => {
      const { stdout } = await host.agent("doctor");
      assertMatch(stdout, /^ok +service: active \(running\)$/m);
      assertMatch(stdout, / linger: /);
      assertMatch(stdout, /^ok +start: enabled$/m);
      assertMatch(
        stdout,
        /^ok +folder: ".*captures" can be read and written$/m,
      );
    });

    await t.step(
      "doctor warns of one that does not start with the system",
      async () => {
        await manager.systemctl("disable", UNIT);
        const disabled = await host.agent("doctor");
        assertMatch(
          disabled.stdout,
          /^warning +start: the service does not start with the system: it is disabled; what to do: jarvis-agent service install$/m,
        );
        await host.install();
        const enabled = await host.agent("doctor");
        assertMatch(enabled.stdout, /^ok +start: enabled$/m);
      },
    );

    await t.step("uninstall leaves the queue and nothing else", async () => {
      const { code, stdout } = await host.agent("service", "uninstall");
      assertEquals(code, 0);
      const dataDir = manager.home(".local/share/jarvis");
      assertStringIncludes(stdout, `The queue stays in "${dataDir}"\n`);
      assertEquals(await host.property("LoadState"), "not-found");
      const left = filesBelow(manager.home(".config"));
      assertEquals(left, [`systemd/user/${UNIT}.d/test.conf`]);
      assert(
        Deno.statSync(manager.home(".local/share/jarvis/queue.db")).isFile,
      );
      const again = await host.agent("service", "uninstall");
      assertEquals([again.code, again.stderr], [0, ""]);
    });
  },
});

Deno.test({
  name:
    "service uninstall says where the queue stays, and how much waits in it",
  ignore,
  async fn() {
    await using host = await Host.start();
    const { manager } = host;
    assertEquals((await host.install("--data-dir", "data")).code, 0);
    await host.agent("pause");
    await host.agent("enqueue", manager.write("door.png", "door"));
    // The shell's own variable names another directory than the service's.
    const { code, stdout } = await manager.run(
      host.program,
      ["service", "uninstall"],
      { JARVIS_DATA_DIR: manager.home("other") },
    );
    assertEquals(code, 0);
    assertStringIncludes(
      stdout,
      `The queue stays in "${manager.home("data")}"; 1 capture waits in it\n`,
    );
  },
});

Deno.test({
  name:
    "captures that wait in a data directory that the service has no more are told, and sync delivers them",
  ignore,
  async fn(t) {
    await using host = await Host.start();
    const { manager } = host;
    const [first, second] = [manager.home("first"), manager.home("second")];
    const enqueue = async (dataDir: string) => {
      const to = ["--data-dir", dataDir];
      await host.agent("pause", ...to);
      await host.agent("enqueue", ...to, manager.write("door.png", dataDir));
    };
    const left = (dataDir: string) =>
      `1 capture waits in "${dataDir}", which is not served any more: "jarvis-agent sync --data-dir '${dataDir}'" delivers them`;
    await host.install("--data-dir", first);
    await enqueue(first);

    await t.step("service install --data-dir", async () => {
      const { code, stderr } = await host.install("--data-dir", second);
      assertEquals(code, 0);
      assertStringIncludes(stderr, left(first));
      const again = await host.install();
      assert(!again.stderr.includes("served"), again.stderr);
    });

    await t.step("agent.env was edited", async () => {
      await enqueue(second);
      const env = manager.home(".config/jarvis/agent.env");
      const text = Deno.readTextFileSync(env);
      Deno.writeTextFileSync(env, text.replace("/second", "/third"));
      for (const action of ["restart", "install"]) {
        const { stderr } = await host.agent("service", action);
        assertStringIncludes(stderr, left(second));
      }
    });

    await t.step("sync delivers them", async () => {
      for (const dataDir of [first, second]) {
        await host.agent("resume", "--data-dir", dataDir);
        const { code } = await host.agent("sync", "--data-dir", dataDir);
        assertEquals(code, 0);
      }
      assertEquals(host.received, ["door.png", "door.png"]);
    });
  },
});

Deno.test({
  name:
    "the service takes its token from a credential without further settings",
  ignore,
  async fn() {
    await using host = await Host.start({ token: "secret" });
    const token = host.manager.write("credential", "secret\n");
    host.dropIn("token.conf", `LoadCredential=token:${token}`);
    const { code, stderr } = await host.install();
    assertEquals(code, 0, stderr);
    await host.agent("enqueue", host.manager.write("door.png", "door"));
    await host.delivered("door.png");
  },
});

Deno.test({
  name: "service install says why the service cannot begin its work",
  ignore,
  async fn() {
    await using host = await Host.start();
    await using other = startExecutable(host.program, ["run"], {
      env: { ...host.manager.env, JARVIS_SERVER_URL: host.server.url },
    });
    await other.said("Delivering to");
    const { code, stderr } = await host.install();
    assertEquals(code, 75);
    assertMatch(
      stderr,
      /^jarvis-agent: The service cannot begin yet\. Waiting: Cannot be the agent of .*: process \d+ is its agent already\n/,
    );
    const { stdout } = await host.agent("status", "--json");
    assertMatch(JSON.parse(stdout).service.reason, /^Waiting: Cannot be the/);
    // It goes on trying, so that nobody has to come back.
    other.kill("SIGTERM");
    await eventually(
      "it does its work",
      async () => /^everything/.test(await host.property("StatusText")),
    );
  },
});

Deno.test({
  name:
    "what cannot heal stops the service for good, with its reason, and OnFailure= tells somebody",
  ignore,
  async fn(t) {
    await using host = await Host.start();
    const { manager } = host;
    manager.write(
      ".config/systemd/user/tell.service",
      "[Service]\nType=oneshot\nExecStart=/bin/touch %h/told\n",
    );
    host.dropIn(
      "tell.conf",
      "RestartSec=100ms\n[Unit]\nOnFailure=tell.service\nStartLimitBurst=3",
    );
    assertEquals((await host.install()).code, 0);
    const env = manager.home(".config/jarvis/agent.env");
    const good = Deno.readTextFileSync(env);

    /** Waits until somebody was told, and returns what `systemctl status` says. */
    const told = async () => {
      const file = manager.home("told");
      await eventually("somebody is told", () => exists(file));
      Deno.removeSync(file);
      const { stdout } = await manager.systemctl("status", UNIT);
      assertMatch(stdout, /Active: failed \(Result: exit-code\)/);
      return /Status: "(.*)"/.exec(stdout)![1]!;
    };

    await t.step("settings that cannot be used, at once", async () => {
      Deno.writeTextFileSync(env, `${good}JARVIS_CONCURRENCY=many\n`);
      const { code, stderr } = await host.agent("service", "restart");
      assertEquals(code, 1);
      assertMatch(
        stderr,
        /Cannot start the service: Cannot use JARVIS_CONCURRENCY "many": .*mend that, then "jarvis-agent service restart"/,
      );
      const reason = await told();
      assertMatch(reason, /^Cannot use JARVIS_CONCURRENCY "many"/);
      assertEquals(await host.property("NRestarts"), "0");
      const bare = await host.agent("status", "--check", "--data-dir", "none");
      assertEquals(bare.code, 2);
      assertStringIncludes(bare.stdout, `no agent runs: ${reason}`);
      Deno.writeTextFileSync(env, good);
    });

    const setVersion = (version: number) => {
      const queue = manager.home(".local/share/jarvis/queue.db");
      using database = openDatabase(queue);
      database.exec(`PRAGMA user_version = ${version}`);
    };
    await t.step("a queue of a newer version, after some tries", async () => {
      setVersion(9999);
      await host.agent("service", "restart");
      assertMatch(await told(), /it has version 9999 and this program knows/);
      assertEquals(await host.property("NRestarts"), "3");
      setVersion(SCHEMA_VERSION);
    });

    await t.step("it is started again once that is mended", async () => {
      assertEquals((await host.agent("service", "restart")).code, 0);
      assertEquals(await host.property("ActiveState"), "active");
    });
  },
});

Deno.test({
  name:
    "status and service restart say how the agent ended, and which file of the service is gone",
  ignore,
  async fn(t) {
    await using host = await Host.start();
    const { manager } = host;
    await t.step("it was never installed", async () => {
      const { code, stderr } = await host.agent("service", "restart");
      assertEquals(code, 1);
      assertEquals(
        stderr,
        'jarvis-agent: Cannot restart the service: it is not installed; "jarvis-agent service install" installs it\n',
      );
    });
    await t.step("it is masked, so that systemd does not try", async () => {
      const path = manager.home(".config/systemd/user", UNIT);
      Deno.symlinkSync("/dev/null", path);
      await manager.systemctl("daemon-reload");
      const { code, stderr } = await host.agent("service", "restart");
      assertEquals(code, 1);
      assertMatch(
        stderr,
        /Cannot start the service: .* is masked; "jarvis-agent service logs" tells more\n$/,
      );
      Deno.removeSync(path);
    });
    host.dropIn("slow.conf", "RestartSec=1h\nRestartSteps=0");
    assertEquals((await host.install()).code, 0);
    const reason = async () => {
      const { stdout } = await host.agent("status", "--json");
      return JSON.parse(stdout).service.reason;
    };

    await t.step("it was killed", async () => {
      await host.kill("SIGKILL");
      await eventually(
        "it has ended",
        async () => await host.property("SubState") === "auto-restart",
      );
      assertEquals(
        await reason(),
        "it was killed (signal 9), and is started again",
      );
    });

    const gone = async (path: string, what: string) => {
      Deno.renameSync(path, `${path}.gone`);
      const { code, stderr } = await manager.run(
        `${host.program}${path === host.program ? ".gone" : ""}`,
        ["service", "restart"],
      );
      Deno.renameSync(`${path}.gone`, path);
      assertEquals(code, 1);
      assertStringIncludes(
        stderr,
        `Cannot start the service: its ${what} "${path}" is gone`,
      );
    };
    await t.step(
      "agent.env is gone",
      () => gone(manager.home(".config/jarvis/agent.env"), "settings file"),
    );
    await t.step(
      "the executable is gone",
      () => gone(host.program, "executable"),
    );
  },
});

Deno.test({
  name: "what can heal does not end the service: it waits, and goes on",
  ignore,
  async fn() {
    await using host = await Host.start({ token: "right" });
    const { manager } = host;
    const token = manager.write("token", "right\n");
    const folder = manager.home("captures");
    await host.install("--token-file", "token", "--watch", "captures");
    Deno.removeSync(token);
    Deno.removeSync(folder);
    assertEquals((await host.agent("service", "restart")).code, 0);
    await eventually("it says both", async () => {
      const text = await host.property("StatusText");
      return text.includes(`Cannot read the token file "${token}"`) &&
        text.includes(`folder "${folder}" is missing`);
    });
    manager.write("token", "right\n");
    manager.write("captures/door.png", "door");
    await host.delivered("door.png");
    assertEquals(await host.property("NRestarts"), "0");
  },
});

Deno.test({
  name:
    "service install refuses what a service could not run with, and writes nothing",
  ignore,
  async fn(t) {
    await using host = await Host.start();
    const { manager } = host;
    const server = ["--server", host.server.url];
    Deno.mkdirSync(manager.home("a\nb"));
    for (
      const [what, args, env, message] of [
        ["no server", [], {}, /nowhere to send to: expected --server URL/],
        ["a missing folder", [...server, "--watch", "gone"], {}, /--watch/],
        [
          "a folder that would be two in its variable",
          [...server, "--watch", manager.home("a:b")],
          {},
          /Cannot keep --watch ".*a:b" as a setting, where ":" separates/,
        ],
        [
          "a folder that would be two lines",
          [...server, "--watch", manager.home("a\nb")],
          {},
          /Cannot keep the value of JARVIS_WATCH as a setting: expected one line/,
        ],
        [
          "a token in the environment",
          server,
          { JARVIS_TOKEN: "secret" },
          /^(?!.*secret).*expected --token-file FILE/,
        ],
      ] as const
    ) {
      await t.step(what, async () => {
        const { code, stderr } = await manager.run(
          host.program,
          ["service", "install", ...args],
          env,
        );
        assertEquals(code, 2);
        assertMatch(stderr, message);
      });
    }
    assertEquals(filesBelow(manager.home(".config")).length, 1);
  },
});

Deno.test({
  name:
    "what service install makes is for its user alone, whatever the umask, and nobody else's is taken",
  ignore,
  async fn() {
    await using host = await Host.start();
    const { manager } = host;
    const dirs = [".config", ".config/jarvis", ".local/share", "data"];
    for (const name of dirs.slice(0, 3)) {
      await manager.run("rm", ["-rf", manager.home(name)]);
    }
    const install = ["service", "install", "--server", host.server.url];
    const { code, stderr } = await manager.run("sh", [
      ...["-c", 'umask 000; exec "$@"', "sh", host.program, ...install],
      ...["--data-dir", "data"],
    ]);
    assertEquals(code, 0, stderr);
    for (const name of [".config", ".config/jarvis", "data"]) {
      assertEquals(
        Deno.statSync(manager.home(name)).mode! & 0o777,
        0o700,
        name,
      );
    }
    const env = manager.home(".config/jarvis/agent.env");
    Deno.chmodSync(env, 0o666);
    const again = await host.install();
    assertStringIncludes(again.stdout, `"${env}" was open to other users`);
    assertEquals(Deno.statSync(env).mode! & 0o777, 0o600);
    if (Deno.uid() !== 0) return; // Only root can give files away.
    Deno.chownSync(env, 65534, 65534);
    const refused = await host.install();
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.stderr, `"${env}" belongs to another user`);
  },
});

Deno.test({
  name: "service says in one line that there is no manager to ask",
  ignore: !built.path || Deno.build.os !== "linux",
  async fn() {
    await using dir = new TempDir();
    const { code, stderr } = await runExecutable(
      built.path!,
      ["service", "install", "--server", "http://127.0.0.1:9"],
      { env: { HOME: dir.path } },
    );
    assertEquals(code, 1);
    assertMatch(stderr, /^jarvis-agent: Cannot [^\n]+; expected [^\n]+\n$/);
    assertEquals([...Deno.readDirSync(dir.path)], []);
  },
});

Deno.test("service names its actions to whoever asks for another", async () => {
  const { code, stderr } = await runCli(["service", "begin"]);
  assertEquals(code, 2);
  assertStringIncludes(
    stderr,
    'Cannot use "begin": "service" takes install, uninstall, status, print, restart or logs',
  );
});

Deno.test("service makes nothing of the program's sources", async () => {
  await using dir = new TempDir();
  const env = { XDG_CONFIG_HOME: dir.path, XDG_DATA_HOME: dir.path };
  const { code, stderr } = await runCli(
    ["service", "print", "--server", "http://127.0.0.1:9"],
    { env },
  );
  assertEquals(code, 1);
  assertStringIncludes(stderr, "expected the executable");
});

/** The paths of all files and links in a folder, relative to it. */
function filesBelow(root: string, folder = ""): string[] {
  return [...Deno.readDirSync(`${root}/${folder}`)].flatMap((entry) =>
    entry.isDirectory
      ? filesBelow(root, `${folder}${entry.name}/`)
      : [folder + entry.name]
  );
}
