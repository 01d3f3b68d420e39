import { assertEquals, assertStringIncludes } from "@std/assert";
import { CaptureServer, created } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";
import { openDatabase } from "../../sync/queue/sqlite.ts";
import { NotifySocket } from "../helpers/notify_socket.ts";

const ignore = Deno.build.os !== "linux";

/** A host whose agent is watched by a service manager. */
function managed(url: string, manager: NotifySocket): Host {
  return new Host(url, { NOTIFY_SOCKET: manager.path });
}

/** Waits until the last that the service manager was told matches. */
async function stands(manager: NotifySocket, expected: RegExp): Promise<void> {
  const last = () => manager.lines.findLast((line) => /^STATUS=/.test(line));
  await eventually(
    `${expected}`,
    () => expected.test(last() ?? ""),
  ).catch((error) => {
    throw new Error(`${error.message}, it is\n${last()}`);
  });
}

/** Waits until `status` has advice that holds the text, or none. */
async function advised(host: Host, text: string | null): Promise<void> {
  const { NOTIFY_SOCKET: _, ...env } = host.env;
  const observer = new Host(undefined, env);
  await eventually(`status advises ${text}`, async () => {
    const { advice } = await observer.status();
    return text === null
      ? advice.length === 0
      : advice.some((line) => line.includes(text));
  });
  await observer[Symbol.asyncDispose]();
}

Deno.test(
  "an agent whose token cannot be read takes captures over, says so, and delivers once it can",
  { ignore },
  async () => {
    await using manager = new NotifySocket();
    await using server = new CaptureServer();
    await using host = managed(server.url, manager);
    const token = host.join("token");
    const folder = host.makeDir("captures");
    await using agent = host.start(
      ...["run", "--token-file", token, "--watch", folder, "--settle", "0"],
    );
    await manager.told("READY=1");
    const problem = `Cannot read the token file "${token}": `;
    await stands(manager, RegExp(`^STATUS=${problem}no such file`));
    await agent.said(RegExp(`error ${problem}.*; captures wait until it can`));
    await advised(host, problem);
    host.write("captures/door.png");
    await eventually("it is taken over", async () => {
      const { pending } = await host.status();
      return pending === 1;
    });
    assertEquals(server.uploads.length, 0);

    host.write("token", "right");
    await eventually("it arrives", () => server.uploads.length === 1);
    assertEquals(server.uploads[0]!.token, "Bearer right");
    await stands(manager, /^STATUS=everything is delivered/);
    await advised(host, null);
    // Told once, however often it was tried.
    assertEquals(
      agent.stderr.match(/no such file.*; captures wait/g)?.length,
      1,
    );
  },
);

Deno.test(
  "an agent whose server has a name that nobody knows waits, and says so",
  { ignore },
  async () => {
    await using manager = new NotifySocket();
    await using host = managed("https://captures.invalid", manager);
    await using agent = await host.startAgent();
    await manager.told("READY=1");
    await host.enqueue(host.write("door.png"));
    await stands(
      manager,
      /^STATUS=the server cannot be used since .*Cannot reach.*1 capture waits/,
    );
    await agent.said(
      "The server cannot be used, 1 capture waits: Cannot reach",
    );
    await advised(host, "https://captures.invalid answers");
    await eventually("it says when it looks again", async () => {
      const { server } = await host.status();
      return server.nextProbeAt !== null;
    });
  },
);

Deno.test(
  "an agent whose folder is missing at the start waits for it, and says so",
  { ignore },
  async () => {
    await using manager = new NotifySocket();
    await using server = new CaptureServer();
    await using host = managed(server.url, manager);
    const folder = host.join("captures");
    await using agent = await host.startAgent("--watch", folder);
    await manager.told("READY=1");
    await stands(manager, /^STATUS=the watched folder ".*captures" is missing/);
    await agent.said(`"${folder}"`);
    await advised(host, `The watched folder "${folder}" is missing`);
    host.makeDir("captures");
    host.write("captures/door.png");
    await eventually("it arrives", () => server.uploads.length === 1);
  },
);

