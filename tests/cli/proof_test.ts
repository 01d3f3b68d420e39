import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";

/** What a captive portal, or the wrong virtual host, answers to everything. */
const portal = () =>
  new Response("<!doctype html><title>Welcome to Hotel Wi-Fi</title>", {
    headers: { "content-type": "text/html" },
  });
const INSTEAD =
  "HTTP 200 with text/html instead of a JSON object with an id: this is not the capture server";

Deno.test("upload, sync, status and the log say what came instead of an id, in one line", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  server.answer = portal;
  const file = host.write("a.png");
  const upload = await host.run("upload", file);
  assertEquals(upload.code, 75);
  assertMatch(upload.stdout, RegExp(`^[^\\n]+: ${INSTEAD}\\n$`));
  const sync = await host.run("sync");
  assertEquals(sync.code, 75);
  assertStringIncludes(sync.stdout, `1 left: ${INSTEAD}\n`);
  await using agent = await host.startAgent();
  await host.enqueue(host.write("b.png"));
  await agent.said(INSTEAD);
  const { stdout } = await host.run("status");
  assertStringIncludes(stdout, INSTEAD);
});

Deno.test("--proof status takes any 2xx for a delivery, and the log says what that gives up", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  server.answer = portal;
  for (const command of ["upload", "sync", "run"]) {
    const { stdout } = await host.run(command, "--help");
    assertMatch(stdout, /--proof id\|status .*\n.*captive portal/);
  }
  const upload = await host.run(
    ...["upload", host.write("a.png"), "--proof", "status"],
  );
  assertEquals(upload.code, 0);
  assertStringIncludes(upload.stdout, "delivered as (no id given)");
  assertStringIncludes(upload.stderr, "a captive portal too: what that got is");
  await using agent = await host.startAgent("--proof=status");
  await host.enqueue(host.write("b.png"));
  await eventually("it counts as delivered", async () => {
    const { delivered } = await host.status();
    return delivered === 1;
  });
  assertStringIncludes(agent.stderr, "a captive portal too: what that got is");
});

Deno.test("a token is read again after a 401, by upload and by the agent", async () => {
  const seen: (string | null)[] = [];
  let file = "";
  await using server = new CaptureServer();
  server.answer = (upload) => {
    seen.push(upload.token);
    if (upload.token === "Bearer new") return Response.json({ id: 1 });
    Deno.writeTextFileSync(file, "new");
    return new Response(null, { status: 401 });
  };
  await using host = new Host(server.url);
  file = host.write("token", "old");
  const token = ["--token-file", file];
  const upload = await host.run("upload", host.write("a.png"), ...token);
  assertEquals([upload.code, seen], [0, ["Bearer old", "Bearer new"]]);
  host.write("token", "old");
  seen.length = 0;
  await using _agent = await host.startAgent(...token);
  await host.enqueue(host.write("b.png"));
  await eventually("it is delivered", () => seen.at(-1) === "Bearer new");
});

Deno.test("plain http to another machine is said in the log", async () => {
  await using host = new Host("http://captures.invalid", {
    JARVIS_ALLOW_INSECURE: "1",
  });
  await using agent = host.start("run");
  await agent.said("http://captures.invalid in plain http://, readable by");
});
