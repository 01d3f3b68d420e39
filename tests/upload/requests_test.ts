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
  data: Uint8Array | string = new Uint8Array([1, 2, 3]),
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
const LATER: Partial<UploadResult> = { success: false, outcome: "retry" };
const PAUSED: Partial<UploadResult> = {
  success: false,
  outcome: "pause",
  captureId: null,
};
const REFUSED: Partial<UploadResult> = {
  success: false,
  outcome: "reject",
  captureId: null,
};

const ANSWERS: [string, Script, Partial<UploadResult>][] = [
  ["200 with an id", answering(200, '{"id":"a"}'), {
    ...TAKEN,
    captureId: "a",
    warning: null,
  }],
  ["201 with a number", answering(201, '{"id":7}'), {
    ...TAKEN,
    captureId: "7",
  }],
  ["201 with a huge id", answering(201, `{"id":"${"x".repeat(5_000)}"}`), {
    ...TAKEN,
    captureId: null,
  }],
  ["204", answering(204), { ...TAKEN, captureId: null }],
  ["409 with an id", answering(409, '{"id":"there"}'), {
    ...TAKEN,
    captureId: "there",
  }],
  ["409 without", answering(409, "taken"), {
    ...REFUSED,
    error: "HTTP 409: taken",
  }],
  ["400", answering(400, "bad form"), {
    ...REFUSED,
    error: "HTTP 400: bad form",
  }],
  ["413", answering(413), { ...REFUSED, error: "HTTP 413" }],
  ["415", answering(415), { ...REFUSED, error: "HTTP 415" }],
  ["422", answering(422, "x".repeat(600)), {
    ...REFUSED,
    error: `HTTP 422: ${"x".repeat(500)}`,
  }],
  ["401", answering(401, "who?"), { ...PAUSED, error: "HTTP 401: who?" }],
  ["403", answering(403), { ...PAUSED, error: "HTTP 403" }],
  ["404", answering(404), { ...PAUSED, error: "HTTP 404" }],
  ["405", answering(405), { ...PAUSED, error: "HTTP 405" }],
  ["407", answering(407), { ...PAUSED, error: "HTTP 407" }],
  ["421", answering(421), { ...PAUSED, error: "HTTP 421" }],
  ["408", answering(408), { ...PAUSED, error: "HTTP 408" }],
  ["425", answering(425), { ...PAUSED, error: "HTTP 425" }],
  ["429 in seconds", answering(429, "", { "retry-after": "120" }), {
    ...PAUSED,
    retryAfterMs: 120_000,
  }],
  ["429 absurd", answering(429, "", { "retry-after": "9".repeat(99) }), {
    ...PAUSED,
    retryAfterMs: 3_600_000,
  }],
  [
    "429 past",
    answering(429, "", { "retry-after": new Date(0).toUTCString() }),
    {
      ...PAUSED,
      retryAfterMs: 0,
    },
  ],
  ["429 with nonsense", answering(429, "", { "retry-after": "soon" }), {
    ...PAUSED,
    retryAfterMs: null,
  }],
  ["500", answering(500, "oops"), { ...LATER, error: "HTTP 500: oops" }],
  ["502", answering(502), { ...LATER, error: "HTTP 502" }],
  ["503", answering(503), { ...LATER, retryAfterMs: null }],
  ["503 with a time", answering(503, "", { "retry-after": "30" }), {
    ...PAUSED,
    retryAfterMs: 30_000,
  }],
];

for (const [name, script, expected] of ANSWERS) {
  Deno.test(`an answer of ${name} is ${expected.outcome}`, async () => {
    const result = await attemptAt(script);
    assertResult(result, { ...expected, attempts: 1 });
  });
}

Deno.test("a Retry-After that is a date is kept as the time until then", async () => {
  const date = new Date(Date.now() + 600_000).toUTCString();
  const script = answering(429, "", { "retry-after": date });
  const { retryAfterMs } = await attemptAt(script);
  assert(retryAfterMs! > 300_000 && retryAfterMs! <= 600_000);
});

Deno.test("a redirect is not followed: captures and token go nowhere else", async () => {
  await using elsewhere = new ScriptedServer();
  for (const status of [301, 302, 303, 307, 308]) {
    const location = `${elsewhere.url}/api/captures`;
    const result = await attemptAt(answering(status, "", { location }));
    assertEquals(result.outcome, "pause");
    assertEquals(result.error, `HTTP ${status}`);
  }
  assertEquals(elsewhere.accepted, 0);
});

Deno.test("a 2xx delivers whatever its body is, with a remark", async () => {
  const chunked = "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n";
  const scripts: Record<string, Script> = {
    "none": answering(200),
    "HTML": answering(200, "<html>OK</html>"),
    "broken JSON": answering(200, '{"id":"a'),
    "JSON without an id": answering(200, '{"name":"a"}'),
    "cut off": async (request) => {
      await request.body();
      await request.send('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"id":');
      request.close();
    },
    "nonsense in chunks": async (request) => {
      await request.body();
      await request.send(`${chunked}zz\r\n`);
      request.close();
    },
  };
  for (const [name, script] of Object.entries(scripts)) {
    const result = await attemptAt(script);
    assertResult(result, { ...TAKEN, captureId: null }, name);
    assertStringIncludes(result.warning!, "taken as delivered");
  }
});

