import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Spool, type SpoolRecord } from "../sync/spool.ts";
import { CaptureFileError } from "../sync/outcome.ts";
import { TempDir } from "./helpers/temp_dir.ts";

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

/** Everything below a folder. */
function filesIn(dir: TempDir, folder = "."): string[] {
  return [...Deno.readDirSync(dir.join(folder))].flatMap((entry) =>
    entry.isDirectory
      ? filesIn(dir, `${folder}/${entry.name}`)
      : [`${folder}/${entry.name}`]
  ).sort();
}

Deno.test("an entry has its bytes and its record, below the last two characters of its id", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.join("spool"));
  const source = dir.write("capture.png", "bytes");
  await spool.addFile(ID, source);
  assertEquals(spool.record(ID), undefined);
  spool.commit([recordOf(ID)]);
  assertEquals(filesIn(dir), [
    "./capture.png",
    `./spool/0e/${ID}`,
    `./spool/0e/${ID}.json`,
  ]);
  assertEquals(Deno.readTextFileSync(spool.pathOf(ID)), "bytes");
  assertEquals(spool.record(ID), recordOf(ID));
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
    assertThrows(() => spool.removeRecords([id]), TypeError, "a UUID");
    assertThrows(() => spool.setAside(id), TypeError, "a UUID");
    assertThrows(() => spool.commit([recordOf(id)]), TypeError, "a UUID");
    assert(!spool.has(id));
    assertEquals(spool.record(id), undefined);
  }
  assertEquals(Deno.readTextFileSync(secret), "kept");
  assertEquals(filesIn(dir), ["./capture.png", "./secret", "./secret.json"]);
});

Deno.test("Spool.remove() removes all of an entry, and minds nothing that is missing", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.path);
  spool.addBytes(ID, encode("bytes"));
  spool.commit([recordOf(ID)]);
  Deno.writeTextFileSync(spool.pathOf(ID) + ".json.tmp", "half");
  spool.remove(ID);
  spool.remove(ID);
  spool.remove(OTHER_ID);
  assertEquals(filesIn(dir), []);
});

Deno.test("Spool.discard() takes entries out of the way at once, and then removes them", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.join("spool"));
  for (const id of [ID, OTHER_ID]) {
    spool.addBytes(id, encode("bytes"));
    spool.commit([recordOf(id)]);
  }
  const gone = [ID, OTHER_ID].map((id) => spool.discard(id));
  assertEquals([...spool.ids()].flat(), []);
  assertEquals(filesIn(dir).length, 4);
  await Promise.all(gone);
  assertEquals(filesIn(dir), []);
  await spool.discard(ID);
});

Deno.test("Spool.discard() removes an entry that it cannot move", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.join("spool"));
  spool.addBytes(ID, encode("bytes"));
  Deno.removeSync(dir.join("spool/trash"));
  await spool.discard(ID);
  assertEquals(filesIn(dir), []);
});

Deno.test("Spool.emptyTrash() removes what was discarded and is still there", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.join("spool"));
  dir.write("spool/trash/1/left", "bytes");
  dir.write("spool/trash/2/left.json", "{}");
  await spool.emptyTrash();
  assertEquals([...Deno.readDirSync(dir.join("spool/trash"))], []);
});

Deno.test("Spool.removeRecords() leaves the bytes", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.path);
  spool.addBytes(ID, encode("bytes"));
  spool.commit([recordOf(ID)]);
  spool.removeRecords([ID, OTHER_ID]);
  assertEquals(filesIn(dir), [`./0e/${ID}`]);
});

Deno.test("Spool.ids() names entries, whole or not, each once, and nothing else", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.path);
  spool.addBytes(ID, encode("whole"));
  spool.commit([recordOf(ID)]);
  dir.write(`e7/${OTHER_ID}.json.tmp`, "half a record");
  dir.write("0e/notes.txt", "somebody else's");
  dir.write(`0e/${OTHER_ID}`, "in the wrong place");
  dir.write(`orphans/${OTHER_ID}`, "set aside");
  dir.write("README", "somebody else's");
  assertEquals([...spool.ids()].flat().sort(), [ID, OTHER_ID]);
});

Deno.test("a record that is damaged, or another one's, is none", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.path);
  spool.addBytes(ID, encode("bytes"));
  const damaged = [
    "",
    "{",
    "null",
    "[]",
    JSON.stringify(recordOf(OTHER_ID)),
    ...Object.keys(recordOf(ID)).map((key) =>
      JSON.stringify({ ...recordOf(ID), [key]: undefined })
    ),
    JSON.stringify({ ...recordOf(ID), size: "5" }),
    JSON.stringify({ ...recordOf(ID), watched: 1 }),
  ];
  for (const text of damaged) {
    Deno.writeTextFileSync(spool.pathOf(ID) + ".json", text);
    assertEquals(spool.record(ID), undefined, text);
  }
});

Deno.test("Spool.setAside() keeps an entry's files, and orphans() counts them", async () => {
  await using dir = new TempDir();
  const spool = new Spool(dir.path);
  assertEquals(spool.orphans(), 0);
  spool.addBytes(ID, encode("bytes"));
  spool.commit([recordOf(ID)]);
  spool.addBytes(OTHER_ID, encode("more"));
  spool.setAside(ID);
  spool.setAside(OTHER_ID);
  spool.setAside(OTHER_ID);
  assertEquals(filesIn(dir), [
    `./orphans/${ID}`,
    `./orphans/${ID}.json`,
    `./orphans/${OTHER_ID}`,
  ]);
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
