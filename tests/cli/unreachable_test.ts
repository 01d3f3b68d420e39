/** What the agent keeps cannot be reached for a while: it waits, and nothing is lost. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CaptureServer, created } from "../helpers/capture_server.ts";
import type { RunningCli } from "../helpers/cli.ts";
import { eventually } from "../helpers/eventually.ts";
import { HeldAnswer } from "../helpers/held_answer.ts";
import { Host } from "../helpers/host.ts";
import { NotifySocket } from "../helpers/notify_socket.ts";
import { AS_PLAIN_USER, HAS_PERMISSIONS } from "../helpers/plain_user.ts";

const ignore = !HAS_PERMISSIONS;

/** A host whose user is not root, with an agent that has delivered a file of its watched folder. */
async function working(server: CaptureServer, ...args: string[]) {
  const host = new Host(server.url);
  host.through = AS_PLAIN_USER;
  host.env.JARVIS_DATA_DIR = host.join("home/data");
  const watched = host.makeDir("in");
  const agent = await host.startAgent("--watch", watched, ...args);
  host.write("in/first.png");
  await arrival(server, agent, "first.png");
  return { host, agent };
}

async function arrival(
  server: CaptureServer,
  agent: RunningCli,
  name: string,
): Promise<void> {
  await eventually(`${name} arrives`, () => server.names.includes(name))
    .catch((error) => {
      throw new Error(`${error.message}\n${agent.stderr}`);
    });
}

/** Closes a path to everybody, and returns what opens it again. */
function close(path: string): Disposable {
  const mode = Deno.statSync(path).mode! & 0o777;
  Deno.chmodSync(path, 0o000);
  return { [Symbol.dispose]: () => Deno.chmodSync(path, mode) };
}

/** Makes a link that leads to a folder lead nowhere: it leads to itself. */
function tieKnot(link: string): Disposable {
  const target = Deno.readLinkSync(link);
  Deno.removeSync(link);
  Deno.symlinkSync(link, link);
  return {
    [Symbol.dispose]() {
      Deno.removeSync(link);
      Deno.symlinkSync(target, link);
    },
  };
}

async function isIdle(host: Host): Promise<boolean> {
  const { pending, uploading } = await host.status();
  return pending + uploading === 0;
}

/** The copies of captures in a spool. */
function copies(spool: string): string[] {
  return [...Deno.readDirSync(spool)].map(({ name }) => name)
    .filter((name) => /^[0-9a-f]{2}$/.test(name))
    .flatMap((name) => [...Deno.readDirSync(`${spool}/${name}`)])
    .map(({ name }) => name);
}

const count = (text: string, part: string) => text.split(part).length - 1;

for (const name of ["home/data", "home", "home/data/spool"]) {
  Deno.test(
    `an agent waits while nobody may look into ${name}, and goes on when somebody may`,
    {
      ignore,
    },
    async () => {
      await using server = new CaptureServer();
      const { host, agent } = await working(server, "--settle=0.1");
      await using _host = host;
      await using _agent = agent;
      const path = host.join(name);
      const objection =
        `this user may not read and write "${path}", expected mode 700`;
      {
        using _closed = close(path);
        await agent.said(
          /Waiting for the data directory: Cannot reach "[^"]+": this user may not/,
        );
        assertStringIncludes(agent.stderr, objection);
        host.write("in/meanwhile.png");
        await agent.said("Cannot take over watched files, will try again: ");
        for (
          const args of [["enqueue", host.write("a")], ["status"], ["list"]]
        ) {
          const { code, stdout, stderr } = await host.run(...args);
          assertEquals([code, stdout], [1, ""], args[0]);
          assertEquals(
            stderr,
            `jarvis-agent: Cannot use the data directory "${host.env.JARVIS_DATA_DIR}": ${objection} (--data-dir names it)\n`,
          );
        }
      }
      await agent.said("The data directory can be reached again");
      await arrival(server, agent, "meanwhile.png");
      await host.enqueue(host.write("later.png"));
      await arrival(server, agent, "later.png");
      assertEquals(count(agent.stderr, "Waiting for the data directory"), 1);
      assertEquals(count(agent.stderr, "can be reached again"), 1);
      assertEquals(server.names.length, new Set(server.names).size);
      await agent.stop();
      assertEquals(server.names.length, 3);
    },
  );
}

