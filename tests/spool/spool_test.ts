import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { CaptureFileError } from "../../sync/capture/errors.ts";
import { openRegularFile } from "../../sync/host/opened_file.ts";
import { Spool, type SpoolRecord } from "../../sync/spool/spool.ts";
import { bindingFlags } from "../../scripts/task/bindings.ts";
import { sha256Of } from "../../sync/host/sha256.ts";
import { TempDir } from "../helpers/temp_dir.ts";
import { recordOf } from "../helpers/spool_record.ts";

const ID = "0f8fad5b-d9cb-469f-a165-70867728950e";
const OTHER_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

/** A spool in a folder of its own. */
class Scene implements AsyncDisposable {
  readonly dir = new TempDir();
  readonly spool = new Spool(this.dir.join("spool"));

  /** Adds an entry, without a record. */
  async add(id: string, content = "bytes", sha256?: string): Promise<string> {
    using file = openRegularFile(this.dir.write("capture.png", content));
    return await this.spool.addFile(id, file, { ...(sha256 && { sha256 }) });
  }

  /** The records that the spool has of an entry. */
  async recordsOf(id: string): Promise<SpoolRecord[]> {
    const records = (await Array.fromAsync(this.spool.records())).flat();
    return records.filter((record) => record.id === id);
  }

  /** Everything in the spool. */
  files(folder = "spool"): string[] {
    return [...Deno.readDirSync(this.dir.join(folder))].flatMap((entry) =>
      entry.isDirectory
        ? this.files(`${folder}/${entry.name}`)
        : [`${folder}/${entry.name}`.slice("spool/".length)]
    ).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.spool[Symbol.dispose]();
    await this.dir[Symbol.asyncDispose]();
  }
}

Deno.test("an entry has its bytes, below the last two characters of its id, and a record in the log", async () => {
  await using scene = new Scene();
  const { spool } = scene;
  const sha256 = sha256Of(new TextEncoder().encode("bytes"));
  assertEquals(await scene.add(ID), sha256);
  assertEquals(await scene.recordsOf(ID), []);
  spool.commit([recordOf(ID)]);
  assertEquals(scene.files(), [`0e/${ID}`, "records.jsonl"]);
  assertEquals(Deno.readTextFileSync(spool.pathOf(ID)), "bytes");
  assertEquals(await scene.recordsOf(ID), [recordOf(ID)]);
  assertEquals([spool.sizeOf(ID), spool.sizeOf(OTHER_ID)], [5, undefined]);
});

Deno.test("what cannot be added leaves nothing behind, nor does what has another hash than it must", async () => {
  await using scene = new Scene();
  const path = scene.dir.write("capture.png", "bytes");
  using file = openRegularFile(path);
  Deno.writeTextFileSync(path, "more", { append: true });
  await assertRejects(() => scene.spool.addFile(ID, file), Error, "written to");
  await assertRejects(
    () => scene.add(ID, "bytes", "00".repeat(32)),
    CaptureFileError,
    "it was changed after it was handed over",
  );
  assertEquals(scene.files(), []);
});

Deno.test("an id gets no second entry, and the first one keeps its bytes", async () => {
  await using scene = new Scene();
  await scene.add(ID);
  await assertRejects(() => scene.add(ID, "other"), TypeError, "twice");
  assertEquals(Deno.readTextFileSync(scene.spool.pathOf(ID)), "bytes");
});

