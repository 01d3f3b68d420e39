import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";
import { NotifySocket } from "../helpers/notify_socket.ts";

/** What the server says by itself, and what it repeats of the capture. */
const WORDS = "words of its own";
const PRIVATE = "Canary in metadata";
const BODY = `${WORDS}: ${PRIVATE}`;

/** Answers that are no delivery, and what the log must call them. */
const REFUSALS: Record<string, { answer: () => Response; reason: string }> = {
  "a refusal for good": {
    answer: () => Response.json({ detail: BODY }, { status: 422 }),
    reason: "HTTP 422 Unprocessable Content",
  },
  "a capture that is too large": {
    answer: () => new Response(BODY, { status: 413 }),
    reason: "HTTP 413 Content Too Large",
  },
  "a server's error": {
    answer: () => new Response(BODY, { status: 500 }),
    reason: "HTTP 500 Internal Server Error",
  },
  "a token that is refused": {
    answer: () => new Response(BODY, { status: 401 }),
    reason: "HTTP 401 Unauthorized",
  },
  "a captive portal": {
    answer: () =>
      new Response(`<title>${BODY}</title>`, {
        headers: { "content-type": "text/html" },
      }),
    reason:
      "HTTP 200 with text/html instead of a JSON object with an id: this is not the capture server",
  },
  "an error that says 200": {
    answer: () => Response.json({ error: BODY }),
    reason: "HTTP 200 with an object that says it failed",
  },
  "a server that is busy": {
    answer: () =>
      new Response(BODY, { status: 429, headers: { "retry-after": "60" } }),
    reason: "HTTP 429 Too Many Requests",
  },
};

/** Lets an agent meet a refusal, and looks at everything that it says. */
async function assertKept(
  { answer, reason }: (typeof REFUSALS)[string],
): Promise<void> {
  await using manager = new NotifySocket();
  await using server = new CaptureServer();
  await using host = new Host(server.url, { NOTIFY_SOCKET: manager.path });
  server.answer = answer;
  await using agent = await host.startAgent(
    ...["--listen", "0", "--log-level", "debug", "--log-format", "json"],
  );
  await agent.said("Showing how it goes");
  const at = /(http:\/\/127[^/]+)\//.exec(agent.stderr)![1]!;
  const page = async (path: string) => await (await fetch(at + path)).text();
  const file = host.write("a.png");
  const queued = await host.run(
    "enqueue",
    file,
    "--metadata",
    `t=${PRIVATE}`,
  );
  await agent.said(reason);
  if (reason.includes("401")) {
    // It is told every few seconds: once is enough.
    await manager.told(
      /^STATUS=the server cannot be used since .*HTTP 401.*1 capture waits/,
    );
  }

  const outputs = {
    log: agent.stderr,
    manager: manager.lines.join("\n"),
    metrics: await page("/metrics"),
    health: await page("/healthz"),
  };
  for (const [name, text] of Object.entries(outputs)) {
    assert(!text.includes(WORDS), `${name}: ${text}`);
  }
  const list = (await host.run("list")).stdout;
  const shown = (await host.run("show", queued.stdout.trim())).stdout;
  if (reason.includes("text/html")) {
    // The title of a page says nothing of a capture.
    assert(!list.includes(WORDS));
  } else {
    assertStringIncludes(list, WORDS);
    assertStringIncludes(shown, WORDS);
  }
  const others = [list, await page("/status.json"), await page("/")];
  for (const text of [...Object.values(outputs), ...others]) {
    assert(!text.includes(PRIVATE), text);
  }
}

Deno.test(
  "a refusal reaches log, service manager and metrics without the server's words, and list has them",
  { ignore: Deno.build.os !== "linux" },
  async () => {
    // They wait most of the time.
    await Promise.all(Object.values(REFUSALS).map(assertKept));
  },
);

Deno.test(
  "what a health page says reaches the log without its words, and check has them",
  { ignore: Deno.build.os !== "linux" },
  async () => {
    await using health = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () => new Response(WORDS, { status: 503 }),
    );
    await using host = new Host(`http://127.0.0.1:${health.addr.port}`);
    await using agent = await host.startAgent();
    await host.enqueue(host.write("a.png"));
    await agent.said("The server cannot be used");
    await eventually("it is down", async () => {
      const { stdout } = await host.run("status");
      return stdout.includes("down") && stdout.includes("HTTP 503 Service");
    });
    assert(!agent.stderr.includes(WORDS), agent.stderr);
    assertStringIncludes((await host.run("check")).stdout, WORDS);
  },
);

Deno.test("an id that repeats the token reaches no output and no queue, one that repeats metadata no log", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url, { JARVIS_TOKEN: "s3cret-token" });
  const ids: Record<string, string> = {
    "a.png": "Bearer s3cret-token",
    "b.png": "Bearer s3cret-token",
    "c.png": PRIVATE,
  };
  server.answer = ({ filename }) => Response.json({ id: ids[filename] });
  const metadata = ["--metadata", `t=${PRIVATE}`];
  const [a, b, c] = Object.keys(ids).map((name) => host.write(name));
  const upload = await host.run("upload", a!, ...metadata);
  assertStringIncludes(upload.stdout, "delivered as Bearer [token]");

  await using agent = await host.startAgent("--log-format", "json");
  const queued = await host.run("enqueue", b!, c!, ...metadata);
  const [, id] = queued.stdout.split("\n");
  await agent.said("the server's id is Bearer [token]");
  await agent.said(
    `the server's id, which repeats metadata, has \\"jarvis-agent show ${id}\\"`,
  );
  agent.kill("SIGTERM");
  assert(!(await agent.ended()).stderr.includes(PRIVATE), agent.stderr);

  const outputs = [upload, await agent.ended()];
  for (const args of [["history"], ["history", "--json"], ["show", id!]]) {
    const shown = await host.run(...args);
    assertStringIncludes(shown.stdout, PRIVATE);
    outputs.push(shown);
  }
  assert(!JSON.stringify(outputs).includes("s3cret"));
  for (const { name } of Deno.readDirSync(host.dataDir)) {
    if (!name.startsWith("queue.db")) continue;
    const bytes = Deno.readFileSync(`${host.dataDir}/${name}`);
    assert(!new TextDecoder("latin1").decode(bytes).includes("s3cret"), name);
  }
});

Deno.test("a proxy that repeats its password shows it to nobody", async () => {
  const password = "hush-hush-1";
  const basic = btoa(`me:${password}`);
  const repeated = `407: me:${password}@proxy, Basic ${basic}`;
  await using proxy = new CaptureServer();
  proxy.answer = () => new Response(repeated, { status: 407 });
  await using host = new Host("http://captures.invalid", {
    HTTP_PROXY: proxy.url.replace("://", `://me:${password}@`),
    JARVIS_ALLOW_INSECURE: "true",
  });
  await host.enqueue(host.write("a"));
  await host.run("sync");
  const all = [
    await host.run("list", "--json"),
    await host.run("doctor"),
    await host.run("status"),
  ].map(({ stdout, stderr }) => stdout + stderr).join("");
  assertStringIncludes(all, "407: me:[proxy password]@proxy");
  assertEquals([all.includes("hush"), all.includes(basic)], [false, false]);
  const kept = Deno.readTextFileSync(`${host.dataDir}/queue.db`);
  assert(!kept.includes("hush") && !kept.includes(basic));
});
