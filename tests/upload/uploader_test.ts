import { hostname } from "node:os";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { deadline } from "@std/async/deadline";
import { delay } from "@std/async/delay";
import { FakeTime } from "@std/testing/time";
import {
  CaptureUploader,
  type UploadOptions,
} from "../../sync/upload/uploader.ts";
import { VERSION } from "../../sync/host/version.ts";
import { deadUrl } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { KNOWS_OPEN_FILES, openFiles } from "../helpers/open_files.ts";
import { sameBytes, sampleBytes } from "../helpers/sample_bytes.ts";
import {
  answering,
  delivered,
  type ScriptedRequest,
  ScriptedServer,
} from "../helpers/scripted_server.ts";
import { TempDir } from "../helpers/temp_dir.ts";
import { uploadAside } from "../helpers/upload_aside.ts";

const DATA = new Uint8Array([1, 2, 3]);
const SHA256 =
  "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81";
/** More than sockets on the way can hold. */
const LARGE = 24 * 1024 * 1024;
/** Chunks in which a large file leaves. */
const CHUNK = 256 * 1024;
/** Files up to this size are read at once. */
const IN_MEMORY_BYTES = 1024 * 1024;

/** A server that takes captures and keeps them. */
class Receiver extends ScriptedServer {
  readonly received: { metadata: string; file: File; bytes: Uint8Array }[];

  constructor() {
    const received: Receiver["received"] = [];
    super(async (request: ScriptedRequest) => {
      const { metadata, file } = await request.form();
      received.push({ metadata, file, bytes: await file.bytes() });
      await delivered(request);
    });
    this.received = received;
  }
}

Deno.test("upload() sends the request of the contract", async () => {
  await using dir = new TempDir();
  await using server = new Receiver();
  await using uploader = new CaptureUploader(`${server.url}/base/`);
  const path = dir.write("door 3.png", DATA);
  Deno.utimeSync(path, 1_700_000_000.5, 1_700_000_000.5);
  const metadata = { door: 3, tags: ["a", null], size: "the caller's" };
  const result = await uploader.upload(path, metadata, {
    idempotencyKey: "key-1",
  });

  assertEquals(result, {
    success: true,
    captureId: "capture-1",
    error: null,
    reason: null,
    attempts: 1,
    outcome: "delivered",
    retryAfterMs: null,
    status: 201,
    elapsedMs: result.elapsedMs,
    sha256: SHA256,
    sent: result.sent,
  });
  const { size, mtimeMs } = result.sent!;
  assertEquals({ size, mtimeMs }, { size: 3, mtimeMs: 1_700_000_000_500 });
  assert(result.elapsedMs > 0);
  const { method, path: target, headers } = server.last;
  assertEquals([method, target], ["POST", "/base/api/captures"]);
  assertEquals(headers.get("user-agent"), `jarvis-agent/${VERSION}`);
  assertEquals(headers.get("idempotency-key"), "key-1");
  assertEquals(headers.get("authorization"), null);
  assertEquals(headers.get("transfer-encoding"), null);
  assertMatch(headers.get("content-type")!, /^multipart\/form-data; boundary=/);
  const { metadata: text, file, bytes } = server.received[0]!;
  assertEquals(JSON.parse(text), {
    timestamp: "2023-11-14T22:13:20.500Z",
    hostname: hostname(),
    filename: "door 3.png",
    ...metadata,
    sha256: SHA256,
  });
  assertEquals([file.name, file.type], ["door 3.png", "image/png"]);
  assertEquals(bytes, DATA);
});

Deno.test("upload() and uploadBytes() deliver the capture's very bytes, at every size", async () => {
  await using dir = new TempDir();
  await using server = new Receiver();
  await using uploader = new CaptureUploader(server.url);
  const sizes = [
    0,
    1,
    CHUNK,
    ...[-1, 0, 1].map((more) => IN_MEMORY_BYTES + more),
    ...[-1, 0, 1].map((more) => 10 * CHUNK + more),
    20_000_000,
  ];
  for (const size of sizes) {
    const data = sampleBytes(size);
    const results = [await uploader.upload(dir.write("a.bin", data))];
    if (size < 20_000_000) {
      results.push(await uploader.uploadBytes(data, "a.bin"));
    }
    for (const result of results) {
      assertEquals(result.success, true);
      const { file, bytes } = server.received.shift()!;
      assertEquals(file.name, "a.bin");
      assert(sameBytes(bytes, data), `${size} bytes`);
    }
  }
  // Each request had a length, and no more nor less than that.
  assertEquals(server.requests.every((request) => request.isComplete), true);
});

