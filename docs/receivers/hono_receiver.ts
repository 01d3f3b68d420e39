/**
 * A capture server to start from: Deno with Hono.
 *
 *     CAPTURE_TOKEN=secret deno run --allow-net --allow-env --allow-read --allow-write \
 *       hono_receiver.ts
 *
 * CAPTURE_DIR (default: captures) is where captures go, PORT (default: 8000) what it
 * listens on. A capture is the file ID, its metadata are ID.json. ID is made from the
 * key, so that a key is stored once, also after a restart. For one process at a time.
 */
import { Busboy } from "npm:@fastify/busboy@3.2.6";
import { Hono } from "npm:hono@4.13.19";
import { HTTPException } from "npm:hono@4.13.19/http-exception";
import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { pipeline } from "node:stream/promises";

const token = Deno.env.get("CAPTURE_TOKEN");
const dir = Deno.env.get("CAPTURE_DIR") ?? "captures";
const incoming = `${dir}/.incoming`;
const MAX_BYTES = 16 * 1024 * 1024;
/** The keys whose requests are not over yet. */
const inProgress = new Set<string>();

// What a crash has left there was never answered for.
if (existsSync(incoming)) Deno.removeSync(incoming, { recursive: true });
Deno.mkdirSync(incoming, { recursive: true, mode: 0o700 });

const app = new Hono();
app.get("/health/ready", (c) => c.json({ status: "ready" }));
app.post("/api/captures", async (c) => {
  if (token && c.req.header("authorization") !== `Bearer ${token}`) {
    throw refusal(401, "expected the right token");
  }
  const key = c.req.header("idempotency-key");
  if (!key) throw refusal(400, "expected an Idempotency-Key");
  if (inProgress.has(key)) throw refusal(409, "this key is in progress");
  inProgress.add(key);
  const part = `${incoming}/${randomUUID()}`;
  try {
    const { metadata, expected, ...content } = await receive(c.req.raw, part);
    if (expected !== content.sha256) throw refusal(422, "wrong sha256");
    const id = createHash("sha256").update(key).digest("hex");
    const path = `${dir}/${id}`;
    if (existsSync(path)) {
      const known = JSON.parse(await Deno.readTextFile(`${path}.json`));
      if (known.sha256 === expected) return c.json({ id, ...content }, 200);
      throw refusal(422, "this key has other bytes");
    }
    await write(`${path}.json`, new Blob([metadata]).stream());
    // With this the capture is there; without, it is not.
    await Deno.rename(part, path);
    using folder = await Deno.open(dir);
    await folder.sync();
    return c.json({ id, ...content }, 201);
  } finally {
    inProgress.delete(key);
    await Deno.remove(part).catch(() => {});
  }
});

app.onError(async (error, c) => {
  // Who still sends might see a broken connection instead of an early answer.
  const { body, bodyUsed } = c.req.raw;
  let left = MAX_BYTES;
  for await (const chunk of bodyUsed ? [] : body ?? []) {
    if ((left -= chunk.length) < 0) break;
  }
  const status = error instanceof HTTPException ? error.status : 500;
  return c.json({ error: error.message }, status);
});

const refusal = (status: 400 | 401 | 409 | 422, message: string) =>
  new HTTPException(status, { message });

/** Writes the form's file to the disk as it comes, and returns the rest. */
async function receive({ headers, body }: Request, path: string) {
  const hash = createHash("sha256");
  let size = 0;
  let metadata = "";
  let writing: Promise<void> | undefined;
  async function* counted(content: AsyncIterable<Uint8Array>) {
    for await (const chunk of content) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  }
  try {
    const parser = new Busboy({
      headers: { "content-type": headers.get("content-type") ?? "" },
      limits: { fieldSize: MAX_BYTES },
    });
    parser.on("field", (_name, value) => metadata = value);
    parser.on("file", (_name, content) => {
      writing = write(path, counted(content));
      writing.catch((error) => parser.destroy(error));
    });
    await pipeline(body ?? [], parser);
    await writing;
    if (!writing) throw new Error("expected a file");
    const expected = JSON.parse(metadata).sha256;
    return { metadata, expected, size, sha256: hash.digest("hex") };
  } catch (error) {
    throw refusal(400, `cannot read the form: ${(error as Error).message}`);
  }
}

async function write(path: string, chunks: AsyncIterable<Uint8Array>) {
  const options = { write: true, create: true, truncate: true, mode: 0o600 };
  using file = await Deno.open(path, options);
  for await (let chunk of chunks) {
    while (chunk.length > 0) chunk = chunk.subarray(await file.write(chunk));
  }
  await file.sync();
}

const port = Number(Deno.env.get("PORT") ?? 8000);
Deno.serve({ hostname: "127.0.0.1", port }, app.fetch);
