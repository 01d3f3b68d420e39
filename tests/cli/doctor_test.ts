import { assert, assertEquals } from "@std/assert";
import type { Finding } from "../../sync/cli/doctor/finding.ts";
import { CaptureServer, deadUrl } from "../helpers/capture_server.ts";
import { Host } from "../helpers/host.ts";

const ignore = Deno.build.os === "windows";

/** What doctor finds wrong, a line each, and the exit code. */
async function wrongOn(host: Host, ...args: string[]) {
  const { code, stdout, stderr } = await host.run("doctor", "--json", ...args);
  assertEquals(stderr, "");
  const findings: Finding[] = JSON.parse(stdout);
  const wrong = findings.filter(({ level }) => level !== "ok");
  for (const { what, remedy } of wrong) assert(remedy, what);
  return {
    code,
    wrong: wrong.map(({ level, what, text }) => `${level} ${what}: ${text}`),
    looked: [...new Set(findings.map(({ what }) => what))],
  };
}

/** Set-ups that are broken, and what doctor must say of each. */
const BROKEN: Record<
  string,
  (
    host: Host,
    server: CaptureServer,
  ) => { args?: string[]; expected: RegExp; code: number }
> = {
  "a wrong token": (host, server) => {
    const token = host.write("token", "s3cret");
    Deno.chmodSync(token, 0o600);
    server.withoutFile = () =>
      new Response("bad token s3cret", { status: 401 });
    return {
      args: ["--token-file", token],
      expected: /^failure token: the server refuses the token: HTTP 401/,
      code: 1,
    };
  },
  "a token file that is not there": (host) => ({
    args: ["--token-file", host.join("none")],
    expected: /^failure token: Cannot read the token file ".*none"/,
    code: 1,
  }),
  "the address of another server": (_, server) => {
    server.withoutFile = () => new Response("", { status: 404 });
    return {
      expected: /^failure token: nobody takes captures there: HTTP 404/,
      code: 1,
    };
  },
  "a server that is down": () => ({
    args: ["--server", deadUrl()],
    expected: /^failure server: \S+ is not ready: .*[Cc]onnection refused/,
    code: 1,
  }),
  "a clock that is wrong": (_, server) => {
    const date = new Date(Date.now() - 3_600_000).toUTCString();
    server.withoutFile = () =>
      new Response("", { status: 422, headers: { date } });
    return {
      expected: /^warning clock: it is 3[56]\d\d s ahead of the server's/,
      code: 0,
    };
  },
  "a watched folder that is not there": (host) => ({
    args: ["--watch", host.join("none")],
    expected: /^failure folder: ".*none" cannot be read/,
    code: 1,
  }),
  "a copy that is gone from the spool": (host) => {
    using queue = host.queue();
    queue.pause(null);
    queue.enqueueMany([{
      id: "0190b5a0-0000-7000-8000-000000000000",
      filepath: "/a.png",
      metadataJson: "{}",
      spooled: true,
    }]);
    return {
      expected: /^failure spool: the copies of 1 captures are not there/,
      code: 1,
    };
  },
  "a data directory that is open to others": (host) => {
    Deno.chmodSync(host.dataDir, 0o755);
    return {
      expected: /^warning data directory: others can look into/,
      code: 0,
    };
  },
};

for (const [what, spoil] of Object.entries(BROKEN)) {
  Deno.test(`doctor names ${what}, and nothing else`, { ignore }, async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    await host.enqueue(host.write("first.png"));
    await using _agent = await host.startAgent();
    const { args = [], expected, code } = spoil(host, server);
    const found = await wrongOn(host, ...args);
    const named = found.wrong.find((line) => expected.test(line));
    assert(named, found.wrong.join("\n"));
    // Without an answer the token cannot be tried; a pause is told of, and that the
    // agent has found a copy gone.
    const follows =
      /^warning (token: not|deliveries|captures: 0 wait, 1 failed)/;
    const others = found.wrong
      .filter((line) => line !== named && !follows.test(line));
    assertEquals(others, []);
    assertEquals(found.code, code);
    assert(!JSON.stringify(found).includes("s3cret"));
  });
}

Deno.test("doctor goes on after a failure, and looks at everything", {
  ignore,
}, async () => {
  await using host = new Host(deadUrl());
  Deno.mkdirSync(host.dataDir);
  Deno.writeTextFileSync(`${host.dataDir}/queue.db`, "not a database at all");
  const { code, looked } = await wrongOn(host);
  assertEquals(code, 1);
  for (const what of ["database", "queue", "limits", "server", "token"]) {
    assert(looked.includes(what), what);
  }
});