Deno.test(
  "the service manager is told that the agent waits for its data directory",
  {
    ignore: ignore || Deno.build.os !== "linux",
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    await using socket = new NotifySocket();
    host.through = AS_PLAIN_USER;
    host.env.NOTIFY_SOCKET = socket.path;
    await using agent = await host.startAgent();
    {
      using _closed = close(`${host.dataDir}/spool`);
      await socket.told(/^STATUS=Cannot reach "[^"]+": this user may not/);
    }
    const since = socket.lines.length;
    await eventually(
      "it is told otherwise",
      () =>
        socket.lines.slice(since).some((line) => line.startsWith("STATUS=")),
    );
    await agent.stop();
  },
);

for (const name of ["queue.db", "agent.lock"]) {
  Deno.test(
    `an agent delivers on while nobody may open its ${name} anew, and commands say so`,
    {
      ignore,
    },
    async () => {
      await using server = new CaptureServer();
      const { host, agent } = await working(server, "--settle=0.1");
      await using _host = host;
      await using _agent = agent;
      const path = host.join("home/data", name);
      {
        using _closed = close(path);
        host.write("in/meanwhile.png");
        await arrival(server, agent, "meanwhile.png");
        const commands = name === "queue.db"
          ? [["enqueue", host.write("a")], ["status"], ["list"]]
          : [["run"]];
        for (const args of commands) {
          const { code, stderr } = await host.run(...args);
          assertEquals(code, 1, args[0]);
          assertStringIncludes(
            stderr,
            `this user may not read and write "${path}", expected mode 600`,
          );
          assertMatch(stderr, /^[^\n]*\n$/);
        }
      }
      await host.enqueue(host.write("later.png"));
      await arrival(server, agent, "later.png");
      await agent.stop();
    },
  );
}

Deno.test(
  "an agent waits while the link to its data directory leads in a circle",
  {
    ignore,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const link = host.join("data");
    Deno.symlinkSync(host.makeDir("real"), link);
    await using agent = await host.startAgent();
    {
      using _knot = tieKnot(link);
      await agent.said("Waiting for the data directory: ");
    }
    await agent.said("The data directory can be reached again");
    await host.enqueue(host.write("later.png"));
    await arrival(server, agent, "later.png");
    await agent.stop();
  },
);

Deno.test(
  "an agent that waits for its data directory ends when it is told to",
  {
    ignore,
  },
  async () => {
    await using server = new CaptureServer();
    const { host, agent } = await working(server);
    await using _host = host;
    await using _agent = agent;
    // An outcome that is not recorded yet would be waited for.
    await eventually("nothing is under way", () => isIdle(host));
    using _closed = close(host.join("home"));
    await agent.said("Waiting for the data directory: ");
    await agent.stop();
  },
);

Deno.test(
  "captures that were begun wait, and nothing is left of those that are delivered, when the spool could not be reached",
  {
    ignore,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    host.through = AS_PLAIN_USER;
    const names = Array.from({ length: 20 }, (_, n) => `${n}.png`);
    await host.enqueue(...names.map((name) => host.write(name)));
    using held = new HeldAnswer();
    server.answer = async (upload) => {
      await held.released;
      return created(upload);
    };
    const spool = `${host.dataDir}/spool`;
    {
      await using agent = await host.startAgent("--concurrency=1");
      await eventually("one is being sent", () => server.inFlight === 1);
      {
        using _closed = close(spool);
        held.release();
        await agent.said("Waiting for the data directory: ");
        await agent.said("Cannot tidy up after a delivery");
      }
      await eventually("all arrive", () => server.names.length === 20);
      await agent.stop();
      assertEquals(new Set(server.names).size, 20);
      assertEquals(count(agent.stderr, "will be tried again"), 0, agent.stderr);
    }
    await using agent = await host.startAgent();
    await eventually("no copy is left", () => copies(spool).length === 0);
    await agent.stop();
  },
);

Deno.test("a copy that cannot be read when the agent starts is not lost", {
  ignore,
}, async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  host.through = AS_PLAIN_USER;
  const path = host.write("a.png");
  const [id] = await host.enqueue(path);
  Deno.removeSync(path);
  await using agent = host.start("run");
  {
    using _closed = close(`${host.dataDir}/spool/${id!.slice(-2)}`);
    await agent.said(/tried again|failed/);
    await agent.said(`Cannot bring "${id}" in the spool into line`);
  }
  const { failed, pending } = await host.status();
  assertEquals({ failed, pending }, { failed: 0, pending: 1 }, agent.stderr);
  await host.run("sync");
  await arrival(server, agent, "a.png");
  await agent.stop();
});