Deno.test("upload() tells the server the base name and the type by its extension", async () => {
  await using dir = new TempDir();
  await using server = new Receiver();
  await using uploader = new CaptureUploader(server.url);
  const names: [string, string, string][] = [
    ["photo.JPG", "photo.JPG", "image/jpeg"],
    ["clip.mp4", "clip.mp4", "video/mp4"],
    ["notes.json", "notes.json", "application/json"],
    ["no extension", "no extension", "application/octet-stream"],
    ["odd.qqq", "odd.qqq", "application/octet-stream"],
    [".png", ".png", "application/octet-stream"],
    ['say "hi" 😀.png', 'say "hi" 😀.png', "image/png"],
    ["two\nlines.png", "two\nlines.png", "image/png"],
    ["below/the/way.png", "way.png", "image/png"],
    ['back\\"slash\\', 'back\\"slash\\', "application/octet-stream"],
    ["\ufeff", "\ufeff", "application/octet-stream"],
  ];
  for (const [name, expected, type] of names) {
    await uploader.upload(dir.write(name, DATA));
    await uploader.uploadBytes(DATA, name);
    await uploader.upload(dir.write("spooled", DATA), {}, { filename: name });
    for (const { metadata, file } of server.received.splice(0)) {
      const unquoted = decodeURIComponent(file.name);
      assertEquals([unquoted, file.type], [expected, type]);
      assertEquals(JSON.parse(metadata).filename, expected);
    }
  }
});

Deno.test("upload() tries again, every time with the same key and metadata", async () => {
  await using dir = new TempDir();
  await using server = new ScriptedServer([
    // The first, because `fetch` by itself repeats what a kept connection lost.
    (request) => request.close(),
    answering(500),
    answering(503),
    delivered,
  ]);
  await using uploader = new CaptureUploader(server.url, {
    maxRetries: 5,
    backoffMs: 1,
  });
  const result = await uploader.upload(dir.write("a.png", DATA), { door: 3 });
  assertEquals([result.success, result.attempts], [true, 4]);
  const keys = server.requests.map(({ headers }) =>
    headers.get("idempotency-key")
  );
  assertMatch(keys[0]!, /^[0-9a-f-]{36}$/);
  assertEquals(keys, Array(4).fill(keys[0]));
  await uploader.upload(dir.write("b.png", DATA));
  assert(server.last.headers.get("idempotency-key") !== keys[0]);
});

Deno.test("upload() counts attempts with the first one included, and ends with the last failure", async () => {
  await using server = new ScriptedServer([answering(500), answering(502)]);
  for (const maxRetries of [1, 3]) {
    const before = server.requests.length;
    await using uploader = new CaptureUploader(server.url, {
      maxRetries,
      backoffMs: 0,
    });
    const result = await uploader.uploadBytes(DATA, "a.png");
    assertEquals(server.requests.length - before, maxRetries);
    assertEquals(result.attempts, maxRetries);
    assertEquals(result.outcome, "server_error");
  }
  await using uploader = new CaptureUploader(server.url, { backoffMs: 0 });
  const { attempts, error } = await uploader.uploadBytes(DATA, "a.png");
  assertEquals([attempts, error], [3, "HTTP 502"]);
});

Deno.test("upload() does not repeat what cannot do better", async () => {
  for (const status of [302, 400, 401, 404, 409, 413, 422, 429]) {
    await using server = new ScriptedServer(answering(status));
    await using uploader = new CaptureUploader(server.url, { backoffMs: 0 });
    const { attempts } = await uploader.uploadBytes(DATA, "a.png");
    assertEquals([attempts, server.requests.length], [1, 1]);
  }
});

