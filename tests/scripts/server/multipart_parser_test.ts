import {
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  multipartBoundary,
  MultipartError,
  readMultipart,
} from "../../../scripts/server/multipart_parser.ts";

interface ReadPart {
  name: string;
  filename: string | undefined;
  contentType: string | undefined;
  text: string;
}

/** The bytes in pieces of one size. */
async function* pieces(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) {
    yield bytes.slice(at, at + size);
  }
}

/** Reads a whole form that arrives in pieces of `size` bytes. */
async function readAll(
  body: string | Uint8Array,
  { boundary = "edge", size = Infinity } = {},
): Promise<ReadPart[]> {
  const bytes = typeof body === "string"
    ? new TextEncoder().encode(body)
    : body;
  const parts: ReadPart[] = [];
  const source = pieces(bytes, Math.min(size, bytes.length));
  for await (const { content, ...about } of readMultipart(source, boundary)) {
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of content) {
      text += decoder.decode(chunk, { stream: true });
    }
    parts.push({ ...about, text });
  }
  return parts;
}

/** A form of plain fields, as a client would write it. */
function formOf(fields: Record<string, string>): string {
  return Object.entries(fields).map(([name, value]) =>
    `--edge\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
  ).join("") + "--edge--\r\n";
}

Deno.test("readMultipart() reads what native FormData writes, in pieces of any size", async () => {
  const form = new FormData();
  form.append("metadata", '{"title":"été 📷"}');
  form.append(
    "file",
    new Blob(["one\r\n--two\r\n"], { type: "image/png" }),
    "shot.png",
  );
  const response = new Response(form);
  const boundary = multipartBoundary(response.headers.get("content-type"));
  const body = new Uint8Array(await response.arrayBuffer());
  const expected = [
    {
      name: "metadata",
      filename: undefined,
      contentType: undefined,
      text: '{"title":"été 📷"}',
    },
    {
      name: "file",
      filename: "shot.png",
      contentType: "image/png",
      text: "one\r\n--two\r\n",
    },
  ];
  for (let size = 1; size <= body.length; size++) {
    assertEquals(
      await readAll(body, { boundary, size }),
      expected,
      `pieces of ${size}`,
    );
  }
});

Deno.test("readMultipart() keeps content that looks like the start of a boundary", async () => {
  for (
    const value of [
      "",
      "\r",
      "\r\n",
      "\r\n--",
      "\r\n--edg",
      "\r\r\n--edg",
      "\r\n\r\n--edg\r\n--edg",
      "--edge",
      "a\n--edge",
      "\r\n--Edge\r\n",
    ]
  ) {
    for (const size of [1, 2, 3, 5, 7, 11, 1000]) {
      const parts = await readAll(formOf({ a: value, b: "last" }), { size });
      assertEquals(
        parts.map((part) => part.text),
        [value, "last"],
        `pieces of ${size}`,
      );
    }
  }
});

Deno.test("readMultipart() gives file names back as they were before they were escaped", async () => {
  for (
    const name of [
      'say "hi".png',
      "two\nlines\r.png",
      "📷 é.png",
      "back\\",
      "a\\b",
      '; name="x"; .png',
    ]
  ) {
    const form = new FormData();
    form.append("file", new Blob(["x"]), name);
    const response = new Response(form);
    const boundary = multipartBoundary(response.headers.get("content-type"));
    const [part] = await readAll(await response.bytes(), { boundary });
    assertEquals(part?.filename, name);
    assertEquals(part?.name, "file");
  }
});

Deno.test("readMultipart() tells the name from the file name when one ends in a backslash", async () => {
  const form = new FormData();
  form.append("back\\", new Blob(["x"]), "shot.png");
  const response = new Response(form);
  const boundary = multipartBoundary(response.headers.get("content-type"));
  const [part] = await readAll(new Uint8Array(await response.arrayBuffer()), {
    boundary,
  });
  assertEquals([part?.name, part?.filename], ["back\\", "shot.png"]);
});

Deno.test("readMultipart() understands file names as curl writes them", async () => {
  const [part] = await readAll(
    '--edge\r\nContent-Disposition: form-data; name="file"; filename="say \\"hi\\".png"\r\n' +
      "\r\nx\r\n--edge--",
  );
  assertEquals(part?.filename, 'say "hi".png');
});

Deno.test("readMultipart() skips what is left of a part when the next one is asked for", async () => {
  const body = new TextEncoder().encode(
    formOf({ a: "x".repeat(50), b: "y".repeat(50), c: "z" }),
  );
  const names: string[] = [];
  for await (const part of readMultipart(pieces(body, 10), "edge")) {
    names.push(part.name);
    if (part.name === "a") continue;
    for await (const _ of part.content) break;
  }
  assertEquals(names, ["a", "b", "c"]);
});

Deno.test("readMultipart() ignores what comes before the first and after the last boundary", async () => {
  const parts = await readAll(
    `Dear reader,\r\n${formOf({ a: "1" })}--edge\r\nnot a part`,
  );
  assertEquals(parts.map((part) => part.text), ["1"]);
});

Deno.test("readMultipart() reads the body to its end", async () => {
  let ended = false;
  async function* body() {
    yield* pieces(new TextEncoder().encode(formOf({ a: "1" })), 7);
    yield new TextEncoder().encode("the end");
    ended = true;
  }
  for await (const _ of readMultipart(body(), "edge"));
  assertEquals(ended, true);
});

Deno.test("readMultipart() refuses a body that is cut short, wherever that is", async () => {
  const whole = formOf({ a: "some content" }).trimEnd();
  for (let length = 0; length < whole.length; length++) {
    await assertRejects(
      () => readAll(whole.slice(0, length)),
      MultipartError,
      "ends before its closing boundary",
      `cut after ${length} bytes`,
    );
  }
});

Deno.test("readMultipart() refuses parts it cannot understand", async () => {
  const long = `X-Long: ${"x".repeat(20_000)}`;
  for (
    const head of [
      "",
      "Content-Type: text/plain",
      'Content-Disposition: attachment; name="a"',
      "Content-Disposition: form-data",
      `Content-Disposition: form-data; name="a"\r\n${long}`,
    ]
  ) {
    await assertRejects(
      () => readAll(`--edge\r\n${head}\r\n\r\nx\r\n--edge--`),
      MultipartError,
      "Cannot read a part",
    );
  }
  await assertRejects(
    () =>
      readAll(
        '--edgewise\r\nContent-Disposition: form-data; name="a"\r\n\r\n--edge--',
      ),
    MultipartError,
    "expected a line break after the boundary",
  );
});

Deno.test("readMultipart() passes on the error of a body that breaks off", async () => {
  async function* body() {
    yield new TextEncoder().encode("--edge\r\nContent-Disposition: ");
    throw new TypeError("the line is dead");
  }
  await assertRejects(
    () => readMultipart(body(), "edge").next(),
    TypeError,
    "the line is dead",
  );
});

Deno.test("readMultipart() passes 512 MiB through without keeping them", async () => {
  const chunk = new Uint8Array(64 * 1024).fill(0x0d);
  const count = 512 * 16;
  async function* body() {
    yield new TextEncoder().encode(
      '--edge\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n',
    );
    for (let i = 0; i < count; i++) yield chunk;
    yield new TextEncoder().encode("\r\n--edge--\r\n");
  }
  const before = Deno.memoryUsage().rss;
  let length = 0;
  for await (const part of readMultipart(body(), "edge")) {
    for await (const piece of part.content) length += piece.length;
  }
  assertEquals(length, count * chunk.length);
  const grownMiB = (Deno.memoryUsage().rss - before) / 1024 ** 2;
  assertEquals(grownMiB < 150, true, `grew by ${grownMiB} MiB`);
});

Deno.test("multipartBoundary() finds the boundary, quoted or not", () => {
  for (
    const [header, boundary] of [
      ["multipart/form-data; boundary=edge", "edge"],
      ['Multipart/Form-Data; charset=utf-8; Boundary="the edge"', "the edge"],
      ["multipart/form-data;boundary=edge; charset=utf-8", "edge"],
    ] as const
  ) assertEquals(multipartBoundary(header), boundary);
});

Deno.test("multipartBoundary() refuses any other content type", () => {
  for (
    const header of [
      null,
      "application/json",
      "multipart/form-data",
      "multipart/form-data; boundary=",
      "multipart/mixed; boundary=edge",
      `multipart/form-data; boundary=${"x".repeat(71)}`,
    ]
  ) {
    const error = assertThrows(() => multipartBoundary(header), MultipartError);
    assertMatch(error.message, /expected Content-Type multipart\/form-data/);
  }
});
