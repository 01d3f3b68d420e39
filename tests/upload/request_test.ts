import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { delay } from "@std/async/delay";
import {
  CaptureUploader,
  type UploadResult,
} from "../../sync/upload/uploader.ts";
import type { CaptureUploaderOptions } from "../../sync/upload/uploader.ts";
import { deadUrl } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { KNOWS_OPEN_FILES, openFiles } from "../helpers/open_files.ts";
import { sampleBytes } from "../helpers/sample_bytes.ts";
import {
  answering,
  delivered,
  hanging,
  type Script,
  type ScriptedRequest,
  ScriptedServer,
} from "../helpers/scripted_server.ts";
import { selfSigned } from "../helpers/certificates.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const DATA = new Uint8Array([1, 2, 3]);
/** More than sockets on the way can hold. */
const LARGE = 24 * 1024 * 1024;

function assertResult(
  result: UploadResult,
  expected: Partial<UploadResult>,
  message?: string,
): void {
  assertEquals(result, { ...result, ...expected }, message);
}

/** Makes one attempt. */
async function attempt(
  url: string,
  data: Uint8Array | string = DATA,
  options: CaptureUploaderOptions = {},
): Promise<UploadResult> {
  await using uploader = new CaptureUploader(url, {
    maxRetries: 1,
    timeout: 5_000,
    ...options,
  });
  return typeof data === "string"
    ? await uploader.upload(data)
    : await uploader.uploadBytes(data, "a.png");
}

/** Makes one attempt at a server that does this with it. */
async function attemptAt(
  script: Script,
  data?: Uint8Array | string,
  options?: CaptureUploaderOptions,
): Promise<UploadResult> {
  await using server = new ScriptedServer(script);
  return await attempt(server.url, data, options);
}

/** Refuses in mid-body, with an answer that announces this length. */
async function refuseEarly(
  request: ScriptedRequest,
  length: number,
): Promise<void> {
  await request.skip(1000);
  await request.send(
    `HTTP/1.1 401 No\r\ncontent-length: ${length}\r\n\r\nwho?`,
  );
}

const TAKEN: Partial<UploadResult> = {
  success: true,
  outcome: "delivered",
  error: null,
};

function failed(outcome: UploadResult["outcome"]): Partial<UploadResult> {
  return { success: false, outcome, captureId: null };
}

const ANSWERS: [string, Script, Partial<UploadResult>][] = [
  ["200 with an id", answering(200, '{"id":"a"}'), {
    ...TAKEN,
    captureId: "a",
    status: 200,
  }],
  ["201 with a number", answering(201, '{"id":7}'), {
    ...TAKEN,
    captureId: "7",
  }],
  ["201 with a byte order mark", answering(201, '\ufeff{"id":7}'), {
    ...TAKEN,
    captureId: "7",
  }],
  ["200 of HTML", answering(200, "<html>", { "content-type": "text/html" }), {
    ...failed("unavailable"),
    error:
      "HTTP 200 with text/html instead of a JSON object with an id: this is not the capture server",
  }],
  ["201 with a huge id", answering(201, `{"id":"${"x".repeat(5_000)}"}`), {
    ...failed("unavailable"),
    status: 201,
  }],
  ["204", answering(204), {
    ...failed("unavailable"),
    error:
      "HTTP 204 with an empty body instead of a JSON object with an id: this is not the capture server",
  }],
  ["409 with an id", answering(409, '{"id":"there"}'), {
    ...TAKEN,
    captureId: "there",
  }],
  ["409 without", answering(409, "taken", { "retry-after": "5" }), {
    ...failed("in_progress"),
    error: "HTTP 409: taken",
    retryAfterMs: 5_000,
  }],
  ["400", answering(400, "bad form"), {
    ...failed("rejected"),
    error: "HTTP 400: bad form",
  }],
  ["413", answering(413), { ...failed("rejected"), error: "HTTP 413" }],
  ["413 with a time", answering(413, "", { "retry-after": "90" }), {
    ...failed("deferred"),
    error: "HTTP 413",
    retryAfterMs: 90_000,
  }],
  ["422", answering(422, "x".repeat(600)), {
    ...failed("rejected"),
    error: `HTTP 422: ${"x".repeat(500)}`.slice(0, 510),
  }],
  ["401", answering(401, "who?"), {
    ...failed("refused"),
    error: "HTTP 401: who?",
    status: 401,
  }],
  ["404", answering(404), { ...failed("refused"), error: "HTTP 404" }],
  ["429 in seconds", answering(429, "", { "retry-after": "120" }), {
    ...failed("busy"),
    retryAfterMs: 120_000,
  }],
  ["429 with nonsense", answering(429, "", { "retry-after": "soon" }), {
    ...failed("busy"),
    retryAfterMs: null,
  }],
  ["500", answering(500, "oops"), {
    ...failed("server_error"),
    error: "HTTP 500: oops",
  }],
  ["503", answering(503), { ...failed("server_error"), retryAfterMs: null }],
  ["503 with a time", answering(503, "", { "retry-after": "30" }), {
    ...failed("busy"),
    retryAfterMs: 30_000,
  }],
];