Deno.test("upload() never sends other bytes under the key of an earlier attempt", async () => {
  await using dir = new TempDir();
  for (const size of [10, 2 * IN_MEMORY_BYTES]) {
    const path = dir.write(`${size}.bin`, sampleBytes(size));
    await using server = new ScriptedServer(async (request) => {
      await request.body();
      Deno.writeFileSync(path, sampleBytes(size).reverse());
      await request.answer(500);
    });
    await using uploader = new CaptureUploader(server.url, { backoffMs: 1 });
    const result = await uploader.upload(path);
    assertEquals([result.attempts, server.requests.length], [2, 1]);
    assertEquals(result.outcome, "rejected");
    // The first attempt may see it, too, before it ends.
    assertMatch(
      result.error!,
      /changed (after it was handed over|while it was)/,
    );
  }
});

Deno.test("upload() sends a file again that was only touched or renamed meanwhile", async () => {
  await using dir = new TempDir();
  for (const size of [10, 2 * IN_MEMORY_BYTES]) {
    const path = dir.write(`${size}.bin`, sampleBytes(size));
    await using server = new ScriptedServer([
      async (request) => {
        await request.body();
        Deno.utimeSync(path, 1_700_000_000, 1_700_000_000);
        await request.answer(500);
      },
      async (request) => {
        await request.skip(1000);
        Deno.renameSync(path, `${path}.moved`);
        await request.body();
        Deno.renameSync(`${path}.moved`, path);
        await request.answer(503);
      },
      delivered,
    ]);
    await using uploader = new CaptureUploader(server.url, { backoffMs: 1 });
    const { success, attempts } = await uploader.upload(path);
    assertEquals([success, attempts], [true, 3]);
  }
});

Deno.test("upload() fails for good when the file is gone before a later attempt", async () => {
  await using dir = new TempDir();
  const path = dir.write("a.txt", "first");
  await using server = new ScriptedServer(async (request) => {
    await request.body();
    Deno.removeSync(path);
    await request.answer(500);
  });
  await using uploader = new CaptureUploader(server.url, { backoffMs: 1 });
  const result = await uploader.upload(path);
  assertEquals([result.attempts, server.requests.length], [2, 1]);
  assertEquals([result.outcome, result.sent], ["rejected", null]);
  const gone = `Cannot read the capture "${path}": the file is gone`;
  assertEquals(result.error, gone);
});

Deno.test("upload() sends only the file that was expected, or its very bytes", async () => {
  await using dir = new TempDir();
  await using server = new ScriptedServer();
  await using uploader = new CaptureUploader(server.url);
  for (const size of [10, 2 * IN_MEMORY_BYTES]) {
    const path = dir.write(`${size}.bin`, sampleBytes(size));
    const upload = (options: UploadOptions) =>
      uploader.upload(path, {}, options);
    const { sent, sha256 } = await upload({});
    const expected = sent!;
    const other = "0".repeat(64);
    const before = server.requests.length;
    assertEquals((await upload({ expected })).success, true);
    assertEquals((await upload({ sha256: sha256! })).success, true);
    assertEquals((await upload({ sha256: other })).outcome, "rejected");
    Deno.utimeSync(path, 1_700_000_000, 1_700_000_000);
    const { outcome, error } = await upload({ expected });
    assertEquals(outcome, "rejected");
    assertStringIncludes(error!, "changed after it was handed over");
    const touched = await upload({ expected, sha256: sha256!.toUpperCase() });
    assertEquals([touched.success, touched.sha256], [true, sha256]);
    const changed = await upload({ expected, sha256: other });
    assertEquals(changed.outcome, "rejected");
    assertEquals(server.requests.length, before + 3);
  }
});

Deno.test("upload() sends what was given, whatever becomes of the caller's object", async () => {
  const metadata = { door: 3 };
  await using server = new ScriptedServer(async (request) => {
    const { metadata: text } = await request.form();
    assertEquals(JSON.parse(text).door, 3);
    metadata.door = 4;
    if (server.requests.length < 3) await request.answer(500);
    else await request.answer(201, '{"id":1}');
  });
  await using uploader = new CaptureUploader(server.url, { backoffMs: 1 });
  const { success } = await uploader.uploadBytes(DATA, "a.png", metadata);
  assertEquals([success, server.requests.length], [true, 3]);
});

