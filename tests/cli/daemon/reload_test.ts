import { assert, assertEquals, assertMatch } from "@std/assert";
import { ProcessLock } from "../../../sync/host/lock.ts";
import { IS_OLDEST_DENO } from "../../helpers/deno_version.ts";
import { CaptureServer, created } from "../../helpers/capture_server.ts";
import { newAuthority } from "../../helpers/certificates.ts";
import { eventually } from "../../helpers/eventually.ts";
import { Host } from "../../helpers/host.ts";
import { delivered, ScriptedServer } from "../../helpers/scripted_server.ts";

const ignore = Deno.build.os === "windows";

/** An agent whose settings come from a file too, as a service's do. */
async function serviceOn(host: Host, server: CaptureServer) {
  const write = (text: string) =>
    host.write(
      "agent.env",
      `JARVIS_SERVER_URL=${server.url}\nJARVIS_DATA_DIR=${host.dataDir}\n${text}\n`,
    );
  host.env.JARVIS_ENV_FILE = write("");
  return { agent: await host.startAgent(), write };
}

Deno.test("a reload leaves no moment in which another agent could begin", {
  ignore,
}, async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const { agent, write } = await serviceOn(host, server);
  await using _agent = agent;
  let isOver = false;
  const taken = (async () => {
    let count = 0;
    while (!isOver) {
      using lock = await ProcessLock.tryAcquire(`${host.dataDir}/agent.lock`);
      if (lock) count++;
    }
    return count;
  })();
  for (let n = 1; n <= 5; n++) {
    write(`JARVIS_CONCURRENCY=${n}`);
    agent.kill("SIGHUP");
    await eventually(
      "it delivers with the new settings",
      () => agent.stderr.match(/Delivering to/g)?.length === n + 1,
    );
  }
  await host.enqueue(host.write("a.png"));
  await eventually("it arrives", () => server.uploads.length === 1);
  isOver = true;
  assertEquals(await taken, 0);
});

Deno.test(
  "reloads that come at once, and in the midst of a start, end nothing",
  {
    ignore,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const { agent, write } = await serviceOn(host, server);
    await using _agent = agent;
    for (let n = 1; n <= 20; n++) {
      write(`JARVIS_CONCURRENCY=${n}`);
      agent.kill("SIGHUP");
    }
    await agent.said("read again");
    await host.enqueue(host.write("a.png"));
    await eventually("it arrives", () => server.uploads.length === 1);
    const { stderr } = await agent.stop();
    assertMatch(stderr, /Stopped\n$/);
  },
);

Deno.test("a reload that the agent could not begin anew with is refused", {
  ignore,
}, async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const { agent, write } = await serviceOn(host, server);
  await using _agent = agent;
  const key = host.write("key", "nonsense");
  const cert = host.write("cert", "-----BEGIN CERTIFICATE-----");
  const own = host.write("in/token", "token");
  for (
    const [text, reason] of [
      [
        `JARVIS_CLIENT_CERT=${cert}\nJARVIS_CLIENT_KEY=${key}`,
        "Cannot prepare TLS",
      ],
      [`JARVIS_DATA_DIR=${key}/below`, "Cannot use the data directory"],
      ["JARVIS_SERVER_URL=", "Cannot tell where to send captures"],
      [
        `JARVIS_WATCH=${host.join("in")}\nJARVIS_TOKEN_FILE=${own}`,
        "Cannot use JARVIS_TOKEN_FILE",
      ],
    ] as const
  ) {
    write(text);
    agent.kill("SIGHUP");
    await agent.said(RegExp(`error ${reason}.*; going on with what held befo`));
    await eventually("status says so", async () => {
      const { agent, verdict } = await host.status();
      return verdict.level === "warning" &&
        agent.problem?.startsWith(`A reload was refused: ${reason}`);
    });
  }
  await host.enqueue(host.write("a.png"));
  await eventually("it arrives", () => server.uploads.length === 1);
  write("");
  agent.kill("SIGHUP");
  await eventually(
    "status says that it is over",
    async () => (await host.status()).agent.problem === null,
  );
});

Deno.test("a reload is refused while the file that --config names is gone", {
  ignore,
}, async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const file = host.write("mine.env", "JARVIS_CONCURRENCY=2\n");
  await using agent = await host.startAgent("--config", file);
  Deno.removeSync(file);
  agent.kill("SIGHUP");
  const reason = `Cannot read the settings file "${file}": `;
  await agent.said(`error ${reason}`);
  await eventually("status says so", async () => {
    const { problem } = (await host.status()).agent;
    return problem?.startsWith(`A reload was refused: ${reason}`);
  });
  await host.enqueue(host.write("a.png"));
  await eventually("it arrives", () => server.uploads.length === 1);
});

