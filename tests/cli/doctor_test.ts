import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { inspectEnabled } from "../../sync/cli/doctor/agent.ts";
import { inspectSpool } from "../../sync/cli/doctor/store.ts";
import { exists } from "../../sync/host/files.ts";
import type { Finding } from "../../sync/monitor/finding.ts";
import { CaptureServer, deadUrl } from "../helpers/capture_server.ts";
import { selfSigned } from "../helpers/certificates.ts";
import { eventually } from "../helpers/eventually.ts";
import { HeldAnswer } from "../helpers/held_answer.ts";
import { Host } from "../helpers/host.ts";
import { ScriptedServer } from "../helpers/scripted_server.ts";
import { StoreFixture } from "../helpers/store_fixture.ts";

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
      expected: /^failure spool: 1 capture without a copy/,
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
      /^warning (token: not|deliveries|captures: 1 capture has failed)/;
    const others = found.wrong
      .filter((line) => line !== named && !follows.test(line));
    assertEquals(others, []);
    assertEquals(found.code, code);
    assert(!JSON.stringify(found).includes("s3cret"));
  });
}

Deno.test(
  "doctor says of a server that stores slowly what to set, and never refers to itself",
  {
    ignore,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url, { JARVIS_TIMEOUT: "0.3" });
    using slow = new HeldAnswer();
    server.answer = slow.delivery;
    await host.enqueue(host.write("first.png"));
    await using _agent = await host.startAgent();
    await eventually(
      "the agent has met it",
      async () => (await host.status()).server.state === "paused",
    );
    const findings = await host.json<Finding[]>("doctor");
    const remedies = findings.map(({ remedy }) => remedy ?? "");
    assert(
      remedies.some((remedy) => remedy.includes("--timeout (JARVIS_TIMEOUT)")),
      remedies.join("\n"),
    );
    server.answer = () => new Response(null, { status: 500 });
    await eventually(
      "it meets something else",
      async () => /500/.test((await host.status()).server.reason ?? ""),
    );
    const { stdout } = await host.run("doctor");
    assertStringIncludes(stdout, "(HTTP 500");
    assert(!stdout.includes("jarvis-agent doctor"), stdout);
  },
);

Deno.test(
  "a server that answers neither captures nor probes is called unreachable, not slow",
  {
    ignore,
  },
  async () => {
    // As a host that is off, but that the probe is answered sooner.
    await using server = new ScriptedServer((request) =>
      request.method === "GET" ? request.close() : request.idle()
    );
    await using host = new Host(server.url, { JARVIS_TIMEOUT: "0.3" });
    await host.enqueue(host.write("first.png"));
    await using agent = await host.startAgent();
    const found = await eventually("the agent has met it", async () => {
      const report = await host.status();
      return report.server.state === "down" ? report : undefined;
    });
    assertMatch(found.server.reason!, /^Cannot reach the server: /);
    assertStringIncludes(found.advice.join(), "doctor");
    await agent.said("The server cannot be used");
    const said = found.advice.join() + agent.stderr;
    assert(!/--timeout|stores? slowly|was sent/.test(said), said);
  },
);

Deno.test(
  "doctor does not know the token where everything is answered 400, and names the client's certificate",
  {
    ignore,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const { cert, key } = await selfSigned();
    host.env.JARVIS_CLIENT_CERT = host.write("cert.pem", cert);
    host.env.JARVIS_CLIENT_KEY = host.write("key.pem", key);
    Deno.chmodSync(host.env.JARVIS_CLIENT_KEY, 0o600);
    const find = async (what: string, status: number) => {
      server.withoutFile = () => new Response(null, { status });
      const found = await host.json<Finding[]>("doctor");
      return found.find((finding) => finding.what === what)!;
    };
    assertEquals((await find("token", 400)).level, "ok");
    assertEquals((await find("token", 410)).text.slice(0, 9), "not known");
    server.ready = false;
    server.unreadyStatus = 400;
    assertEquals((await find("token", 400)).text, "not known: HTTP 400");
    const { remedy } = await find("server", 400);
    assertStringIncludes(remedy!, "openssl x509 -enddate");
  },
);

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

