import { assert, assertEquals, assertMatch } from "@std/assert";
import { Notifier } from "../../sync/host/notify.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { CaptureUploader, type Readiness } from "../../sync/upload/uploader.ts";
import { AgentFixture } from "../helpers/agent_fixture.ts";
import { CaptureServer } from "../helpers/capture_server.ts";
import { runCli, startCli } from "../helpers/cli.ts";
import { eventually } from "../helpers/eventually.ts";
import { NotifySocket } from "../helpers/notify_socket.ts";
import { TempDir } from "../helpers/temp_dir.ts";

// Only systemd asks for it.
const ignore = Deno.build.os !== "linux";

Deno.test({
  name:
    "Notifier tells in the order of the calls, and all of it before it is gone",
  ignore,
  async fn() {
    await using manager = new NotifySocket();
    {
      await using notifier = new Notifier({
        socket: manager.path,
      });
      assert(notifier.connected);
      notifier.ready();
      notifier.reloading();
      notifier.ready();
      notifier.stopping();
    }
    await manager.told("STOPPING=1");
    assertEquals(
      manager.lines,
      ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"],
    );
  },
});

Deno.test({
  name:
    "Notifier.beat() asks for more time until the program is ready, and tells a status once",
  ignore,
  async fn() {
    await using manager = new NotifySocket();
    let nowMs = 0;
    {
      await using notifier = new Notifier({
        socket: manager.path,
        now: () => nowMs,
      });
      notifier.beat(() => "one\nline");
      notifier.beat(() => "at most once a second");
      notifier.ready();
      nowMs = 1_000;
      notifier.beat(() => "one\nline");
      nowMs = 2_000;
      notifier.beat(() => "another");
      notifier.stopping();
    }
    await manager.told("STOPPING=1");
    assertEquals(manager.messages, [
      ["WATCHDOG=1", "EXTEND_TIMEOUT_USEC=120000000", "STATUS=one line"],
      ["READY=1"],
      ["WATCHDOG=1"],
      ["WATCHDOG=1", "STATUS=another"],
      ["STOPPING=1"],
    ]);
  },
});

Deno.test({
  name: "Notifier reaches a socket that has no file (@NAME)",
  ignore,
  async fn() {
    const name = `@jarvis-test-${crypto.randomUUID()}`;
    await using manager = new NotifySocket(name);
    await using notifier = new Notifier({ socket: name });
    notifier.ready();
    await manager.told("READY=1");
  },
});

Deno.test({
  name: "Notifier takes a name for none that no socket can have",
  ignore,
  async fn() {
    await using notifier = new Notifier({ socket: `/tmp/${"x".repeat(200)}` });
    assert(!notifier.connected);
    notifier.ready();
  },
});

Deno.test("Notifier does nothing where nobody asks, and survives a manager that is gone", async () => {
  await using dir = new TempDir();
  await using nobody = new Notifier({});
  assert(!nobody.connected);
  nobody.ready();
  nobody.beat(() => {
    throw new Error("This takes time for nothing");
  });
  await using gone = new Notifier({ socket: dir.join("gone") });
  gone.ready();
});

/** Tells when the agent looks for changes, which it does whatever its loop does. */
class WatchedQueue extends UploadQueue {
  looks = 0;

  override dataVersion(): number {
    this.looks++;
    return super.dataVersion();
  }
}

Deno.test({
  name:
    "the watchdog starves while the loop that does the work hangs, whatever else goes on",
  ignore,
  async fn() {
    await using manager = new NotifySocket();
    await using fixture = new AgentFixture("http://127.0.0.1:9");
    await using notifier = new Notifier({
      socket: manager.path,
      now: () => Infinity,
    });
    const queue = new WatchedQueue(fixture.dir.join("watched.db"));
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<Readiness>();
    let turns = 0;
    fixture.throttle.failed("down", "for the test");
    class HungUploader extends CaptureUploader {
      override probe(): Promise<Readiness> {
        asked.resolve();
        return answer.promise;
      }
    }
    await using uploader = new HungUploader("http://127.0.0.1:9");
    const agent = fixture.agent({
      queue,
      uploader,
      onTurn: () => {
        turns++;
        notifier.beat(() => `turn ${turns}`);
      },
    });
    const stop = new AbortController();
    const running = agent.run(stop.signal);
    await asked.promise;
    const [turnsThen, looksThen] = [turns, queue.looks];
    agent.wake();
    await eventually("timers go on", () => queue.looks >= looksThen + 3);
    assertEquals(turns, turnsThen);
    answer.resolve({ ready: true, isPage: false });
    await manager.told(`STATUS=turn ${turnsThen + 1}`);
    stop.abort();
    await running;
    queue.close();
  },
});

/** Where the program keeps what it needs, and whom it tells. */
function surroundings(dir: TempDir, manager: NotifySocket, url: string) {
  return {
    XDG_DATA_HOME: dir.path,
    NOTIFY_SOCKET: manager.path,
    JARVIS_SERVER_URL: url,
  };
}