for (const [name, script, expected] of ANSWERS) {
  Deno.test(`an answer of ${name} is ${expected.outcome}`, async () => {
    const result = await attemptAt(script);
    assertResult(result, { ...expected, attempts: 1 });
  });
}

Deno.test("a Retry-After that is a date is kept as the time until then, by the server's clock", async () => {
  const at = (hour: number) => new Date(2001, 0, 1, hour).toUTCString();
  const headers = { date: at(2), "retry-after": at(2).replace(":00:", ":10:") };
  const { retryAfterMs } = await attemptAt(answering(429, "", headers));
  assertEquals(retryAfterMs, 600_000);
});

Deno.test("a redirect is not followed: captures and token go nowhere else", async () => {
  await using elsewhere = new ScriptedServer();
  for (const status of [301, 302, 303, 307, 308]) {
    const location = `${elsewhere.url}/api/captures`;
    const result = await attemptAt(answering(status, "", { location }));
    assertEquals(result.outcome, "refused");
    assertEquals(result.error, `HTTP ${status}: it redirects to ${location}`);
    assertEquals(result.reason?.includes(location), false);
  }
  assertEquals(elsewhere.accepted, 0);
});

Deno.test("a 2xx from a cache is another request's, and proves nothing", async () => {
  const answers: [name: string, value: string, outcome: string][] = [
    ["age", "12", "unavailable"],
    ["x-cache", "HIT", "unavailable"],
    ["x-cache", "Hit from cloudfront", "unavailable"],
    ["x-cache-status", "HIT", "unavailable"],
    ["cf-cache-status", "HIT", "unavailable"],
    ["age", "0", "delivered"],
    ["x-cache", "MISS from proxy", "delivered"],
    ["cf-cache-status", "DYNAMIC", "delivered"],
  ];
  for (const [name, value, outcome] of answers) {
    const script = answering(201, '{"id":"first"}', { [name]: value });
    assertEquals((await attemptAt(script)).outcome, outcome, name);
  }
});

Deno.test("a 2xx whose body does not arrive whole proves nothing", async () => {
  const chunked = "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n";
  const cut = (text: string): Script => async (request) => {
    await request.body();
    await request.send(text);
    request.close();
  };
  const scripts: [Script, string][] = [
    [
      cut('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"id":'),
      "took longer than the timeout",
    ],
    [
      cut('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"id":1}'),
      "took longer than the timeout",
    ],
    [cut(`${chunked}8\r\n{"id":1}\r\n`), "took longer than the timeout"],
    [cut(`${chunked}8\r\n{"id":1}\r\nzz\r\n`), "took longer than the timeout"],
    // Its end is the connection's.
    [cut('HTTP/1.1 200 OK\r\n\r\n{"id":12'), "no JSON"],
    [answering(200, '{"id":"a'), "no JSON"],
    [answering(200, '\0{\0"\0i\0d\0"\0:\x001\0}'), "no JSON"],
    [
      answering(200, `{"id":1,"more":"${"x".repeat(1024 * 1024)}"}`),
      "more than 1048576 bytes",
    ],
  ];
  for (const [script, expected] of scripts) {
    const result = await attemptAt(script);
    assertResult(result, failed("unavailable"));
    const instead = `${expected} instead of a JSON object with an id`;
    assertStringIncludes(result.error!, instead);
  }
  const whole = cut('HTTP/1.1 200 OK\r\n\r\n{"id":12}');
  assertResult(await attemptAt(whole), { ...TAKEN, captureId: "12" });
  const chunks = cut(`${chunked}5\r\n{"id"\r\n3\r\n:1}\r\n0\r\n\r\n`);
  assertResult(await attemptAt(chunks), { ...TAKEN, captureId: "1" });
});

