import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { deadline } from "@std/async/deadline";
import { join } from "@std/path";
import { sha256Of } from "../../../sync/host/sha256.ts";
import { TempDir } from "../../helpers/temp_dir.ts";
import {
  ReferenceServer,
  type ReferenceServerOptions,
} from "../../../scripts/server/reference_server.ts";

/** The names in a folder. */
function namesIn(path: string): string[] {
  return Array.from(Deno.readDirSync(path), (entry) => entry.name).sort();
}

/** A server in a folder of its own, and the lines it logged. */
class Fixture implements AsyncDisposable {
  readonly folder = new TempDir();
  readonly lines: string[] = [];
  readonly server;
  #waiting: { text: string; found: () => void }[] = [];

  constructor(options: Partial<ReferenceServerOptions> = {}) {
    this.server = new ReferenceServer({
      dir: this.folder.path,
      fsync: false,
      log: (line) => this.#take(line),
      ...options,
    });
  }

  /** Resolves when a line with this text is logged. */
  logged(text: string): Promise<void> {
    return new Promise((found) => this.#waiting.push({ text, found }));
  }

  /** The names of everything kept; nothing unfinished may be among them. */
  names(): string[] {
    assertEquals(namesIn(this.folder.join(".incoming")), []);
    return namesIn(this.folder.path).filter((name) => name !== ".incoming");
  }

  #take(line: string): void {
    this.lines.push(line);
    for (const { text, found } of this.#waiting) {
      if (line.includes(text)) found();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

interface UploadOptions {
  key?: string;
  token?: string;
  content?: BlobPart;
  name?: string;
  metadata?: string;
  client?: Deno.HttpClient;
}

function upload(url: string, options: UploadOptions = {}): Promise<Response> {
  const {
    key,
    token,
    content = "content",
    name = "shot.png",
    metadata = "{}",
  } = options;
  const body = new FormData();
  body.append("metadata", metadata);
  body.append("file", new Blob([content], { type: "image/png" }), name);
  const headers = new Headers();
  if (key !== undefined) headers.set("idempotency-key", key);
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  return fetch(`${url}/api/captures`, {
    method: "POST",
    body,
    headers,
    ...options.client && { client: options.client },
  });
}

async function idOf(response: Response): Promise<string> {
  assertEquals(response.status, 201);
  return (await response.json()).id;
}

/** Reads an answer that is expected to be a refusal. */
async function refusal(
  response: Response,
): Promise<{ status: number; error: string }> {
  return { status: response.status, error: (await response.json()).error };
}

/** An upload whose body goes on until it is told to end. */
function openUpload(
  url: string,
  { key = "", signal }: { key?: string; signal?: AbortSignal } = {},
) {
  const encoder = new TextEncoder();
  let controller: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({
    start: (given) => void (controller = given),
  });
  const write = (text: string) => controller.enqueue(encoder.encode(text));
  write(
    '--edge\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{}\r\n',
  );
  write(
    '--edge\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf',
  );
  return {
    response: fetch(`${url}/api/captures`, {
      method: "POST",
      body,
      headers: {
        "content-type": "multipart/form-data; boundary=edge",
        "idempotency-key": key,
      },
      ...signal && { signal },
    }),
    finish() {
      write("\r\n--edge--\r\n");
      controller.close();
    },
  };
}

Deno.test("POST /api/captures keeps the bytes, the metadata and what was said of them", async () => {
  await using fixture = new Fixture();
  const content = crypto.getRandomValues(new Uint8Array(50_000));
  const metadata = { title: "été", nested: { list: [1, 2] } };
  const id = await idOf(
    await upload(fixture.server.url, {
      key: "k",
      content,
      metadata: JSON.stringify(metadata),
    }),
  );

  const [capture] = fixture.server.captures;
  assert(capture !== undefined);
  const path = fixture.server.pathOf(capture);
  assertEquals(await Deno.readFile(path), content);
  const record = JSON.parse(await Deno.readTextFile(`${path}.json`));
  assertMatch(record.receivedAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  const expected = {
    id,
    idempotencyKey: "k",
    filename: "shot.png",
    contentType: "image/png",
    size: 50_000,
    sha256: sha256Of(content),
    receivedAt: record.receivedAt,
  };
  assertEquals(record, { ...expected, metadata });
  assertEquals(capture, expected);
  assertEquals(fixture.names(), [`${id}-shot.png`, `${id}-shot.png.json`]);
  const listing = await fetch(`${fixture.server.url}/api/captures`);
  assertEquals(await listing.json(), [expected]);
});

Deno.test("POST /api/captures takes an empty capture, and one without a key", async () => {
  await using fixture = new Fixture();
  await idOf(await upload(fixture.server.url, { content: "" }));
  await idOf(await upload(fixture.server.url, { content: "", key: "" }));
  const kept = fixture.server.captures.map((
    one,
  ) => [one.size, one.idempotencyKey]);
  assertEquals(kept, [[0, null], [0, null]]);
});

Deno.test("POST /api/captures stores a key once and answers it with the same id", async () => {
  await using fixture = new Fixture();
  const first = await upload(fixture.server.url, {
    key: "same",
    content: "first",
  });
  assertEquals(first.headers.get("idempotency-replayed"), null);
  const id = await idOf(first);
  const again = await upload(fixture.server.url, {
    key: "same",
    content: "first",
  });
  assertEquals(again.headers.get("idempotency-replayed"), "true");
  assertEquals(await idOf(again), id);
  assertEquals(fixture.server.captures.length, 1);
  assertEquals(fixture.names(), [`${id}-shot.png`, `${id}-shot.png.json`]);
  assertEquals(
    await Deno.readTextFile(fixture.server.pathOf(fixture.server.captures[0]!)),
    "first",
  );
});

Deno.test("POST /api/captures answers with the id, the size and the SHA-256, the second time too", async () => {
  await using fixture = new Fixture();
  const answers = [];
  for (let i = 0; i < 2; i++) {
    const response = await upload(fixture.server.url, { key: "same" });
    answers.push([response.status, await response.json()]);
  }
  const { id } = fixture.server.captures[0]!;
  const expected = { id, size: 7, sha256: sha256Of("content") };
  assertEquals(answers, [[201, expected], [201, expected]]);
});

Deno.test("POST /api/captures refuses a known key with other bytes, and keeps the first ones", async () => {
  await using fixture = new Fixture();
  const { server } = fixture;
  await idOf(await upload(server.url, { key: "same", content: "first" }));
  const { status, error } = await refusal(
    await upload(server.url, { key: "same", content: "other" }),
  );
  assertEquals(status, 422);
  assertStringIncludes(error, "other bytes");
  assertEquals(fixture.names().length, 2);
  const path = server.pathOf(server.captures[0]!);
  assertEquals(await Deno.readTextFile(path), "first");
});

Deno.test("POST /api/captures answers 409 without an id while the same key is being received", async () => {
  const started = Promise.withResolvers<void>();
  await using fixture = new Fixture({ random: () => (started.resolve(), 1) });
  const { url } = fixture.server;
  const first = openUpload(url, { key: "same" });
  await started.promise;
  const second = await upload(url, { key: "same", content: "half" });
  assertEquals([second.status, second.headers.get("retry-after")], [409, "1"]);
  assertEquals(Object.keys(await second.json()), ["error"]);
  await idOf(await upload(url, { key: "other" }));
  first.finish();
  const id = await idOf(await first.response);
  const third = await upload(url, { key: "same", content: "half" });
  assertEquals(await idOf(third), id);
});

Deno.test("POST /api/captures takes a key again after its first request was cut off", async () => {
  const started = Promise.withResolvers<void>();
  await using fixture = new Fixture({ random: () => (started.resolve(), 1) });
  const { url } = fixture.server;
  const abort = new AbortController();
  const first = openUpload(url, { key: "same", signal: abort.signal });
  await started.promise;
  const cut = fixture.logged("cut by the client");
  abort.abort();
  await assertRejects(() => first.response, DOMException);
  await cut;
  await idOf(await upload(url, { key: "same" }));
});

Deno.test("POST /api/captures stores nothing whose bytes are not those of the metadata's sha256", async () => {
  await using fixture = new Fixture();
  const { url } = fixture.server;
  for (const sha256 of [sha256Of("other"), "", null, 7]) {
    const metadata = JSON.stringify({ sha256 });
    const { status, error } = await refusal(
      await upload(url, { key: "k", metadata }),
    );
    assertEquals(status, 422);
    assertStringIncludes(error, "SHA-256");
  }
  assertEquals(fixture.names(), []);
  const metadata = JSON.stringify({ sha256: sha256Of("content") });
  await idOf(await upload(url, { key: "k", metadata }));
});

Deno.test("POST /api/captures refuses a request that is larger than it is told to take", async () => {
  await using fixture = new Fixture({ maxBytes: 1_000 });
  const { url } = fixture.server;
  const { status, error } = await refusal(
    await upload(url, { content: new Uint8Array(1_000) }),
  );
  assertEquals(status, 413);
  assertStringIncludes(error, "expected at most 1000");
  await idOf(await upload(url));
});

Deno.test("POST /api/captures keeps the metadata as they were written", async () => {
  await using fixture = new Fixture();
  const metadata = '{"ts_ns": 1732647310123456789, "far": 1e400}';
  await idOf(await upload(fixture.server.url, { metadata }));
  const path = fixture.server.pathOf(fixture.server.captures[0]!);
  assertStringIncludes(
    await Deno.readTextFile(`${path}.json`),
    `"metadata": ${metadata}`,
  );
});

Deno.test("POST /api/captures keeps odd file names apart from the folder's own", async () => {
  await using fixture = new Fixture();
  const names = [
    "../../escape",
    "..",
    "/etc/passwd",
    "C:\\x",
    "two\nlines",
    "📷".repeat(100),
    ".json",
  ];
  for (const name of names) {
    await idOf(await upload(fixture.server.url, { name }));
  }
  assertEquals(fixture.server.captures.map((one) => one.filename), names);
  assertEquals(fixture.names().length, 2 * names.length);
  for (const capture of fixture.server.captures) {
    assertEquals(
      await Deno.readTextFile(fixture.server.pathOf(capture)),
      "content",
    );
  }
});

Deno.test("POST /api/captures refuses a form that is not what it has to be", async () => {
  await using fixture = new Fixture();
  const file =
    '--edge\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n';
  const nameless =
    '--edge\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n';
  const metadata = (text: string) =>
    `--edge\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n${text}\r\n`;
  const type = "multipart/form-data; boundary=edge";
  for (
    const [body, contentType, message] of [
      ["{}", "application/json", "expected Content-Type multipart/form-data"],
      ["", type, "Unexpected end of multipart data"],
      ["--edge--", type, 'expected the fields "metadata" and "file"'],
      [`${file}--edge--`, type, 'expected the fields "metadata" and "file"'],
      [
        `${metadata("{}")}--edge--`,
        type,
        'expected the fields "metadata" and "file"',
      ],
      [`${metadata("{}")}${nameless}--edge--`, type, "expected a file name"],
      [`${metadata("{}")}${file}${file}--edge--`, type, '"file" twice'],
      [
        `${metadata("{}")}${metadata("{}")}${file}--edge--`,
        type,
        '"metadata" twice',
      ],
      [`${metadata("{")}${file}--edge--`, type, "expected JSON"],
      [`${metadata("[]")}${file}--edge--`, type, "expected a JSON object"],
      [`${metadata("null")}${file}--edge--`, type, "expected a JSON object"],
      [`${metadata("{}")}${file}`, type, "Unexpected end of multipart data"],
    ] as const
  ) {
    const response = await fetch(`${fixture.server.url}/api/captures`, {
      method: "POST",
      body,
      headers: { "content-type": contentType },
    });
    const { status, error } = await refusal(response);
    assertEquals(status, 400, error);
    assertStringIncludes(error, message);
  }
  assertEquals(fixture.names(), []);
});

Deno.test("POST /api/captures refuses a key longer than 255 characters", async () => {
  await using fixture = new Fixture();
  await idOf(await upload(fixture.server.url, { key: "k".repeat(255) }));
  const { status } = await refusal(
    await upload(fixture.server.url, { key: "k".repeat(256) }),
  );
  assertEquals(status, 400);
});

Deno.test("POST /api/captures leaves nothing of an upload that is cut off midway", async () => {
  const started = Promise.withResolvers<void>();
  await using fixture = new Fixture({
    random: () => (started.resolve(), 1),
  });
  const abort = new AbortController();
  const { response } = openUpload(fixture.server.url, { signal: abort.signal });
  await started.promise;
  const cut = fixture.logged("cut by the client");
  abort.abort();
  await assertRejects(() => response, DOMException);
  await cut;
  assertEquals(fixture.names(), []);
});

Deno.test("POST /api/captures asks for the token, the listing too, readiness does not", async () => {
  await using fixture = new Fixture({ token: "secret" });
  const { url } = fixture.server;
  const response = await upload(url);
  assertEquals(response.headers.get("www-authenticate"), "Bearer");
  assertEquals((await refusal(response)).status, 401);
  assertEquals(
    (await refusal(await upload(url, { token: "wrong" }))).status,
    401,
  );
  assertEquals((await refusal(await fetch(`${url}/api/captures`))).status, 401);
  assertEquals(fixture.names(), []);
  await idOf(await upload(url, { token: "secret" }));
  const health = await fetch(`${url}/health/ready`);
  assertEquals([health.status, await health.json()], [200, {
    status: "ready",
  }]);
  assertEquals(fixture.lines.filter((line) => line.includes("secret")), []);
});

Deno.test("other paths are not found, other methods not allowed", async () => {
  await using fixture = new Fixture();
  const { url } = fixture.server;
  assertEquals((await refusal(await fetch(`${url}/api/capture`))).status, 404);
  const put = await fetch(`${url}/api/captures`, { method: "PUT", body: "x" });
  assertEquals(put.headers.get("allow"), "GET, POST");
  assertEquals((await refusal(put)).status, 405);
  const post = await fetch(`${url}/health/ready`, { method: "POST" });
  assertEquals(post.headers.get("allow"), "GET");
  assertEquals((await refusal(post)).status, 405);
});

Deno.test("misbehave() makes uploads fail until it is told otherwise", async () => {
  await using fixture = new Fixture({ misbehaviour: { failRate: 1 } });
  const { server } = fixture;
  assertEquals((await refusal(await upload(server.url))).status, 500);
  assertEquals(fixture.names(), []);
  server.misbehave({ failRate: 0 });
  await idOf(await upload(server.url));
});

Deno.test("misbehave() sets a status for uploads, and with 503 for readiness", async () => {
  await using fixture = new Fixture();
  const { server } = fixture;
  for (const status of [302, 304, 429, 503, 507]) {
    server.misbehave({ status });
    const response = await fetch(`${server.url}/health/ready`);
    assertEquals(response.status, status === 503 ? 503 : 200);
    await response.body?.cancel();
    const answer = await upload(server.url);
    assertEquals(answer.status, status);
    await answer.body?.cancel();
  }
  assertEquals(fixture.names(), []);
  server.misbehave({ status: undefined });
  await idOf(await upload(server.url));
});

Deno.test("misbehave() refuses some captures every time, others never, and says when to come back", async () => {
  await using fixture = new Fixture();
  const { server } = fixture;
  const sendAs = (key: string) => upload(server.url, { key });
  server.misbehave({
    status: 429,
    statusRate: 0.5,
    statusOf: "captures",
    retryAfterS: 7,
  });
  const statuses = async () => {
    const found: number[] = [];
    for (let n = 0; n < 20; n++) {
      const response = await sendAs(`key-${n}`);
      await response.body?.cancel();
      found.push(response.status);
      if (response.status === 429) {
        assertEquals(response.headers.get("retry-after"), "7");
      }
    }
    return found;
  };
  const first = await statuses();
  assertEquals(new Set(first), new Set([201, 429]));
  assertEquals(await statuses(), first);
});

Deno.test("misbehave() lets an impostor answer 200, and nothing is stored", async () => {
  await using fixture = new Fixture();
  const { server } = fixture;
  for (const impostor of ["page", "empty", "other JSON"] as const) {
    server.misbehave({ impostor });
    const response = await upload(server.url);
    await response.body?.cancel();
    assert(response.ok, impostor);
  }
  assertEquals(fixture.names(), []);
});

Deno.test("misbehave() fails the share of uploads that it is told to", async () => {
  const drawn = [0.9, 0.29, 0.9, 0.31];
  await using fixture = new Fixture({
    misbehaviour: { failRate: 0.3 },
    random: () => drawn.shift()!,
  });
  assertEquals((await refusal(await upload(fixture.server.url))).status, 500);
  await idOf(await upload(fixture.server.url));
});

Deno.test("misbehave() cuts a connection before or amid the body, and nothing is stored", async () => {
  await using fixture = new Fixture();
  const { server } = fixture;
  for (const dropAt of ["before", "body"] as const) {
    server.misbehave({ dropRate: 1, dropAt });
    for (const length of [0, 1_000, 3_000_000]) {
      await assertRejects(
        () => upload(server.url, { content: "x".repeat(length) }),
        TypeError,
      );
      assertEquals(fixture.names(), []);
    }
  }
  server.misbehave({ dropRate: 0 });
  await idOf(await upload(server.url));
});

Deno.test("misbehave() cuts a connection after storing, and the key finds the capture", async () => {
  await using fixture = new Fixture({
    misbehaviour: { dropRate: 1, dropAt: "after" },
  });
  const { server } = fixture;
  await assertRejects(() => upload(server.url, { key: "k" }), TypeError);
  await assertRejects(() => upload(server.url, { key: "k" }), TypeError);
  assertEquals(server.captures.length, 1);
  server.misbehave({ dropRate: 0 });
  assertEquals(
    await idOf(await upload(server.url, { key: "k" })),
    server.captures[0]?.id,
  );
  assertEquals(fixture.names().length, 2);
});

Deno.test("misbehave() cuts at one of the three points unless it is told where", async () => {
  await using fixture = new Fixture({ misbehaviour: { dropRate: 0.5 } });
  for (let i = 0; i < 100; i++) {
    await upload(fixture.server.url).then(idOf, () => {});
  }
  for (
    const text of [
      "before reading",
      "amid the body",
      "after storing",
      "201 stored",
    ]
  ) {
    assert(fixture.lines.some((line) => line.includes(text)), text);
  }
});

Deno.test("misbehave() refuses settings out of their range and then changes nothing", async () => {
  await using fixture = new Fixture();
  const { server } = fixture;
  for (
    const settings of [
      { failRate: -0.1 },
      { failRate: 1.1 },
      { dropRate: NaN },
      { latencyMs: -1 },
      { latencyMs: 2 ** 31 },
      { status: 200 },
      { status: 600 },
      { status: 404.5 },
    ]
  ) {
    assertThrows(
      () => server.misbehave({ failRate: 1, ...settings }),
      RangeError,
    );
  }
  await idOf(await upload(server.url));
});

Deno.test("latency holds the answer back after storing, and closing does not wait for it", async () => {
  await using fixture = new Fixture({
    misbehaviour: { latencyMs: 2 ** 31 - 1 },
  });
  const stored = fixture.logged("201 stored");
  const answer = upload(fixture.server.url).catch((error) => error);
  await stored;
  assertEquals(fixture.names().length, 2);
  await fixture.server.close({ graceMs: 0 });
  assert(await answer instanceof TypeError);
});

Deno.test("close() lets an upload end that is under way", async () => {
  const started = Promise.withResolvers<void>();
  await using fixture = new Fixture({ random: () => (started.resolve(), 1) });
  const { response, finish } = openUpload(fixture.server.url);
  await started.promise;
  const closed = fixture.server.close({ graceMs: 60_000 });
  await assertRejects(
    () => fetch(`${fixture.server.url}/health/ready`),
    TypeError,
  );
  finish();
  await idOf(await response);
  // Long before the grace is over: nothing is left to wait for.
  await deadline(closed, 20_000);
  assertEquals(fixture.server.captures.length, 1);
});

Deno.test("disposing of the server cuts an upload that is under way", async () => {
  const started = Promise.withResolvers<void>();
  await using fixture = new Fixture({ random: () => (started.resolve(), 1) });
  const { response } = openUpload(fixture.server.url);
  const failed = assertRejects(() => response, TypeError);
  await started.promise;
  await fixture.server[Symbol.asyncDispose]();
  await failed;
  assertEquals(fixture.names(), []);
});

Deno.test("a new server on the same folder remembers what the last one stored", async () => {
  await using folder = new TempDir();
  const dir = folder.path;
  await using first = new ReferenceServer({ dir });
  const ids: string[] = [];
  for (const key of ["a", "b", "c"]) {
    ids.push(
      await idOf(
        await upload(first.url, { key, name: `${key}.json`, content: "{}" }),
      ),
    );
  }
  const { captures } = first;
  await first.close();

  await using second = new ReferenceServer({
    dir,
    port: Number(new URL(first.url).port),
  });
  assertEquals(second.url, first.url);
  assertEquals(second.captures, captures);
  // A new client: the other one may still take its old connection for open.
  using client = Deno.createHttpClient({});
  assertEquals(
    await idOf(
      await upload(second.url, { key: "b", content: "{}", client }),
    ),
    ids[1],
  );
  assertEquals(second.captures.length, 3);
});

Deno.test("a new server clears away what a crash left unfinished, and nothing else", async () => {
  await using folder = new TempDir();
  const dir = folder.path;
  const first = new ReferenceServer({ dir });
  await idOf(await upload(first.url, { key: "a" }));
  await idOf(await upload(first.url, { key: "b" }));
  await first.close();
  const [a, b] = first.captures;
  await Deno.writeTextFile(
    join(dir, ".incoming", crypto.randomUUID()),
    "half a capture",
  );
  // As if the process had died before the capture's own rename, the last step.
  await Deno.remove(first.pathOf(b!));
  await Deno.writeTextFile(
    join(dir, "notes.json"),
    '{"id":"mine","filename":"x"}',
  );
  await Deno.writeTextFile(join(dir, "broken.json"), "{");

  await using second = new ReferenceServer({ dir });
  assertEquals(second.captures, [a!]);
  assertEquals(namesIn(folder.join(".incoming")), []);
  assertEquals(
    namesIn(folder.path),
    [
      ".incoming",
      "broken.json",
      "notes.json",
      `${a!.id}-shot.png`,
      `${a!.id}-shot.png.json`,
    ].sort(),
  );
  assert(await idOf(await upload(second.url, { key: "b" })) !== b!.id);
});

Deno.test({
  name: "received captures can be read by their owner only",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using folder = new TempDir();
    const dir = join(folder.path, "new", "received");
    await using server = new ReferenceServer({ dir });
    await idOf(await upload(server.url));
    const path = server.pathOf(server.captures[0]!);
    const modes = [dir, path, `${path}.json`].map((one) =>
      Deno.statSync(one).mode! & 0o777
    );
    assertEquals(modes, [0o700, 0o600, 0o600]);
  },
});

Deno.test("ReferenceServer refuses a port that is taken", async () => {
  await using fixture = new Fixture();
  const port = Number(new URL(fixture.server.url).port);
  await using folder = new TempDir();
  assertThrows(
    () => new ReferenceServer({ dir: folder.path, port }),
    Deno.errors.AddrInUse,
  );
});