Deno.test("no id leads out of the spool", async () => {
  await using scene = new Scene();
  const { dir, spool } = scene;
  const secret = dir.write("secret", "kept");
  dir.write("secret.part", "kept");
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
    `${ID}\n`,
    `${ID}.part`,
  ];
  for (const id of bad) {
    assert(!spool.canHold(id), id);
    await assertRejects(() => scene.add(id), TypeError, "a UUID");
    assertThrows(() => spool.pathOf(id), TypeError, "a UUID");
    assertThrows(() => spool.folderOf(id), TypeError, "a UUID");
    assertThrows(() => spool.remove([id]), TypeError, "a UUID");
    await assertRejects(
      () => spool.removeDelivered(id),
      TypeError,
      "a UUID",
    );
    assertThrows(() => spool.moveToOrphans(id), TypeError, "a UUID");
    assertThrows(() => spool.commit([recordOf(id)]), TypeError, "a UUID");
    assertEquals(spool.sizeOf(id), undefined);
    assertEquals(await scene.recordsOf(id), []);
  }
  assertEquals(Deno.readTextFileSync(secret), "kept");
  assertEquals(scene.files(), []);
  assertEquals(
    [...Deno.readDirSync(dir.path)].map(({ name }) => name).sort(),
    ["capture.png", "secret", "secret.part", "spool"],
  );
});

Deno.test("Spool.remove() removes entries, and minds nothing that is missing", async () => {
  await using scene = new Scene();
  const { spool } = scene;
  for (const id of [ID, OTHER_ID]) await scene.add(id);
  spool.remove([ID]);
  spool.remove([ID, OTHER_ID]);
  spool.remove(["00000000-0000-4000-8000-000000000000"]);
  assertEquals(scene.files(), []);
});

Deno.test("Spool.removeDelivered() removes entries, and minds nothing that is missing", async () => {
  await using scene = new Scene();
  const { spool } = scene;
  for (const id of [ID, OTHER_ID]) await scene.add(id);
  // However large they are said to be.
  await spool.removeDelivered(ID);
  await spool.removeDelivered(ID);
  await spool.removeDelivered(OTHER_ID);
  assertEquals(scene.files(), []);
});

Deno.test("Spool.removeDelivered() tells what goes wrong", async () => {
  await using scene = new Scene();
  // What is not empty is not removed.
  scene.dir.write(`spool/0e/${ID}/file`, "in its place");
  await assertRejects(() => scene.spool.removeDelivered(ID));
});

Deno.test("Spool.compactRecords() keeps the records of entries that are there, and of those that are just being moved in", async () => {
  await using scene = new Scene();
  const { spool } = scene;
  const filepath = "/captures/" + "x".repeat(200_000);
  await scene.add(ID);
  const third = "00000000-0000-4000-8000-000000000000";
  const young = { ...recordOf(third), createdAtMs: Date.now() };
  spool.commit([
    ...[ID, OTHER_ID].map((id) => ({ ...recordOf(id), filepath })),
    young,
  ]);
  await spool.compactRecords();
  assertEquals(await scene.recordsOf(ID), [{ ...recordOf(ID), filepath }]);
  assertEquals(await scene.recordsOf(OTHER_ID), []);
  assertEquals(await scene.recordsOf(third), [young]);
});

Deno.test("Spool.ids() names entries, whole or not, and nothing else", async () => {
  await using scene = new Scene();
  const { dir, spool } = scene;
  await scene.add(ID);
  spool.commit([recordOf(ID)]);
  await scene.add(OTHER_ID);
  dir.write("spool/0e/notes.txt", "somebody else's");
  dir.write(`spool/0e/${OTHER_ID}`, "in the wrong place");
  dir.write(`spool/orphans/${OTHER_ID}`, "set aside");
  dir.write("spool/README", "somebody else's");
  assertEquals([...spool.ids()].flat().sort(), [ID, OTHER_ID]);
});

Deno.test("Spool.ids() removes what was half copied long ago, and leaves alone what may be in the making", async () => {
  await using scene = new Scene();
  const name = `0e/${ID}.part`;
  scene.dir.write(`spool/${name}`, "half");
  assertEquals([...scene.spool.ids()].flat(), []);
  assertEquals(scene.files(), [name]);
  const tomorrow = Date.now() + 86_400_000;
  assertEquals([...scene.spool.ids({ nowMs: tomorrow })].flat(), []);
  assertEquals(scene.files(), []);
});