Deno.test("of an endless answer no more than 1 MiB is read", async () => {
  for (const status of [201, 500]) {
    let sent = 0;
    const result = await attemptAt(async (request) => {
      await request.body();
      await request.send(`HTTP/1.1 ${status} Endless\r\n\r\n`);
      // Ends when the client closes its end.
      while (true) {
        await request.send("x".repeat(65_536));
        sent += 65_536;
      }
    });
    assertEquals(result.success, false);
    // What was not read is in the sockets' buffers.
    assert(sent < 64 * 1024 * 1024, `${sent} bytes`);
  }
});

Deno.test("an answer that trickles for ever is given up, and the status of a refusal counts", async () => {
  const trickling = (status: number): Script => async (request) => {
    await request.body();
    await request.send(
      `HTTP/1.1 ${status} T\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    while (true) {
      await request.send("1\r\nw\r\n");
      await delay(5);
    }
  };
  const options = { timeout: 100 };
  const nothing = await attemptAt(trickling(200), undefined, options);
  assertResult(nothing, failed("unavailable"));
  const refused = await attemptAt(trickling(422), undefined, options);
  assertResult(refused, failed("rejected"));
  assertMatch(refused.error!, /^HTTP 422: w+$/);
});

Deno.test("an answer that is compressed unasked proves nothing, and is not inflated", async () => {
  const body = new Blob(['{"id":"a"}', " ".repeat(10_000_000)]).stream()
    .pipeThrough(new CompressionStream("gzip"));
  const bytes = await new Response(body).bytes();
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      assertEquals(request.headers.get("accept-encoding"), "identity");
      await request.bytes();
      return new Response(bytes, { headers: { "content-encoding": "gzip" } });
    },
  );
  const result = await attempt(`http://127.0.0.1:${server.addr.port}`);
  assertResult(result, failed("unavailable"));
  // Deno before 2.5 inflates it all the same.
  assertMatch(result.error!, /with (gzip encoding|more than 1048576 bytes)/);
});

Deno.test("what an answer repeats of token and metadata is told without them", async () => {
  const token = "s3cret-token";
  await using server = new ScriptedServer(async (request) => {
    const { metadata } = await request.form();
    const sent = request.headers.get("authorization");
    const input = JSON.stringify(metadata);
    await request.answer(422, `no:\r\n\u001b[31m${sent} ${input}\u0000`);
  });
  await using uploader = new CaptureUploader(server.url, { token });
  const metadata = { name: "Jane Roe" };
  const { error } = await uploader.uploadBytes(DATA, "b.png", metadata);
  assertMatch(
    error!,
    /^HTTP 422: no: \\u001b\[31mBearer \[token\] "\{.*\}"\\u0000$/,
  );
  assertStringIncludes(error!, '"name":"[metadata]"');
});

const UNREACHABLE: [string, Script, RegExp][] = [
  // What is not read makes the close a reset.
  [
    "resets before the body",
    (request) => request.close(),
    /^Cannot reach the server: .*(reset|pipe|closed)/,
  ],
  ["resets in the body", async (request) => {
    await request.skip(100_000);
    request.close();
  }, /^Cannot reach the server: .*(reset|pipe|closed)/i],
  ["resets after the body", async (request) => {
    await request.skip(request.contentLength - 1);
    request.close();
  }, /^Cannot reach the server: .*(reset|pipe|closed)/i],
  ["hangs up after the body", async (request) => {
    await request.body();
    request.close();
  }, /^Cannot reach the server: .*closed/],
  ["answers what is not HTTP", async (request) => {
    await request.skip();
    await request.send("220 mail.example.org ESMTP\r\n");
    request.close();
  }, /^The server was reached, and its answer is not HTTP: /],
];

for (const [name, script, reason] of UNREACHABLE) {
  Deno.test(`a server that ${name} is unavailable`, async () => {
    for (const size of [200_000, 4_000_000]) {
      const result = await attemptAt(script, new Uint8Array(size));
      assertResult(result, { ...failed("unavailable"), attempts: 1 });
      assertMatch(result.error!, reason);
    }
  });
}

Deno.test("a server that cannot be connected to is unavailable", async () => {
  await using plain = new ScriptedServer();
  await using strange = new ScriptedServer(delivered, {
    tls: await selfSigned(),
  });
  const servers: [string, RegExp][] = [
    ["http://nowhere.invalid", /dns error/],
    [deadUrl(), /refused/i],
    [plain.url.replace("http:", "https:"), /reset|closed|eof|corrupt|invalid/i],
    [strange.url, /invalid peer certificate/],
  ];
  for (const [url, reason] of servers) {
    const result = await attempt(url, undefined, { allowInsecure: true });
    assertResult(result, { ...failed("unavailable"), attempts: 1 });
    assertMatch(result.error!, /^Cannot reach the server: /);
    assertMatch(result.error!, reason);
  }
  assertEquals([plain.requests, strange.requests], [[], []]);
});

Deno.test("a server that reads nothing is unavailable when nothing has moved for the timeout", async () => {
  const data = new Uint8Array(LARGE);
  const result = await attemptAt(hanging, data, { timeout: 150 });
  assertResult(result, { ...failed("unavailable"), attempts: 1 });
  assertEquals(result.error, "No progress for 0.15 s");
});

Deno.test("a server that takes the whole capture and never answers is unavailable, and is told from one that reads nothing", async () => {
  const scripts: Script[] = [
    async (request) => {
      await request.body();
      await request.gone();
    },
    async (request) => {
      await request.body();
      await request.send("HTTP/1.1 2");
      await request.gone();
    },
  ];
  for (const script of scripts) {
    for (
      const [size, what] of [
        [
          3,
          "The server could not be reached, or has the capture and stores slowly: ",
        ],
        [LARGE, "The whole capture was sent, and "],
      ] as const
    ) {
      const result = await attemptAt(script, new Uint8Array(size), {
        timeout: 150,
      });
      assertResult(result, { ...failed("unavailable"), attempts: 1 });
      assertEquals(result.error, `${what}no answer came within 0.15 s`);
    }
  }
});

Deno.test("a body that is read slowly may take longer than the timeout", async () => {
  let pauses = 0;
  const slowly: Script = async (request) => {
    // Until the timeout is over twice, the sockets' buffers included.
    for (; pauses < 12; pauses++) {
      await request.skip(1_500_000);
      await delay(50);
    }
    await delivered(request);
  };
  const data = new Uint8Array(2 * LARGE);
  const result = await attemptAt(slowly, data, { timeout: 300 });
  assertResult(result, { ...TAKEN });
  assertEquals(pauses, 12);
});

Deno.test({
  name: "a refusal in mid-body ends the body, and frees file and socket",
  ignore: !KNOWS_OPEN_FILES,
  fn: async () => {
    await using dir = new TempDir();
    const path = dir.write("large.bin", new Uint8Array(LARGE));
    // An answer of four bytes that is whole, and one that is not.
    for (const length of [4, 99]) {
      const sockets = openFiles("socket:");
      await using server = new ScriptedServer(async (request) => {
        await refuseEarly(request, length);
        await request.skip();
      });
      const result = await attempt(server.url, path, { timeout: 300 });
      assertResult(result, { ...failed("refused"), error: "HTTP 401: who?" });
      await eventually(
        "file and socket are closed",
        () =>
          openFiles(path) === 0 && server.open === 0 &&
          openFiles("socket:") === sockets + 1,
      );
      assert(server.last.bodyBytes < LARGE / 2, `${server.last.bodyBytes}`);
    }
  },
});

Deno.test({
  name:
    "a refusal by a server that reads no more frees the file, and the socket when the server lets go",
  ignore: !KNOWS_OPEN_FILES,
  fn: async () => {
    await using dir = new TempDir();
    const path = dir.write("large.bin", new Uint8Array(LARGE));
    const sockets = openFiles("socket:");
    {
      await using server = new ScriptedServer(async (request) => {
        await refuseEarly(request, 4);
        await request.idle();
      });
      const result = await attempt(server.url, path, { timeout: 300 });
      assertResult(result, { ...failed("refused"), error: "HTTP 401: who?" });
      await eventually("the file is closed", () => openFiles(path) === 0);
    }
    await eventually(
      "the socket is closed",
      () => openFiles("socket:") === sockets,
    );
  },
});

Deno.test("a refusal whose sender hangs up in mid-body is never taken for more than it is", async () => {
  const result = await attemptAt(async (request) => {
    await request.skip(1000);
    await request.answer(413, "too large");
    request.close();
  }, new Uint8Array(LARGE));
  // A reset may outrun the answer.
  assertEquals(result.success, false);
  assertMatch(result.error!, /^HTTP 413: too large$|^Cannot reach the server/);
});

Deno.test("a 2xx in mid-body proves nothing, whether the rest is taken or not", async () => {
  const ends: Record<string, Script> = {
    "reads on": async (request) => {
      await request.skip();
    },
    "hangs up": (request) => request.close(),
    "reads no more": (request) => request.idle(),
  };
  for (const [name, end] of Object.entries(ends)) {
    const early: Script = async (request) => {
      await request.skip(1000);
      await request.answer(201, '{"id":"early"}');
      await end(request);
    };
    const options = { timeout: 500 };
    const result = await attemptAt(early, new Uint8Array(LARGE), options);
    assertResult(result, failed("unavailable"), name);
    assertMatch(
      result.error!,
      /^HTTP 201 before the whole capture was sent|^Cannot reach the server/,
    );
  }
});

Deno.test("a 409 with an id in mid-body delivers without the rest", async () => {
  await using server = new ScriptedServer(async (request) => {
    await request.skip(1000);
    await request.answer(409, '{"id":"there"}');
    await request.skip();
  });
  const result = await attempt(server.url, new Uint8Array(LARGE));
  assertResult(result, { ...TAKEN, captureId: "there" });
  await eventually("closed", () => server.open === 0);
  assert(server.last.bodyBytes < LARGE / 2);
});

Deno.test("what is no capture is refused without a request", async () => {
  await using dir = new TempDir();
  await using server = new ScriptedServer();
  for (const path of [dir.join("missing"), dir.path]) {
    const result = await attempt(server.url, path);
    assertResult(result, { ...failed("rejected"), sent: null, attempts: 1 });
    assertStringIncludes(result.error!, `Cannot read the capture "${path}"`);
  }
  assertEquals(server.accepted, 0);
});

Deno.test("a file that changes while it is sent is never a whole capture", async () => {
  await using dir = new TempDir();
  const changes: Record<string, (path: string) => void> = {
    "grows": (path) => Deno.writeTextFileSync(path, "more", { append: true }),
    "shrinks": (path) => Deno.truncateSync(path, LARGE - 1),
    "is emptied": (path) => Deno.truncateSync(path, 0),
    "is written over": (path) => Deno.writeFileSync(path, sampleBytes(LARGE)),
  };
  for (const [name, change] of Object.entries(changes)) {
    const path = dir.write(name, new Uint8Array(LARGE));
    await using server = new ScriptedServer(async (request) => {
      await request.skip(1000);
      change(path);
      await delivered(request);
    });
    const result = await attempt(server.url, path);
    assertResult(result, failed("rejected"));
    assertStringIncludes(result.error!, "it changed while it was sent");
    await eventually("closed", () => server.open === 0);
    assertEquals(server.last.isComplete, false, name);
  }
});

Deno.test({
  name: "a file that loses its name while it is sent arrives as it was",
  // Windows does not let go of an open file's name.
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using dir = new TempDir();
    const changes: Record<string, (path: string) => void> = {
      "replaced": (path) => Deno.renameSync(dir.write("new", "other"), path),
      "removed": (path) => Deno.removeSync(path),
    };
    for (const [name, change] of Object.entries(changes)) {
      const path = dir.write(name, sampleBytes(LARGE));
      await using server = new ScriptedServer(async (request) => {
        change(path);
        await delivered(request);
      });
      const result = await attempt(server.url, path);
      assertResult(result, { ...TAKEN });
      assertEquals(result.sent!.size, LARGE);
      assertEquals(server.last.isComplete, true);
    }
  },
});