Deno.test("of an endless answer no more than 1 MiB is read", async () => {
  let sent = 0;
  const result = await attemptAt(async (request) => {
    await request.body();
    await request.send("HTTP/1.1 201 Created\r\n\r\n");
    // Ends when the client closes its end.
    while (true) {
      await request.send("x".repeat(65_536));
      sent += 65_536;
    }
  });
  assertResult(result, { ...TAKEN, captureId: null });
  // What was not read is in the sockets' buffers.
  assert(sent < 64 * 1024 * 1024, `${sent} bytes`);
});

Deno.test("an answer that trickles is given up, and its status counts", async () => {
  const trickling = (status: number): Script => async (request) => {
    await request.body();
    await request.send(
      `HTTP/1.1 ${status} T\r\ncontent-length: 99\r\n\r\nword`,
    );
    await request.gone();
  };
  const options = { timeout: 100 };
  const taken = await attemptAt(trickling(200), undefined, options);
  assertResult(taken, { ...TAKEN, captureId: null });
  const refused = await attemptAt(trickling(422), undefined, options);
  assertResult(refused, { ...REFUSED, error: "HTTP 422: word" });
});

Deno.test("an answer's error is bounded, on one line, and without secrets", async () => {
  const token = "s3cret-token";
  await using server = new ScriptedServer(async (request) => {
    const { metadata } = await request.form();
    const sent = request.headers.get("authorization");
    const input = JSON.stringify(metadata);
    await request.answer(422, `no:\r\n\u001b[31m${sent} ${input}\u0000`);
  });
  await using uploader = new CaptureUploader(server.url, { token });
  const data = new Uint8Array(1);
  const { error } = await uploader.uploadBytes(data, "a", { name: "Jane Roe" });
  assertEquals(error, 'HTTP 422: no: [31mBearer [token] "[metadata]"');
});

const UNREACHABLE: [string, Script, RegExp][] = [
  // What is not read makes the close a reset.
  ["resets before the body", (request) => request.close(), /reset|pipe|closed/],
  ["resets in the body", async (request) => {
    await request.skip(100_000);
    request.close();
  }, /reset|pipe|closed/i],
  ["resets after the body", async (request) => {
    await request.skip(request.contentLength - 1);
    request.close();
  }, /reset|pipe|closed/i],
  ["hangs up after the body", async (request) => {
    await request.body();
    request.close();
  }, /closed/],
  ["answers what is not HTTP", async (request) => {
    await request.skip();
    await request.send("220 mail.example.org ESMTP\r\n");
    request.close();
  }, /HTTP/],
];

for (const [name, script, reason] of UNREACHABLE) {
  Deno.test(`a server that ${name} pauses`, async () => {
    for (const size of [200_000, 4_000_000]) {
      const result = await attemptAt(script, new Uint8Array(size));
      assertResult(result, { ...PAUSED, attempts: 1 });
      assertMatch(result.error!, /^Cannot reach the server: /);
      assertMatch(result.error!, reason);
    }
  });
}

Deno.test("a server that cannot be connected to pauses", async () => {
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
    assertResult(result, { ...PAUSED, attempts: 1 });
    assertMatch(result.error!, /^Cannot reach the server: /);
    assertMatch(result.error!, reason);
  }
  assertEquals([plain.requests, strange.requests], [[], []]);
});

Deno.test("a server that never answers pauses when nothing has moved for the timeout", async () => {
  const scripts: Script[] = [
    hanging,
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
    for (const size of [3, LARGE]) {
      const result = await attemptAt(script, new Uint8Array(size), {
        timeout: 150,
      });
      assertResult(result, { ...PAUSED, attempts: 1 });
      assertEquals(result.error, "No progress for 0.15 s");
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
      assertResult(result, { ...PAUSED, error: "HTTP 401: who?" });
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
      assertResult(result, { ...PAUSED, error: "HTTP 401: who?" });
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

Deno.test("a 2xx in mid-body delivers only when the rest is taken as well", async () => {
  const early = async (request: ScriptedRequest) => {
    await request.skip(1000);
    await request.answer(201, '{"id":"early"}');
  };
  const data = sampleBytes(LARGE);
  await using server = new ScriptedServer(async (request) => {
    await early(request);
    await request.skip();
  });
  const taken = await attempt(server.url, data);
  assertResult(taken, { ...TAKEN, captureId: "early" });
  await eventually("all arrived", () => server.last.isComplete);

  const hangsUp = await attemptAt(async (request) => {
    await early(request);
    request.close();
  }, data);
  assertEquals(hangsUp.success, false);
  assertMatch(
    hangsUp.error!,
    /^HTTP 201 before the whole capture was sent|^Cannot reach the server/,
  );

  const stops = await attemptAt(
    async (request) => {
      await early(request);
      await request.idle();
    },
    data,
    { timeout: 200 },
  );
  assertResult(stops, { ...PAUSED, error: "No progress for 0.2 s" });
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
    assertResult(result, { ...REFUSED, sent: null, attempts: 1 });
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
    Deno.utimeSync(path, 1_700_000_000, 1_700_000_000);
    await using server = new ScriptedServer(async (request) => {
      await request.skip(1000);
      change(path);
      await delivered(request);
    });
    const result = await attempt(server.url, path);
    assertResult(result, { ...LATER, captureId: null });
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