Deno.test("upload() carries metadata that is text to the digit", async () => {
  await using server = new Receiver();
  await using uploader = new CaptureUploader(server.url);
  const members =
    '"ts_ns":1732647310123456789,"big":1e400,"zero":-0,"one":1.0,"ten":1E1,"twice":1,"twice":9007199254740993,"__proto__":{"half":"\\ud800"}';
  for (const text of [`{${members}}`, `\ufeff { ${members} }\n`]) {
    const { success } = await uploader.uploadBytes(DATA, "a.png", text);
    assertEquals(success, true);
    assertStringIncludes(server.received.pop()!.metadata, members);
  }
});

Deno.test("upload() throws for metadata that is none, before any request", async () => {
  await using server = new ScriptedServer();
  await using uploader = new CaptureUploader(server.url);
  for (const metadata of [null, [], "text", "[]", 7, { big: 1n }]) {
    await assertRejects(
      () => uploader.uploadBytes(DATA, "a", metadata as never),
      TypeError,
    );
  }
  const large = { text: "x".repeat(10 * 1024 * 1024) };
  await assertRejects(() => uploader.upload("none", large), RangeError);
  assertEquals(server.accepted, 0);
});

Deno.test("a key that no header can carry is sent in another form", async () => {
  await using server = new ScriptedServer();
  await using uploader = new CaptureUploader(server.url);
  const keys = ["two\r\nlines", "schlüssel", "a b", "a%20b", "\ud800", "a\0b"];
  const sent = new Set<string>();
  for (const idempotencyKey of keys) {
    await uploader.uploadBytes(DATA, "a", {}, { idempotencyKey });
    const key = server.last.headers.get("idempotency-key")!;
    assertEquals(decodeURIComponent(key), idempotencyKey.toWellFormed());
    sent.add(key);
  }
  assertEquals(sent.size, keys.length);
});

Deno.test("the token is asked for before each attempt", async () => {
  await using server = new ScriptedServer(answering(500));
  const tokens = ["first", "second", undefined];
  await using uploader = new CaptureUploader(server.url, {
    token: () => tokens.shift(),
    backoffMs: 1,
  });
  await uploader.uploadBytes(DATA, "a.png");
  assertEquals(
    server.requests.map(({ headers }) => headers.get("authorization")),
    ["Bearer first", "Bearer second", null],
  );
});

Deno.test("a token that cannot be had or sent pauses, and is never shown", async () => {
  await using server = new ScriptedServer();
  const tokens: [() => string, string][] = [
    [() => {
      throw new Error("Cannot read the token file");
    }, "Cannot read the token file"],
    [
      () => "s3cret\nline",
      "Cannot use the token: expected printable ASCII characters without spaces",
    ],
    [
      () => "s3crét",
      "Cannot use the token: expected printable ASCII characters without spaces",
    ],
  ];
  for (const [token, expected] of tokens) {
    await using uploader = new CaptureUploader(server.url, {
      token,
      maxRetries: 1,
    });
    const { outcome, error } = await uploader.uploadBytes(DATA, "a.png");
    assertEquals([outcome, error], ["unavailable", expected]);
    assertEquals(await uploader.checkServer(), false);
  }
  assertEquals(server.accepted, 0);
});

Deno.test("upload() that is aborted from the start makes no request", async () => {
  await using server = new ScriptedServer();
  await using uploader = new CaptureUploader(server.url);
  const reason = new Error("told to stop");
  const error = await assertRejects(
    () =>
      uploader.uploadBytes(DATA, "a", {}, {
        signal: AbortSignal.abort(reason),
      }),
    Error,
  );
  assertEquals(error, reason);
  assertEquals(server.accepted, 0);
});

