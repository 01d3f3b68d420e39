import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { checkMetadata } from "../../sync/capture/metadata.ts";
import { openRegularFile } from "../../sync/host/opened_file.ts";
import { reconcileSpool } from "../../sync/spool/reconcile.ts";
import { RecordLog, type SpoolRecord } from "../../sync/spool/record_log.ts";
import { StoreFixture } from "../helpers/store_fixture.ts";
import { TempDir } from "../helpers/temp_dir.ts";
import { jsonLikeText } from "./json_text.ts";
import { memoryDir } from "./memory_dir.ts";
import { oddText } from "./odd_text.ts";
import { target } from "./target.ts";

const ID = "5f0c2d1e-7c1b-4f3e-9a53-0d9a4f6b8c11";
const SOUND: SpoolRecord = {
  id: ID,
  filepath: "/captures/door.png",
  metadataJson: '{"door":3}',
  createdAtMs: 1_700_000_000_000,
  hostname: "kiosk-7",
  watched: false,
  sha256: "00ff".repeat(16),
  identity: { fileId: "8.1:2a", size: 5, mtimeMs: 1, ctimeMs: 2 },
};

const odd = fc.oneof(
  fc.constantFrom("../../x", "", ID.toUpperCase(), "[1]"),
  fc.jsonValue(),
  fc.double(),
  fc.maxSafeInteger(),
  oddText,
  jsonLikeText,
);

/** A record one or two of whose values are others. */
const record = fc.record({
  changes: fc.array(
    fc.tuple(fc.constantFrom(...Object.keys(SOUND), "spooled"), odd),
    { maxLength: 1 },
  ),
  identity: fc.array(
    fc.tuple(fc.constantFrom(...Object.keys(SOUND.identity)), odd),
    { maxLength: 1 },
  ),
}).map(({ changes, identity }) => ({
  ...SOUND,
  identity: { ...SOUND.identity, ...Object.fromEntries(identity) },
  ...Object.fromEntries(changes),
}));

const encoder = new TextEncoder();

const line = fc.oneof(
  record.map((record) => JSON.stringify(record)),
  fc.tuple(record, fc.nat()).map(([record, at]) => {
    const text = JSON.stringify(record);
    return text.slice(0, at % text.length);
  }),
  jsonLikeText,
).map((text) => encoder.encode(text.replaceAll("\n", " ")));

const content = fc.array(
  fc.oneof(
    { arbitrary: line, weight: 4 },
    { arbitrary: fc.uint8Array({ maxLength: 60 }), weight: 1 },
  ),
  { maxLength: 5 },
).map((lines) => lines.flatMap((bytes) => [...bytes, 10]));

async function readAll(log: RecordLog): Promise<SpoolRecord[]> {
  return (await Array.fromAsync(log.read())).flat();
}

/** Whatever is in the log, what is appended comes back, and stays when it is compacted. */
const records = target("records of the spool", {
  share: 12,
  examples: [[...encoder.encode(
    `${JSON.stringify({ ...SOUND, createdAtMs: 0.5 })}\n`,
  )]],
}, (stack) => {
  const dir = stack.use(new TempDir(memoryDir()));
  const path = dir.join("records.jsonl");
  return fc.asyncProperty(content, async (content) => {
    Deno.writeFileSync(path, new Uint8Array(content));
    const log = new RecordLog(path);
    log.append([SOUND]);
    const read = await readAll(log);
    assertEquals(read.at(-1), SOUND);
    for (const { identity, ...record } of read) {
      const { createdAtMs, id, filepath } = record;
      const { size, mtimeMs, ctimeMs } = identity;
      const numbers = [createdAtMs, size, mtimeMs, ctimeMs];
      assert(numbers.every(Number.isSafeInteger), `${numbers}`);
      assert([id, filepath].every((text) => typeof text === "string"));
    }
    await log.compact(() => true);
    assertEquals(await readAll(log), read);
  });
});

/** Whatever a record says, its entry is queued or set aside, and others are queued. */
const reconciling = target("reconciling the spool", { share: 1 }, (stack) => {
  const shared = stack.use(new TempDir(memoryDir()));
  return fc.asyncProperty(record, async (record) => {
    const dataDir = shared.join(crypto.randomUUID());
    await using store = new StoreFixture({ dataDir });
    const other = await store.take("other");
    store.queue.remove([other]);
    using file = openRegularFile(store.dir.write("file", "bytes"));
    await store.spool.addFile(ID, file);
    Deno.writeTextFileSync(
      `${store.spoolDir}/records.jsonl`,
      `${JSON.stringify(record)}\n`,
      { append: true },
    );
    const errors: string[] = [];
    await reconcileSpool(store.queue, store.spool, {
      log: (level, message) => level === "error" && errors.push(message),
      now: () => Date.now() + 30 * 86_400_000,
    });
    assertEquals(errors, []);
    assert(store.queue.get(other));
    const queued = store.queue.get(ID);
    assert(queued || store.spool.sizeOf(ID) === undefined);
    if (queued) {
      assertEquals(queued.size, SOUND.identity.size);
      checkMetadata(queued.metadataJson);
    }
    assert(store.queue.claim(10).some(({ id }) => id === other));
  });
});

export const SPOOL_RECORDS = [records, reconciling];