Deno.test(
  "doctor names settings that cannot be used, and goes on with the rest",
  {
    ignore,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host();
    host.env.JARVIS_ENV_FILE = host.write(
      "agent.env",
      `JARVIS_SERVER_URL=${server.url}\nJARVIS_CONCURRENCY=many\nJARVIS_TIMEOUT=soon\n`,
    );
    Deno.chmodSync(host.env.JARVIS_ENV_FILE, 0o600);
    const { code, wrong, looked } = await wrongOn(host);
    assertEquals(code, 1);
    const expected = [
      /^failure settings: Cannot use JARVIS_CONCURRENCY in ".*agent.env" "many": expected/,
      /^failure settings: Cannot use JARVIS_TIMEOUT in ".*" "soon": expected/,
    ];
    for (const pattern of expected) {
      assert(wrong.some((line) => pattern.test(line)), wrong.join("\n"));
    }
    for (const what of ["database", "limits", "server", "token", "clock"]) {
      assert(looked.includes(what), what);
    }
    host.env.JARVIS_ENV_FILE = host.join("none");
    const without = await wrongOn(host);
    assertEquals(without.code, 1);
    assert(
      without.wrong.some((line) => /Cannot read the settings file/.test(line)),
      without.wrong.join("\n"),
    );
  },
);

/** Runs doctor where a folder cannot be written, and returns what it says of folders. */
async function foldersWithout(host: Host, folder: string, ...args: string[]) {
  // Root may write whatever the mode says.
  const script = Deno.uid() === 0
    ? `exec unshare --mount sh -c '
        mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"
      ' '${folder}' "$@"`
    : `chmod 500 '${folder}'; "$@"; chmod 700 '${folder}'`;
  const { stdout } = await host.inShell(script, "doctor", "--json", ...args);
  const findings: Finding[] = JSON.parse(stdout);
  return findings.filter(({ what }) => what === "folder")
    .map(({ level, text }) => `${level}: ${text}`);
}

Deno.test(
  "doctor tries whether delivered files can be taken out of a folder, and leaves nothing there",
  {
    ignore,
  },
  async () => {
    await using host = new Host(deadUrl());
    const folder = host.makeDir("captures");
    const done = host.join("done", "today");
    for (const after of ["delete", `move:${done}`]) {
      const { wrong } = await wrongOn(
        host,
        ...["--watch", folder, "--after-upload", after],
      );
      assertEquals(wrong.filter((line) => line.includes("folder")), []);
    }
    assertEquals([...Deno.readDirSync(folder)], []);
    assertEquals(exists(host.join("done")), false);

    const watching = ["--watch", folder, "--after-upload"];
    assertEquals(await foldersWithout(host, folder, ...watching, "keep"), [
      `ok: "${folder}" can be read`,
    ]);
    const [taken] = await foldersWithout(host, folder, ...watching, "delete");
    assertMatch(
      taken!,
      /^failure: delivered files cannot be taken out of ".*": /,
    );
    const other = host.makeDir("other");
    const move = `move:${other}/done`;
    const [, moved] = await foldersWithout(host, other, ...watching, move);
    assertMatch(
      moved!,
      /^failure: delivered files cannot be moved to ".*done": /,
    );
  },
);

Deno.test("doctor tells of limits and proxies, and of no password", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const doctor = async (script: string): Promise<Finding[]> => {
    const { stdout } = await host.inShell(script, "doctor", "--json");
    assert(!stdout.includes("hush"), stdout);
    return JSON.parse(stdout);
  };
  const few = await doctor('ulimit -n 128; exec "$@"');
  assert(
    few.some(({ level, text }) =>
      level === "warning" && /^128 open/.test(text)
    ),
  );
  for (
    const [proxy, level, text] of [
      [
        "http://me:hush@proxy.example:3128",
        "ok",
        "proxy.example:3128 (HTTP_PROXY), but for what NO_PROXY names",
      ],
      ["http://me:hush hush@:x", "failure", "HTTP_PROXY is no address"],
    ] as const
  ) {
    const found = await doctor(`export HTTP_PROXY='${proxy}'; exec "$@"`);
    const about = found.find(({ what }) => what === "proxy")!;
    assertEquals([about.level, about.text], [level, text]);
  }
  const [, exceptions] = (await doctor(
    'export HTTP_PROXY=http://p.invalid NO_PROXY="a.example, *.example,B.example"; exec "$@"',
  )).filter(({ what }) => what === "proxy");
  assertEquals(
    [exceptions?.level, exceptions?.text],
    [
      "warning",
      'entries of NO_PROXY that match nothing: "*.example", "B.example"',
    ],
  );
});