Deno.test(
  "a service waits while another process is its queue's agent, and then takes over",
  { ignore },
  async () => {
    await using manager = new NotifySocket();
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    await using first = await host.startAgent();
    host.env.NOTIFY_SOCKET = manager.path;
    await using second = host.start("run");
    await manager.told("READY=1");
    await stands(
      manager,
      /^STATUS=Waiting: .*: process \d+ is its agent already$/,
    );
    await first.stop();
    await second.said("Delivering to");
    await stands(manager, /^STATUS=everything is delivered/);
    assertEquals(second.stderr.match(/Waiting: /g)?.length, 1);
    await second.stop();
  },
);

Deno.test(
  "a service whose settings cannot be used ends with 2, and says why as its status",
  { ignore },
  async () => {
    await using manager = new NotifySocket();
    await using host = managed("http://127.0.0.1:9", manager);
    const { code, stderr } = await host.run("run", "--concurrency", "many");
    assertEquals(code, 2);
    const reason = await manager.told(/^STATUS=.*--concurrency "many"/);
    assertStringIncludes(stderr, reason.slice("STATUS=".length));
  },
);

Deno.test(
  "a reload that is refused is the status until the next one that is not",
  { ignore },
  async () => {
    await using manager = new NotifySocket();
    await using server = new CaptureServer();
    await using host = managed(server.url, manager);
    const write = (text: string) => host.write("agent.env", `${text}\n`);
    host.env.JARVIS_ENV_FILE = write("");
    await using agent = await host.startAgent();
    await manager.told("READY=1");
    for (const good of ["", "JARVIS_CONCURRENCY=2"]) {
      write("JARVIS_CONCURRENCY=many");
      manager.messages.length = 0;
      agent.kill("SIGHUP");
      await manager.told("READY=1");
      // Before it is ready: whoever waits for the reload finds it told.
      assertStringIncludes(
        manager.lines.slice(0, manager.lines.indexOf("READY=1")).join("\n"),
        'STATUS=A reload was refused: Cannot use JARVIS_CONCURRENCY in "',
      );
      await advised(host, "A reload was refused: ");
      write(good);
      manager.messages.length = 0;
      agent.kill("SIGHUP");
      await manager.told("READY=1");
      await stands(manager, /^STATUS=everything is delivered/);
      await advised(host, null);
    }
  },
);

Deno.test("an agent that finds its queue damaged only once it works repairs it, and goes on", async () => {
  await using server = new CaptureServer();
  server.answer = () => new Response(null, { status: 503 });
  await using host = new Host(server.url);
  await host.enqueue(host.write("before"));
  const path = `${host.dataDir}/queue.db`;
  {
    await using agent = await host.startAgent();
    await agent.said("The server cannot be used");
    await agent.stop();
  }
  // As a backup has it, of a time when the last agent had ended in order.
  Deno.copyFileSync(path, host.join("backup"));
  await using killed = await host.startAgent();
  const files = Array.from({ length: 300 }, (_, n) => host.write(`${n}`));
  await host.enqueue(...files);
  killed.kill("SIGKILL");
  await killed.ended();
  Deno.copyFileSync(host.join("backup"), path);
  server.answer = created;
  await using agent = await host.startAgent();
  await eventually(
    "all are delivered",
    () => new Set(server.names).size === 301,
  );
  assertStringIncludes(agent.stderr, "The damaged queue is kept as");
  await agent.stop();
});

Deno.test("an agent that is started while its queue is held locked waits, with or without a service manager", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await host.enqueue(host.write("a"));
  await using agent = host.start("run");
  {
    using other = openDatabase(`${host.dataDir}/queue.db`);
    other.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    await agent.said("Waiting: Cannot open the queue");
    other.exec("COMMIT");
  }
  await eventually("it is delivered", () => server.names.length === 1);
  await agent.stop();
});
