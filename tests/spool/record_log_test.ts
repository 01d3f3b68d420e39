import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { bindingFlags, projectPath } from "../../scripts/task/bindings.ts";
import { RecordLog, type SpoolRecord } from "../../sync/spool/record_log.ts";
import { TempDir } from "../helpers/temp_dir.ts";
import { recordOf } from "../helpers/spool_record.ts";

async function readAll(log: RecordLog): Promise<SpoolRecord[]> {
  return (await Array.fromAsync(log.read())).flat();
}

/** As long as many records. */
const LARGE = { filepath: "x".repeat(150_000) };

Deno.test("RecordLog.read() returns the records in the order in which they came", async () => {
  await using dir = new TempDir();
  const log = new RecordLog(dir.join("records.jsonl"));
  assertEquals(await readAll(log), []);
  log.append([recordOf("a"), recordOf("b")]);
  log.append([recordOf("c", LARGE), recordOf("d")]);
  new RecordLog(dir.join("records.jsonl")).append([recordOf("e")]);
  assertEquals(await readAll(log), [
    recordOf("a"),
    recordOf("b"),
    recordOf("c", LARGE),
    recordOf("d"),
    recordOf("e"),
  ]);
});

Deno.test("a record that is damaged or cut off spoils no other", async () => {
  await using dir = new TempDir();
  const path = dir.join("records.jsonl");
  const log = new RecordLog(path);
  const damaged = [
    "{",
    "null",
    "[]",
    "no JSON",
    ...Object.keys(recordOf("x")).map((key) =>
      JSON.stringify({ ...recordOf("x"), [key]: undefined })
    ),
    ...Object.keys(recordOf("x").identity).map((key) =>
      JSON.stringify({
        ...recordOf("x"),
        identity: { ...recordOf("x").identity, [key]: null },
      })
    ),
    JSON.stringify({ ...recordOf("x"), watched: 1 }),
    JSON.stringify({ ...recordOf("x"), hostname: 1 }),
    // No queue could take it up.
    JSON.stringify({ ...recordOf("x"), createdAtMs: 1e300 }),
    JSON.stringify({ ...recordOf("x"), createdAtMs: 0.5 }),
    // As a full disk or a power cut leaves it.
    JSON.stringify(recordOf("x")).slice(0, -5),
  ];
  log.append([recordOf("a")]);
  for (const text of damaged) {
    Deno.writeTextFileSync(path, text, { append: true });
    log.append([recordOf("b")]);
  }
  const bytes = new Uint8Array([0xff, 0xfe]);
  Deno.writeFileSync(path, bytes, { append: true });
  log.append([recordOf("c")]);
  assertEquals(
    (await readAll(log)).map(({ id }) => id),
    ["a", ...damaged.map(() => "b"), "c"],
  );
});

Deno.test("a line without an end takes neither memory nor time, and spoils no other", async () => {
  await using dir = new TempDir();
  const path = dir.join("records.jsonl");
  const log = new RecordLog(path);
  log.append([recordOf("a")]);
  // Searched anew with each piece that is read, it would take minutes.
  const piece = "{" + "x".repeat(1024 * 1024);
  for (let n = 0; n < 64; n++) {
    Deno.writeTextFileSync(path, piece, { append: true });
  }
  log.append([recordOf("b")]);
  const ids = (await readAll(log)).map(({ id }) => id);
  assertEquals(ids, ["a", "b"]);
});

for (const kind of ["pipe", "link", "folder"]) {
  Deno.test({
    name: `a ${kind} in place of the log is refused, with what to do`,
    ignore: Deno.build.os === "windows",
    fn: async () => {
      await using dir = new TempDir();
      const path = dir.join("records.jsonl");
      if (kind === "folder") Deno.mkdirSync(path);
      else if (kind === "link") Deno.symlinkSync(dir.join("elsewhere"), path);
      else new Deno.Command("mkfifo", { args: [path] }).outputSync();
      const log = new RecordLog(path);
      const expected = "it is not a regular file; remove it";
      assertThrows(() => log.append([recordOf("a")]), Error, expected);
      await assertRejects(() => readAll(log), Error, expected);
    },
  });
}

Deno.test("RecordLog.compact() keeps what is live, and what is added meanwhile", async () => {
  await using dir = new TempDir();
  const path = dir.join("records.jsonl");
  const log = new RecordLog(path);
  log.append([recordOf("live"), recordOf("dead", LARGE), recordOf("dead")]);
  let added = false;
  await log.compact(({ id }) => {
    if (!added) new RecordLog(path).append([recordOf("dead"), recordOf("new")]);
    added = true;
    return id !== "dead";
  });
  const ids = (await readAll(log)).map(({ id }) => id);
  assertEquals(new Set(ids), new Set(["live", "dead", "new"]));
  assert(Deno.statSync(path).size < LARGE.filepath.length);
  assertEquals([...Deno.readDirSync(dir.path)].length, 1);
  await log.compact(() => false);
  assertEquals(await readAll(log), []);
});

Deno.test("RecordLog.compact() leaves the log as it was if it cannot be done", async () => {
  await using dir = new TempDir();
  const log = new RecordLog(dir.join("records.jsonl"));
  log.append([recordOf("a")]);
  Deno.mkdirSync(dir.join("records.jsonl.new"));
  const failure = await log.compact(() => false).catch((error) => error);
  assert(failure instanceof Error);
  assertEquals(await readAll(log), [recordOf("a")]);
});

Deno.test("RecordLog.isCompactable grows with what was left the last time", async () => {
  await using dir = new TempDir();
  const log = new RecordLog(dir.join("records.jsonl"));
  assert(!log.isCompactable);
  log.append([recordOf("a", LARGE)]);
  assert(!log.isCompactable);
  log.append([recordOf("b", LARGE)]);
  assert(log.isCompactable);
  await log.compact(() => true);
  assert(!log.isCompactable);
  log.append([recordOf("c", LARGE)]);
  assert(!log.isCompactable);
  log.append([recordOf("d", LARGE)]);
  assert(log.isCompactable);
});

Deno.test("what other processes add while the log is compacted again and again is not lost", async () => {
  await using dir = new TempDir();
  const path = dir.join("records.jsonl");
  const log = new RecordLog(path);
  const children = ["a", "b"].map((name) =>
    new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "-A",
        ...bindingFlags(),
        projectPath("tests/spool/record_child.ts"),
        path,
        name,
        "200",
      ],
    }).spawn()
  );
  const ended = Promise.all(children.map(({ status }) => status));
  let running = true;
  ended.finally(() => running = false);
  let compacted = 0;
  while (running) {
    await log.compact(() => true).then(() => compacted++, () => {});
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert((await ended).every(({ success }) => success));
  assert(compacted > 0);
  const ids = new Set((await readAll(log)).map(({ id }) => id));
  assertEquals(ids.size, 400);
});