Deno.test({
  name: "upload() that is aborted frees its file and its socket at once",
  ignore: !KNOWS_OPEN_FILES,
  fn: async () => {
    await using dir = new TempDir();
    const path = dir.write("large.bin", new Uint8Array(LARGE));
    const begun = Promise.withResolvers<void>();
    const moments: Record<string, (request: ScriptedRequest) => Promise<void>> =
      {
        "in the body": async (request) => {
          await request.skip(LARGE / 2);
          begun.resolve();
          await request.idle();
        },
        "before the answer": async (request) => {
          await request.skip();
          begun.resolve();
          await request.idle();
        },
        "in the answer": async (request) => {
          await request.skip(1000);
          await request.send("HTTP/1.1 201 Created\r\n\r\n{");
          begun.resolve();
          await request.gone();
        },
      };
    for (const [name, script] of Object.entries(moments)) {
      await using server = new ScriptedServer(script);
      await using uploader = new CaptureUploader(server.url, { maxRetries: 1 });
      const sockets = openFiles("socket:");
      const stop = new AbortController();
      const upload = uploader.upload(path, {}, { signal: stop.signal });
      await begun.promise;
      stop.abort(new Error(name));
      const how = await upload.then(
        ({ success }) => success ? "delivered" : "failed",
        (error) => error.message,
      );
      // The whole of it may have been taken by then.
      assert(how === name || (name === "in the answer" && how === "delivered"));
      await eventually(
        `file and socket are closed, aborted ${name}`,
        () =>
          openFiles(path) === 0 &&
          openFiles("socket:") <= sockets + server.open,
      );
    }
  },
});

Deno.test("upload() that is aborted between two attempts waits no longer", async () => {
  const stop = new AbortController();
  await using server = new ScriptedServer(answering(500));
  await using uploader = new CaptureUploader(server.url, {
    backoffMs: 60_000,
    onSent: (bytes) => {
      // The first attempt is over; the wait begins before any timer ends.
      if (bytes < 0) setTimeout(() => stop.abort(new Error("told to stop")));
    },
  });
  const upload = uploader.uploadBytes(DATA, "a", {}, { signal: stop.signal });
  // The wait would be half a minute at least.
  const ended = deadline(upload, 15_000);
  await assertRejects(() => ended, Error, "told to stop");
  assertEquals(server.requests.length, 1);
});

Deno.test("checkServer() is true for 200 and for nothing else", async () => {
  for (const status of [200, 201, 204, 302, 401, 404, 500, 503]) {
    await using server = new ScriptedServer(answering(status, "words"));
    await using uploader = new CaptureUploader(server.url, { token: "t" });
    assertEquals(await uploader.checkServer(), status === 200, `${status}`);
    const { method, path, headers } = server.last;
    assertEquals([method, path], ["GET", "/health/ready"]);
    assertEquals(headers.get("authorization"), "Bearer t");
  }
});

Deno.test("a token that is refused, by the health page too, is asked for anew, and another one is tried at once", async () => {
  for (const status of [401, 403]) {
    await using server = new ScriptedServer(async (request) => {
      await request.body();
      const isRight = request.headers.get("authorization") === "Bearer new";
      const good = request.method === "GET" ? 200 : 201;
      await request.answer(isRight ? good : status, '{"id":1}');
    });
    for (const makesRequest of ["probe", "upload"]) {
      let token = "old";
      const refused: unknown[] = [];
      await using uploader = new CaptureUploader(server.url, {
        token: () => token,
        renewToken: (old) => {
          refused.push(old);
          const isOther = refused.length === 2;
          if (isOther) token = "new";
          return Promise.resolve(isOther);
        },
      });
      const succeeds = async () =>
        makesRequest === "probe"
          ? await uploader.checkServer()
          : (await uploader.uploadBytes(DATA, "a.png")).success;
      const what = `${makesRequest} ${status}`;
      assertEquals([await succeeds(), await succeeds()], [false, true], what);
      assertEquals(refused, ["old", "old"], what);
    }
  }
});

Deno.test("checkServer() takes 200 whatever follows it", async () => {
  await using server = new ScriptedServer(async (request) => {
    await request.send("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nnot all");
    await request.gone();
  });
  await using uploader = new CaptureUploader(server.url);
  assertEquals(await uploader.checkServer(), true);
});

Deno.test("checkServer() is false for a server that cannot be asked, and never throws", async () => {
  await using server = new ScriptedServer((request) => request.close());
  for (const url of [server.url, deadUrl(), "https://nowhere.invalid"]) {
    await using uploader = new CaptureUploader(url);
    assertEquals(await uploader.checkServer(), false);
    const signal = AbortSignal.abort();
    assertEquals(await uploader.checkServer({ signal }), false);
  }
  const closed = new CaptureUploader(server.url);
  closed.close();
  assertEquals(await closed.checkServer(), false);
});