Deno.test("Spool.moveToOrphans() keeps an entry, with its record if it has one, and orphans() counts it", async () => {
  await using scene = new Scene();
  const { spool } = scene;
  assertEquals(spool.orphans.count, 0);
  for (const id of [ID, OTHER_ID]) await scene.add(id);
  spool.moveToOrphans(ID, recordOf(ID));
  spool.moveToOrphans(OTHER_ID);
  assertEquals(scene.files(), [
    `orphans/${ID}`,
    `orphans/${ID}.json`,
    `orphans/${OTHER_ID}`,
  ]);
  const kept = scene.dir.join("spool", "orphans", `${ID}.json`);
  assertEquals(JSON.parse(Deno.readTextFileSync(kept)), recordOf(ID));
  assertEquals(spool.orphans.count, 2);
});

Deno.test("Spool.isInTheMaking() goes by the time that nobody can set, and by no clock that was set back", async () => {
  await using scene = new Scene();
  const { spool } = scene;
  await scene.add(ID);
  Deno.utimeSync(spool.pathOf(ID), new Date(0), new Date(0));
  const nowMs = Date.now();
  const hours = [0, 1, -1].map((hours) => nowMs + hours * 3_600_000);
  assertEquals(hours.map((ms) => spool.isInTheMaking(ID, ms)), [
    true,
    false,
    false,
  ]);
});

Deno.test("Spool.freeBytes() tells the room that the disk has", async () => {
  await using scene = new Scene();
  assert(scene.spool.freeBytes() > 0);
});

/** Runs a process that works in a spool until it is told to end, or is killed. */
async function occupy(dir: string, end: "dispose" | "kill"): Promise<void> {
  const module = import.meta.resolve("../../sync/spool/spool.ts");
  const code = `import { Spool } from ${JSON.stringify(module)};
    using spool = new Spool(${JSON.stringify(dir)});
    spool.occupants.enter();
    console.log("entered");
    await Deno.stdin.read(new Uint8Array(1));`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", ...bindingFlags(), code],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  if (end === "kill") child.kill("SIGKILL");
  await child.stdin.close().catch(() => {});
  await child.status;
  await reader.cancel();
}

Deno.test("a process that was killed while it worked in the spool is noticed once; one that was done, or is at work, is not", async () => {
  await using scene = new Scene();
  const { occupants, dir } = scene.spool;
  const other = new Spool(dir);
  other.occupants.enter();
  occupants.enter();
  assertEquals(await occupants.forgetKilled(), false);
  await occupy(dir, "dispose");
  assertEquals(await occupants.forgetKilled(), false);
  await occupy(dir, "kill");
  assertEquals(await occupants.forgetKilled(), true);
  assertEquals(await occupants.forgetKilled(), false);
  other.occupants.leaveUnfinished();
  other[Symbol.dispose]();
  assertEquals(await occupants.forgetKilled(), true);
});

Deno.test("a copy that is removed before its first byte is written is made anew", async () => {
  await using scene = new Scene();
  using file = openRegularFile(scene.dir.write("capture.png", "bytes"));
  const part = `${scene.spool.pathOf(ID)}.part`;
  let isRemoved = false;
  const beforeCopy = () => {
    if (!isRemoved) Deno.removeSync(part);
    isRemoved = true;
  };
  const sha256 = await scene.spool.addFile(ID, file, { beforeCopy });
  assertEquals([sha256, isRemoved], [sha256Of("bytes"), true]);
});

Deno.test("a copy that is removed before it is complete, as by a clock that was set it seems old, is made anew", async () => {
  await using scene = new Scene();
  using file = openRegularFile(scene.dir.write("capture.png", "bytes"));
  const stat = file.stat.bind(file);
  let isRemoved = false;
  file.stat = () => {
    if (!isRemoved) Deno.removeSync(`${scene.spool.pathOf(ID)}.part`);
    isRemoved = true;
    return stat();
  };
  assertEquals(await scene.spool.addFile(ID, file), sha256Of("bytes"));
  assertEquals(isRemoved, true);
  assertEquals(Deno.readTextFileSync(scene.spool.pathOf(ID)), "bytes");
});