Deno.test({
  name: "run tells when it is ready, how it goes, and that it stops",
  ignore,
  async fn() {
    await using manager = new NotifySocket();
    await using server = new CaptureServer();
    await using dir = new TempDir();
    const env = surroundings(dir, manager, server.url);
    await using agent = startCli(["run"], { env });
    await manager.told("READY=1");
    await manager.told("STATUS=everything is delivered");
    server.answer = () => new Response("no", { status: 422 });
    await runCli(["enqueue", dir.write("door.png", "bytes")], { env });
    await manager.told("STATUS=1 capture has failed");
    await agent.stop();
    assertEquals(manager.lines.at(-1), "STOPPING=1");
  },
});

Deno.test({
  name: "run is not ready before it has looked through its folders",
  ignore,
  async fn() {
    await using manager = new NotifySocket();
    await using server = new CaptureServer();
    await using dir = new TempDir();
    dir.write("in/door.png", "bytes");
    const env = surroundings(dir, manager, server.url);
    await using agent = startCli(["run", "--watch", dir.join("in")], { env });
    await manager.told("READY=1");
    assertMatch(agent.stderr, /Watching "/);
  },
});

Deno.test({
  name: "run that cannot go on says why as its status",
  ignore,
  async fn() {
    await using manager = new NotifySocket();
    await using dir = new TempDir();
    const env = surroundings(dir, manager, "http://127.0.0.1:9");
    dir.write("jarvis", "not a folder");
    const { code } = await runCli(["run"], { env });
    assertEquals(code, 1);
    await manager.told(/^STATUS=Cannot use the data directory /);
  },
});

Deno.test({
  name:
    "run takes new settings from its settings file on SIGHUP, and keeps the old ones if those are wrong",
  ignore,
  async fn() {
    await using manager = new NotifySocket();
    await using first = new CaptureServer();
    await using second = new CaptureServer();
    await using dir = new TempDir();
    const { JARVIS_SERVER_URL, ...env } = {
      ...surroundings(dir, manager, first.url),
      JARVIS_ENV_FILE: dir.write(
        "agent.env",
        `JARVIS_SERVER_URL=${first.url}\nJARVIS_LOG_FORMAT=json\n`,
      ),
    };
    // As systemd does with the file.
    const started = { ...env, JARVIS_SERVER_URL, JARVIS_LOG_FORMAT: "json" };
    await using agent = startCli(["run"], { env: started });
    await manager.told("READY=1");

    dir.write("agent.env", "JARVIS_SERVER_URL=nonsense\n");
    agent.kill("SIGHUP");
    await agent.said(/error.*server address.*; going on/);

    dir.write(
      "agent.env",
      `JARVIS_SERVER_URL=${second.url}\nHTTPS_PROXY=http://proxy.example\n`,
    );
    agent.kill("SIGHUP");
    await agent.said("A new HTTPS_PROXY takes a restart");
    await agent.said(`Delivering to ${second.url}`);
    await runCli(["enqueue", dir.write("door.png", "bytes")], { env });
    await eventually("it goes there", () => second.uploads.length === 1);
    assertEquals(first.uploads.length, 0);
    assertEquals(
      manager.lines.filter((line) => /^(READY|RELOADING)=/.test(line)),
      ["READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1"],
    );
    // What the file does not say any more does not hold any more.
    const { stderr } = await agent.stop();
    assertMatch(stderr, /info {2}Stopped/);
  },
});

Deno.test({
  name: "run sends a new token after SIGHUP, without ending uploads under way",
  ignore,
  async fn() {
    await using manager = new NotifySocket();
    await using dir = new TempDir();
    const tokens: (string | null)[] = [];
    const release = Promise.withResolvers<void>();
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request) => {
        await request.body?.pipeTo(new WritableStream());
        if (request.method !== "POST") return new Response();
        tokens.push(request.headers.get("authorization"));
        if (tokens.length === 1) await release.promise;
        return Response.json({ id: tokens.length });
      },
    );
    const url = `http://127.0.0.1:${server.addr.port}`;
    const token = dir.write("token", "old");
    const env = {
      ...surroundings(dir, manager, url),
      JARVIS_TOKEN_FILE: token,
      JARVIS_ENV_FILE: dir.write("agent.env", `JARVIS_TOKEN_FILE=${token}\n`),
    };
    await using agent = startCli(["run"], { env });
    await manager.told("READY=1");
    await runCli(["enqueue", dir.write("a.png", "a")], { env });
    await eventually("one is under way", () => tokens.length === 1);
    dir.write("token", "new");
    agent.kill("SIGHUP");
    await agent.said("The settings file was read again");
    release.resolve();
    await runCli(["enqueue", dir.write("b.png", "b")], { env });
    await eventually("both are sent", () => tokens.length === 2);
    assertEquals(tokens, ["Bearer old", "Bearer new"]);
  },
});