Deno.test("checkServer() gives up on a server that hangs, and at once when it is told to", async () => {
  const asked = [1, 2].map(() => Promise.withResolvers<void>());
  await using server = new ScriptedServer(
    asked.map(({ resolve }) => (request) => {
      resolve();
      return request.idle();
    }),
  );
  await using uploader = new CaptureUploader(server.url);
  {
    using time = new FakeTime();
    const check = uploader.checkServer();
    await asked[0]!.promise;
    time.tick(5_000);
    assertEquals(await check, false);
  }
  const stop = new AbortController();
  const check = uploader.checkServer({ signal: stop.signal });
  await asked[1]!.promise;
  stop.abort();
  assertEquals(await check, false);
});

Deno.test("close() may be called again; afterwards nothing is uploaded", async () => {
  await using server = new ScriptedServer();
  const uploader = new CaptureUploader(server.url);
  uploader.close();
  uploader.close();
  await uploader[Symbol.asyncDispose]();
  for (
    const upload of [
      () => uploader.upload("a.png"),
      () => uploader.uploadBytes(DATA, "a.png"),
    ]
  ) {
    await assertRejects(upload, TypeError, "the uploader is closed");
  }
  assertEquals(server.accepted, 0);
});

Deno.test("close() lets an attempt in flight end, and no further one begin", async () => {
  const arrived = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const answerLater = (status: number) => async (request: ScriptedRequest) => {
    await request.body();
    arrived.resolve();
    await closed.promise;
    await request.answer(status, '{"id":1}');
  };
  await using server = new ScriptedServer([201, 500].map(answerLater));
  const uploaders = [1, 2].map(() =>
    new CaptureUploader(server.url, { backoffMs: 1 })
  );
  const first = uploaders[0]!.uploadBytes(DATA, "a.png");
  await arrived.promise;
  const second = uploaders[1]!.uploadBytes(DATA, "a.png");
  await eventually("both arrived", () => server.requests.length === 2);
  for (const uploader of uploaders) uploader.close();
  closed.resolve();
  assertEquals((await first).success, true);
  await assertRejects(() => second, TypeError, "the uploader is closed");
  assertEquals(server.requests.length, 2);
});

Deno.test({
  name: "await using closes the uploader's connections",
  ignore: !KNOWS_OPEN_FILES,
  fn: async () => {
    await using server = new ScriptedServer();
    const before = openFiles("socket:");
    {
      await using uploader = new CaptureUploader(server.url);
      await uploader.uploadBytes(DATA, "a.png");
      assertEquals(openFiles("socket:"), before + 2);
    }
    await eventually("closed", () => openFiles("socket:") === before);
  },
});

Deno.test("the constructor refuses options out of their range, and leaves nothing open", () => {
  const wrong = [
    { maxRetries: 0 },
    { maxRetries: -1 },
    { maxRetries: 1.5 },
    { maxRetries: NaN },
    { maxRetries: 1001 },
    { timeout: 0 },
    { timeout: Infinity },
    { timeout: NaN },
    { backoffMs: -1 },
    { backoffMs: 60_001 },
  ];
  for (const options of wrong) {
    const error = assertThrows(
      () => new CaptureUploader("http://127.0.0.1", options),
      RangeError,
    );
    const [[name, value]] = Object.entries(options) as [[string, number]];
    assertMatch(error.message, new RegExp(`^Cannot use ${name} ${value}: exp`));
  }
  assertThrows(() => new CaptureUploader("captures.example.org"), TypeError);
  assertThrows(() => new CaptureUploader("http://example.org"), TypeError);
});

Deno.test("uploads in turn share one connection", async () => {
  await using server = new ScriptedServer();
  await using uploader = new CaptureUploader(server.url);
  for (let i = 0; i < 20; i++) {
    const data = new Uint8Array(i % 2 === 0 ? 10 : 2 * IN_MEMORY_BYTES);
    assertEquals((await uploader.uploadBytes(data, "a.png")).attempts, 1);
  }
  assertEquals([server.requests.length, server.accepted], [20, 1]);
});

