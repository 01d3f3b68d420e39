import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Spool, type SpoolRecord } from "../../sync/spool/spool.ts";
import { CaptureFileError } from "../../sync/capture/errors.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const ID = "0f8fad5b-d9cb-469f-a165-70867728950e";
const OTHER_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

function recordOf(id: string): SpoolRecord {
  return {
    id,
    filepath: "/captures/Tür \u{1F6AA}.png",
    metadataJson: '{"door":3}',
    createdAtMs: 1_700_000_000_000,
    size: 5,
    mtimeMs: 1_600_000_000_000,
    watched: false,
  };
}

const encode = (text: string) => new TextEncoder().encode(text);

/** The records that a spool has of an entry. */
async function recordsOf(spool: Spool, id: string): Promise<SpoolRecord[]> {
  const records = (await Array.fromAsync(spool.records())).flat();
  return records.filter((record) => record.id === id);
}

/** Everything below a folder. */
function filesIn(dir: TempDir, folder = "."): string[] {
  return [...Deno.readDirSync(dir.join(folder))].flatMap((entry) =>
    entry.isDirectory
      ? filesIn(dir, `${folder}/${entry.name}`)
      : [`${folder}/${entry.name}`]
  ).sort();
}

Deno.test("an entry has its bytes, below the last two characters of its id, and a record in the log", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.join("spool"));
  const source = dir.write("capture.png", "bytes");
  await spool.addFile(ID, source);
  assertEquals(await recordsOf(spool, ID), []);
  spool.commit([recordOf(ID)]);
  assertEquals(filesIn(dir), [
    "./capture.png",
    `./spool/0e/${ID}`,
    "./spool/records.jsonl",
  ]);
  assertEquals(Deno.readTextFileSync(spool.pathOf(ID)), "bytes");
  assertEquals(await recordsOf(spool, ID), [recordOf(ID)]);
  assert(spool.has(ID));
  assert(!spool.has(OTHER_ID));
});

Deno.test("an entry keeps its bytes when the original goes", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.join("spool"));
  const source = dir.write("capture.png", "bytes");
  await spool.addFile(ID, source);
  Deno.removeSync(source);
  assertEquals(Deno.readTextFileSync(spool.pathOf(ID)), "bytes");
});

Deno.test("Spool.addBytes() keeps bytes that are in memory, empty ones included", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.path);
  assertEquals(spool.addBytes(ID, encode("bytes")).size, 5);
  assertEquals(spool.addBytes(OTHER_ID, encode("")).size, 0);
  assertEquals(Deno.readTextFileSync(spool.pathOf(ID)), "bytes");
});

Deno.test("what cannot be added leaves nothing behind", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.join("spool"));
  await assertRejects(
    () => spool.addFile(ID, dir.join("missing.png")),
    CaptureFileError,
    "no such file",
  );
  assertEquals(filesIn(dir), []);
});

Deno.test("an id gets no second entry, and the first one keeps its bytes", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.join("spool"));
  const source = dir.write("capture.png", "bytes");
  await spool.addFile(ID, source);
  await assertRejects(() => spool.addFile(ID, source), TypeError, "twice");
  assertThrows(() => spool.addBytes(ID, encode("other")), TypeError, "twice");
  assertEquals(Deno.readTextFileSync(source), "bytes");
  assertEquals(Deno.readTextFileSync(spool.pathOf(ID)), "bytes");
});

Deno.test("no id leads out of the spool", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.join("spool"));
  const source = dir.write("capture.png", "bytes");
  const secret = dir.write("secret", "kept");
  dir.write("secret.json", "kept");
  const bad = [
    "../secret",
    "../../secret",
    "/etc/passwd",
    "..",
    ".",
    "",
    "orphans",
    "secret",
    ID.toUpperCase(),
    `../${ID}`,
    `${ID}/..`,
    `${ID}\0`,
    `${ID}.json`,
  ];
  for (const id of bad) {
    assert(!spool.canHold(id), id);
    await assertRejects(() => spool.addFile(id, source), TypeError, "a UUID");
    assertThrows(() => spool.addBytes(id, encode("")), TypeError, "a UUID");
    assertThrows(() => spool.pathOf(id), TypeError, "a UUID");
    assertThrows(() => spool.remove(id), TypeError, "a UUID");
    assertThrows(() => spool.removeDurably([id]), TypeError, "a UUID");
    await assertRejects(() => spool.discard(id, 5), TypeError, "a UUID");
    assertThrows(() => spool.setAside(id), TypeError, "a UUID");
    assertThrows(() => spool.commit([recordOf(id)]), TypeError, "a UUID");
    assert(!spool.has(id));
    assertEquals(await recordsOf(spool, id), []);
  }
  assertEquals(Deno.readTextFileSync(secret), "kept");
  assertEquals(filesIn(dir), ["./capture.png", "./secret", "./secret.json"]);
});