Deno.test(
  "a reload brings another data directory into effect, and gives up the first",
  {
    ignore,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const { JARVIS_DATA_DIR: first, ...env } = host.env;
    const second = host.join("second");
    const write = (dir: string) =>
      host.write("agent.env", `JARVIS_DATA_DIR=${dir}\n`);
    Object.assign(host.env, { ...env, JARVIS_ENV_FILE: write(first!) });
    await using agent = await host.startAgent();
    write(second);
    agent.kill("SIGHUP");
    await eventually("it is the agent there", async () => {
      try {
        return await ProcessLock.isHeld(`${second}/agent.lock`);
      } catch {
        return false;
      }
    });
    await eventually(
      "it is no longer the agent here",
      async () => !await ProcessLock.isHeld(`${first}/agent.lock`),
    );
    host.env.JARVIS_DATA_DIR = second;
    await host.enqueue(host.write("a.png"));
    await eventually("it arrives", () => server.uploads.length === 1);
    assert(agent.stderr.includes("read again"));
  },
);

Deno.test("an agent that was started with -v reads its settings again", {
  ignore,
}, async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await using agent = await host.startAgent("-v");
  agent.kill("SIGHUP");
  await agent.said("The token was read again");
});

Deno.test("a new token is read where the health page refuses the old one, before a capture is tried with that", async () => {
  await using server = new ScriptedServer(async (request) => {
    await request.body();
    const isRight = request.headers.get("authorization") === "Bearer new";
    if (!isRight) return await request.answer(401);
    await request.answer(request.method === "GET" ? 200 : 201, '{"id":1}');
  });
  await using host = new Host(server.url);
  const file = host.write("token", "old");
  await using agent = await host.startAgent("--token-file", file);
  await host.enqueue(host.write("a.png"));
  await agent.said("The server cannot be used");
  // It may be away for a moment.
  Deno.removeSync(file);
  await agent.said("going on with the last token");
  Deno.renameSync(host.write("token.new", "new"), file);
  await eventually("it arrives", async () => {
    return (await host.status()).delivered === 1;
  });
  const first = server.requests.find(({ headers }) =>
    headers.get("authorization") === "Bearer new"
  );
  assertEquals(first?.method, "GET");
});

Deno.test("a running agent reads a renewed --ca-file again by itself", async () => {
  const [before, now] = [await newAuthority(), await newAuthority()];
  const tls = await now.sign();
  await using server = new ScriptedServer(delivered, { tls });
  await using host = new Host(server.url);
  const file = host.write("ca.pem", before.cert);
  await using agent = await host.startAgent("--ca-file", file);
  await host.enqueue(host.write("a.png"));
  await agent.said("invalid peer certificate");
  Deno.renameSync(host.write("ca.new", now.cert), file);
  await agent.said(`Renewed and read again: "${file}"`);
  await eventually("it arrives", () => server.requests.length === 1);
});

Deno.test(
  "a renewed --client-cert is read when the server cannot be used, and refused once until its key follows",
  {
    // It does not look whether they belong together.
    ignore: IS_OLDEST_DENO,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const authority = await newAuthority();
    const [before, now] = [await authority.sign(), await authority.sign()];
    const cert = host.write("client.pem", before.cert);
    const key = host.write("client.key", before.key);
    await using agent = await host.startAgent(
      ...["--client-cert", cert, "--client-key", key],
    );
    const said = (text: string | RegExp) => agent.stderr.split(text).length - 1;
    const says = (text: string | RegExp) =>
      eventually(`it says ${text}`, async () => {
        // Each capture has it take a turn.
        await host.enqueue(host.write("a.png"));
        return said(text) > 0;
      });
    const refusal = /Cannot prepare TLS: .*; going on with what held before/;
    Deno.renameSync(host.write("new.pem", now.cert), cert);
    await host.enqueue(host.write("a.png"));
    await eventually("it arrives", () => server.uploads.length === 1);
    assertEquals(said(refusal), 0, "a reload looks away from the folders");
    server.answer = () => new Response(null, { status: 503 });
    await says(refusal);
    Deno.renameSync(host.write("new.key", now.key), key);
    await says(`Renewed and read again: "${cert}", "${key}"`);
    assertEquals(said(refusal), 1);
    server.answer = created;
    await eventually("all arrive", async () => {
      return (await host.status()).pending === 0;
    });
  },
);
