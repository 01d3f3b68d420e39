/** The server's contract, docs/openapi.yaml, held against both sides that keep it. */

import { Ajv } from "ajv";
import { assert, assertEquals } from "@std/assert";
import { ReferenceServer } from "../../../scripts/server/reference_server.ts";
import { proofIn } from "../../../sync/upload/answer.ts";
import { outcomeOfAnswer } from "../../../sync/upload/outcome.ts";
import { CaptureUploader } from "../../../sync/upload/uploader.ts";
import {
  assertFits,
  components,
  ContractClient,
  PATHS,
  paths,
  upload,
  validity,
} from "../../helpers/contract.ts";
import { sha256Of } from "../../../sync/host/sha256.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

function formOf(metadata: string, file?: Blob): FormData {
  const form = new FormData();
  form.append("metadata", metadata);
  if (file) form.append("file", file, "door.png");
  return form;
}

const post = (
  body: BodyInit,
  headers: Record<string, string>,
): RequestInit => ({ method: "POST", body, headers });

const sha256 = sha256Of("hello");
const good = () => formOf(JSON.stringify({ sha256 }), new Blob(["hello"]));

Deno.test("the contract is a valid OpenAPI document, and its examples are what it declares", () => {
  assertEquals(validity.errors, undefined);
  for (const path of PATHS) {
    for (const operation of Object.values(paths[path])) {
      for (const [status, { content }] of Object.entries(operation.responses)) {
        const { schema, example, examples = {} } = content["application/json"];
        const values = Object.values(examples).map(({ value }) => value);
        if (example) values.push(example);
        for (const value of values) assertFits(schema, value, status);
      }
    }
  }
});

Deno.test("the contract says what each answer means to the agent", () => {
  const sent = { size: 5, sha256, metadata: "{}" };
  for (const [status, declared] of Object.entries(upload.responses)) {
    const { example, examples } = declared.content["application/json"];
    const all = Object.values(examples ?? {});
    all.push(...example ? [{ ...declared, value: example }] : []);
    assert(all.length > 0, `${status} has an example`);
    for (const { value, "x-outcome": outcome } of all) {
      const answer = {
        status: Number(status),
        type: "application/json",
        body: JSON.stringify(value),
        defect: null,
        retryAfterMs: declared.headers?.["Retry-After"] ? 1_000 : null,
        isEarly: false,
      };
      assertEquals(outcomeOfAnswer(answer, { sent }).kind, outcome, status);
    }
  }
});

Deno.test("the contract calls stored what the agent takes for a proof", () => {
  const stored = new Ajv({ strict: false })
    .compile(components.schemas["Stored"]!);
  const bodies = [
    { id: "a" },
    { id: 7 },
    { id: "" },
    { id: null },
    { id: true },
    { id: ["a"] },
    { id: "a".repeat(1025) },
    { size: 5 },
    { id: "a", sha256, size: 5 },
    { id: "a", sha256: "other" },
  ];
  for (const body of bodies) {
    const answer = {
      status: 201,
      type: "application/json",
      body: JSON.stringify(body),
      defect: null,
      retryAfterMs: null,
      isEarly: false,
    };
    const proof = proofIn(answer, { size: 5, sha256, metadata: "{}" });
    assertEquals(stored(body), "captureId" in proof, answer.body);
  }
});

Deno.test("the reference server answers as the contract declares, and gives every answer of it but one", async () => {
  await using dir = new TempDir();
  const started = Promise.withResolvers<void>();
  await using server = new ReferenceServer({
    dir: dir.path,
    fsync: false,
    token: "t",
    maxBytes: 10_000,
    random: () => (started.resolve(), 0.9),
  });
  const client = new ContractClient();
  const url = `${server.url}/api/captures`;
  const headers = { authorization: "Bearer t", "idempotency-key": "k" };
  const ask = async (body: BodyInit, more: Record<string, string> = {}) =>
    (await client.ask(url, post(body, { ...headers, ...more }))).status;

  const { body, finish } = openBody();
  const type = "multipart/form-data; boundary=edge";
  const first = ask(body, { "content-type": type });
  await started.promise;
  assertEquals(await ask(good()), 409);
  finish();
  assertEquals(await first, 201);
  assertEquals(await ask(good()), 201, "the same again");
  const other = formOf("{}", new Blob(["other"]));
  assertEquals(await ask(other), 422, "other bytes");
  const wrong = formOf(JSON.stringify({ sha256 }), new Blob(["x"]));
  assertEquals(await ask(wrong, { "idempotency-key": "l" }), 422, "a hash");
  assertEquals(await ask(good(), { authorization: "Bearer u" }), 401);
  const bad = [formOf("{}"), formOf("[]", new Blob(["x"])), "no form"];
  for (const body of bad) assertEquals(await ask(body), 400);
  const large = formOf("{}", new Blob([new Uint8Array(10_000)]));
  assertEquals(await ask(large), 413);
  const long = { "idempotency-key": "k".repeat(256) };
  assertEquals(await ask(good(), long), 400, "a long key");
  for (const status of [403, 408, 425, 429, 500, 503]) {
    server.misbehave({ status, retryAfterS: 1 });
    assertEquals(await ask(good()), status);
  }
  await client.ask(`${server.url}/health/ready`);
  server.misbehave({ status: undefined });
  await client.ask(`${server.url}/health/ready`);

  const declared = PATHS.flatMap((path) =>
    Object.entries(paths[path]).flatMap(([method, { responses }]) =>
      Object.keys(responses).map((status) => `${method} ${path} ${status}`)
    )
  );
  // It answers a key that it knows as it did the first time.
  const unused = new Set(declared).difference(client.seen);
  assertEquals([...unused], ["post /api/captures 200"]);
});

Deno.test("the agent sends what the contract asks for, and nothing else", async () => {
  const requests: { headers: Headers; form: FormData }[] = [];
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const { headers } = request;
      requests.push({ headers, form: await request.formData() });
      return Response.json({ id: 1 }, { status: 201 });
    },
  );
  await using uploader = new CaptureUploader(
    `http://127.0.0.1:${server.addr.port}`,
    { token: "t" },
  );
  const data = new TextEncoder().encode("hello");
  const metadata = { door: 3 };
  const { success } = await uploader.uploadBytes(data, "door.png", metadata);
  assert(success);
  const [{ headers, form }] = requests as [typeof requests[0]];
  const { Metadata, Upload } = components.schemas;
  const fields = Object.fromEntries(
    [...form].map((
      [name, value],
    ) => [name, typeof value === "string" ? value : value.name]),
  );
  assertFits({ ...Upload, additionalProperties: false }, fields, "the form");
  assertFits(Metadata!, JSON.parse(fields["metadata"]!), "the metadata");
  assertEquals(headers.get("authorization"), "Bearer t");
  for (const { name, schema } of upload.parameters!) {
    assertFits(schema, headers.get(name), name);
  }
});

/** A form that goes on until it is told to end. */
function openBody(): { body: ReadableStream<Uint8Array>; finish: () => void } {
  const encoder = new TextEncoder();
  let controller: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({
    start: (given) => void (controller = given),
  });
  const part = (name: string, content: string) =>
    `--edge\r\nContent-Disposition: form-data; name="${name}"${content}\r\n`;
  controller!.enqueue(encoder.encode(
    part("metadata", "\r\n\r\n{}") +
      part("file", '; filename="a"\r\n\r\nhello'),
  ));
  return {
    body,
    finish: () => {
      controller!.enqueue(encoder.encode("--edge--\r\n"));
      controller!.close();
    },
  };
}