Deno.test("doctor says what to do about a proxy that lets nothing through, and about an answer that is not HTTP", async () => {
  const password = "put the proxy's password into HTTPS_PROXY or HTTP_PROXY";
  for (
    const [server, answer, text, remedy] of [
      ["http://captures.invalid", "HTTP/1.1 407 No", "HTTP 407", password],
      ["https://captures.invalid", "HTTP/1.1 407 No", "HTTPS_PROXY", password],
      [
        "https://captures.invalid",
        "HTTP/1.1 403 No",
        "the proxy in HTTPS_PROXY",
        "see whether HTTPS_PROXY or ALL_PROXY names the right proxy",
      ],
      [
        null,
        "SSH-2.0-OpenSSH_9.6",
        "its answer is not HTTP",
        "is the capture server's address",
      ],
    ] as const
  ) {
    await using proxy = new ScriptedServer((request) =>
      request.send(`${answer}\r\ncontent-length: 0\r\n\r\n`)
    );
    await using host = new Host(server ?? proxy.url, {
      HTTP_PROXY: proxy.url,
      HTTPS_PROXY: proxy.url,
      JARVIS_ALLOW_INSECURE: "true",
    });
    const findings = await host.json<Finding[]>("doctor");
    const found = findings.find(({ what }) => what === "server")!;
    assertStringIncludes(found.text, text);
    assertStringIncludes(found.remedy!, remedy);
  }
});

Deno.test("doctor names copies that the queue does not know, unless they may be in the making", async () => {
  await using store = new StoreFixture();
  store.queue.remove([await store.take("bytes")]);
  await store.take("others");
  const found = (minutes: number) =>
    inspectSpool(store, Date.now() + minutes * 60_000)
      .map(({ level, text }) => `${level}: ${text}`);
  assertEquals(found(0), ["ok: it has each capture's copy"]);
  assertEquals(found(11), [
    "warning: 1 file in it that the queue does not know",
  ]);
});

for (
  const [what, type, body, code] of [
    ["a login page", "text/html", "<!DOCTYPE html><title>Log in</title>", 75],
    ["HTML that is no page", "text/html; charset=utf-8", "ok", 0],
    ["an empty body", "text/html", "", 0],
    ["a page in other words", "text/plain", "<html>", 0],
  ] as const
) {
  Deno.test(`check and doctor judge ${what} in the place of the health page`, async () => {
    await using server = Deno.serve({ port: 0, onListen: () => {} }, () => {
      return new Response(body, { headers: { "content-type": type } });
    });
    await using host = new Host(`http://127.0.0.1:${server.addr.port}`);
    const { code: ended, stdout } = await host.run("check");
    assertEquals(ended, code, stdout);
    const { wrong } = await wrongOn(host);
    const isTold = wrong.some((line) =>
      line.startsWith("warning server") && line.includes("an HTML page")
    );
    assertEquals(isTold, code !== 0, wrong.join("\n"));
  });
}

Deno.test("inspectEnabled() warns of a service that does not start with the system", () => {
  const levels = ["enabled", "", "disabled", "enabled-runtime", "linked"]
    .map((state) => inspectEnabled(state).level);
  assertEquals(levels, ["ok", "ok", "warning", "warning", "warning"]);
  assertEquals(inspectEnabled("disabled"), {
    level: "warning",
    what: "start",
    text: "the service does not start with the system: it is disabled",
    remedy: "jarvis-agent service install",
  });
});