Deno.test("Spool.remove() and removeDurably() remove an entry, and mind nothing that is missing", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.path);
  for (const id of [ID, OTHER_ID]) spool.addBytes(id, encode("bytes"));
  spool.remove(ID);
  spool.remove(ID);
  spool.removeDurably([OTHER_ID, ID]);
  spool.removeDurably(["00000000-0000-4000-8000-000000000000"]);
  assertEquals(filesIn(dir), []);
});

Deno.test("Spool.discard() removes entries, and minds nothing that is missing", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.path);
  for (const id of [ID, OTHER_ID]) spool.addBytes(id, encode("bytes"));
  // However large they are said to be.
  await spool.discard(ID, 5);
  await spool.discard(ID, 5);
  await spool.discard(OTHER_ID, null);
  await spool.discard(OTHER_ID, 2 ** 40);
  assertEquals(filesIn(dir), []);
});

Deno.test("Spool.discard() tells what goes wrong", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.path);
  // What is not empty is not removed.
  dir.write(`0e/${ID}/file`, "in its place");
  await assertRejects(() => spool.discard(ID, 5));
  await assertRejects(() => spool.discard(ID, null));
});

Deno.test("Spool.compactRecords() keeps the records of entries that are there", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.path);
  for (const id of [ID, OTHER_ID]) spool.addBytes(id, encode("bytes"));
  // Large enough for it to be worth while.
  const filepath = "x".repeat(700_000);
  spool.commit([ID, OTHER_ID].map((id) => ({ ...recordOf(id), filepath })));
  await spool.discard(OTHER_ID, 5);
  await spool.compactRecords();
  assertEquals(await recordsOf(spool, ID), [{ ...recordOf(ID), filepath }]);
  assertEquals(await recordsOf(spool, OTHER_ID), []);
  spool.commit([recordOf(ID)]);
  await spool.compactRecords();
  assertEquals((await recordsOf(spool, ID)).length, 2);
});

Deno.test("Spool.adoptOldLayout() takes over a record file for each entry, and the trash", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.path);
  spool.addBytes(ID, encode("bytes"));
  dir.write(`0e/${ID}.json`, JSON.stringify(recordOf(ID)));
  dir.write(`0e/${OTHER_ID}.json.tmp`, "half");
  dir.write("trash/1/left", "bytes");
  spool.adoptOldLayout();
  spool.adoptOldLayout();
  assertEquals(filesIn(dir), [`./0e/${ID}`, "./records.jsonl"]);
  assertEquals(await recordsOf(spool, ID), [recordOf(ID)]);
});

Deno.test("Spool.ids() names entries, whole or not, and nothing else", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.path);
  spool.addBytes(ID, encode("whole"));
  spool.commit([recordOf(ID)]);
  spool.addBytes(OTHER_ID, encode("half"));
  dir.write("0e/notes.txt", "somebody else's");
  dir.write(`0e/${OTHER_ID}`, "in the wrong place");
  dir.write(`orphans/${OTHER_ID}`, "set aside");
  dir.write("README", "somebody else's");
  assertEquals([...spool.ids()].flat().sort(), [ID, OTHER_ID]);
});

Deno.test("Spool.setAside() keeps an entry, with its record if it has one, and orphans() counts it", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.path);
  assertEquals(spool.orphans(), 0);
  for (const id of [ID, OTHER_ID]) spool.addBytes(id, encode("bytes"));
  spool.setAside(ID, recordOf(ID));
  spool.setAside(OTHER_ID);
  assertEquals(filesIn(dir), [
    `./orphans/${ID}`,
    `./orphans/${ID}.json`,
    `./orphans/${OTHER_ID}`,
  ]);
  assertEquals(
    JSON.parse(Deno.readTextFileSync(dir.join(`orphans/${ID}.json`))),
    recordOf(ID),
  );
  assertEquals(spool.orphans(), 2);
});

Deno.test("Spool.changedMs() goes by the time that nobody can set", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.path);
  const before = Date.now();
  spool.addBytes(ID, encode("bytes"));
  Deno.utimeSync(spool.pathOf(ID), new Date(0), new Date(0));
  // The file system's clock may be a tick behind.
  assert(spool.changedMs(ID) >= before - 1000);
  assertEquals(spool.changedMs(OTHER_ID), 0);
});

Deno.test("Spool.freeBytes() tells the room that the disk has", async () => {
  await using dir = new TempDir();
  assert(new Spool(dir.path).freeBytes() > 0);
});