Deno.test({
  name: "a connection that the server has closed meanwhile costs no attempt",
  ignore: !KNOWS_OPEN_FILES,
  fn: async () => {
    await using server = new ScriptedServer(async (request) => {
      await delivered(request);
      request.close();
    });
    await using uploader = new CaptureUploader(server.url);
    const before = openFiles("socket:");
    for (let i = 0; i < 5; i++) {
      const { attempts } = await uploader.uploadBytes(DATA, "a.png");
      assertEquals(attempts, 1);
      await eventually("closed", () => openFiles("socket:") === before);
    }
    assertEquals(server.accepted, 5);
  },
});

Deno.test({
  name:
    "a connection that the server closes while the next capture is on its way costs no attempt",
  // Older versions do not send anything again.
  ignore: isOlderThan("2.5.5"),
  fn: async () => {
    await using server = new ScriptedServer(async (request) => {
      await delivered(request);
      await delay(1);
      request.close();
    });
    await using uploader = new CaptureUploader(server.url, { maxRetries: 1 });
    for (let i = 0; i < 50; i++) {
      const { error } = await uploader.uploadBytes(DATA, "a.png");
      assertEquals(error, null);
    }
  },
});

Deno.test("many uploads at a time are kept apart", async () => {
  await using server = new Receiver();
  await using uploader = new CaptureUploader(server.url);
  const sizes = Array.from({ length: 24 }, (_, i) => i * 100_000);
  await Promise.all(
    sizes.map((size) =>
      uploader.uploadBytes(sampleBytes(size), `${size}.bin`, { size })
    ),
  );
  assertEquals(server.received.length, sizes.length);
  for (const { metadata, file, bytes } of server.received) {
    const { size } = JSON.parse(metadata);
    assertEquals(file.name, `${size}.bin`);
    assert(sameBytes(bytes, sampleBytes(size)));
  }
});

Deno.test({
  name: "five hundred uploads leave nothing behind",
  ignore: !KNOWS_OPEN_FILES,
  sanitizeOps: true,
  sanitizeResources: true,
  fn: async () => {
    await using dir = new TempDir();
    const small = dir.write("small.bin", DATA);
    const large = dir.write("large.bin", new Uint8Array(2 * IN_MEMORY_BYTES));
    await using server = new ScriptedServer(async (request) => {
      const n = server.requests.length % 5;
      if (n === 1) await request.skip(1000);
      else await request.skip();
      if (n === 2) request.close();
      else await request.answer([201, 401, 201, 500, 422][n]!, '{"id":1}');
    });
    const signal = new WatchedSignal();
    await using uploader = new CaptureUploader(server.url, { maxRetries: 1 });
    const before = openFiles("");
    let succeeded = 0;
    for (let i = 0; i < 500; i++) {
      const path = i % 16 === 0 ? large : small;
      const result = await uploader.upload(path, {}, { signal: signal.signal });
      if (result.success) succeeded++;
    }
    assert(succeeded > 50, `${succeeded}`);
    // One connection may be kept, with its two ends.
    await eventually(
      "all is closed",
      () => openFiles("") <= before + 2 && openFiles(dir.path) === 0,
    );
    assertEquals(signal.listeners, 0);
  },
});

Deno.test({
  name: "memory does not grow with the capture",
  // Older versions keep what a request has sent until it is over.
  ignore: !KNOWS_OPEN_FILES || isOlderThan("2.5.5"),
  fn: async () => {
    await using dir = new TempDir();
    const path = dir.join("sparse.bin");
    const size = 128 * 1024 * 1024;
    using file = Deno.openSync(path, { create: true, write: true });
    file.truncateSync(size);
    await using server = new ScriptedServer(async (request) => {
      await request.skip();
      await request.answer(201, '{"id":1}');
    });
    const [result] = await uploadAside(path, [server.url]);
    const { success, grownBytes } = result!;
    assertEquals(success, true);
    assert(server.last.bodyBytes > size);
    assert(grownBytes < 64_000_000, `${grownBytes} bytes`);
  },
});

/** A signal that counts its listeners. */
class WatchedSignal {
  readonly signal = new AbortController().signal;
  listeners = 0;

  constructor() {
    const { signal } = this;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      this.listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      this.listeners--;
      remove(...args);
    };
  }
}

function isOlderThan(version: string): boolean {
  const [a, b] = [Deno.version.deno, version].map((text) =>
    text.split(".").map(Number)
  );
  const first = a!.findIndex((part, i) => part !== b![i]);
  return first >= 0 && a![first]! < b![first]!;
}
