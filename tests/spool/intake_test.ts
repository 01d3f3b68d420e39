import { assert, assertEquals, assertRejects } from "@std/assert";
import { basename, isAbsolute } from "@std/path";
import {
  CaptureFileError,
  CaptureReadError,
} from "../../sync/capture/errors.ts";
import { onReached } from "../../sync/host/fault_point.ts";
import { libc } from "../../sync/host/libc.ts";
import { openRegularFile } from "../../sync/host/opened_file.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { DatabaseError } from "../../sync/queue/sqlite.ts";
import { Intake } from "../../sync/spool/intake.ts";
import { eventually } from "../helpers/eventually.ts";
import { sha256Of } from "../../sync/host/sha256.ts";
import { StoreFixture } from "../helpers/store_fixture.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** What is in the spool: nothing but the entries of these ids. */
Deno.test("Intake.add() queues a file with its hash and identity, and keeps a record of all that", async () => {
  await using fixture = new StoreFixture();
  const { queue, spool, intake } = fixture;
  const path = fixture.dir.write("door.png", "bytes");
  const { identity } = openRegularFile(path);
  const id = await intake.add(path, '{"door":3}');
  const capture = queue.get(id)!;
  const sha256 = sha256Of(encode("bytes"));
  assertEquals(capture.filepath, path);
  assertEquals(capture.metadataJson, '{"door":3}');
  assertEquals([capture.identity, capture.sha256], [identity, sha256]);
  assertEquals([capture.spooled, capture.watched], [true, false]);
  assertEquals(fixture.bytesOf(id), "bytes");
  fixture.assertSpooled([id]);
  const records = (await Array.fromAsync(spool.records())).flat();
  assertEquals(records, [{
    id,
    filepath: path,
    metadataJson: '{"door":3}',
    createdAtMs: Date.parse(capture.createdAt),
    hostname: Deno.hostname(),
    watched: false,
    sha256,
    identity,
  }]);
});

/** What a maker may do to a file that it has handed over. */
const AFTERWARDS: Record<string, (path: string) => void> = {
  "overwrites it in place": (path) => {
    using file = Deno.openSync(path, { write: true });
    file.writeSync(encode("SECOND"));
  },
  "writes it anew": (path) => Deno.writeTextFileSync(path, "second"),
  "truncates it": (path) => Deno.truncateSync(path, 0),
  "appends to it": (path) =>
    Deno.writeTextFileSync(path, "more", { append: true }),
  "renames it": (path) => Deno.renameSync(path, `${path}.old`),
  "deletes it": (path) => Deno.removeSync(path),
  "replaces it by another": (path) => {
    Deno.writeTextFileSync(`${path}.tmp`, "second");
    Deno.renameSync(`${path}.tmp`, path);
  },
};

for (const [what, act] of Object.entries(AFTERWARDS)) {
  Deno.test(`what was handed over stays as it was when its maker ${what}`, async () => {
    await using fixture = new StoreFixture();
    const path = fixture.dir.write("latest.jpg", "first");
    const link = fixture.dir.join("another name.jpg");
    Deno.linkSync(path, link);
    const ids = [
      await fixture.intake.add(path, "{}"),
      await fixture.intake.add(link, "{}"),
    ];
    act(path);
    assertEquals(ids.map((id) => fixture.bytesOf(id)), ["first", "first"]);
  });
}

Deno.test("a file that is handed over again and again under one name is another capture each time", async () => {
  await using fixture = new StoreFixture();
  const frames = ["frame 1", "frame 2", "frame 3"];
  const ids = [];
  for (const frame of frames) {
    const path = fixture.dir.write("latest.jpg", frame);
    ids.push(await fixture.intake.add(path, "{}"));
  }
  assertEquals(ids.map((id) => fixture.bytesOf(id)), frames);
  assertEquals(
    ids.map((id) => fixture.queue.get(id)?.sha256),
    frames.map((frame) => sha256Of(encode(frame))),
  );
});

Deno.test("Intake.add() takes files of 0 bytes, of odd names, with holes, and what a link leads to", async () => {
  await using fixture = new StoreFixture();
  const { dir, intake, queue } = fixture;
  const long = "x".repeat(251) + ".png";
  const odd = ["empty", long, "a\nb", " ", "-", "ü\u202e.png"];
  for (const name of odd) {
    const id = await intake.add(dir.write(name, ""), "{}");
    assertEquals(basename(queue.get(id)!.filepath), name);
    assertEquals(queue.get(id)!.size, 0);
  }
  const sparse = dir.write("sparse", "");
  Deno.truncateSync(sparse, 100_000);
  const id = await intake.add(sparse, "{}");
  assertEquals(fixture.bytesOf(id), "\0".repeat(100_000));
  Deno.symlinkSync(dir.write("IMG 1.png", "bytes"), dir.join("door.png"));
  const linked = await intake.add(dir.join("door.png"), "{}");
  Deno.removeSync(dir.join("IMG 1.png"));
  assertEquals(fixture.bytesOf(linked), "bytes");
  assertEquals(basename(queue.get(linked)!.filepath), "door.png");
});

Deno.test("Intake.add() by reference leaves the file in its place, and knows it by its real path, its identity and its content", async () => {
  await using fixture = new StoreFixture();
  const { dir, intake, queue } = fixture;
  const path = dir.write("real/IMG 1.png", "bytes");
  Deno.symlinkSync(dir.join("real"), dir.join("folder"));
  Deno.symlinkSync(dir.join("folder", "IMG 1.png"), dir.join("door.png"));
  const { identity } = openRegularFile(path);
  const before = Deno.cwd();
  Deno.chdir(dir.path);
  try {
    const id = await intake.add("./door.png", "{}", { mode: "reference" });
    const capture = queue.get(id)!;
    assert(isAbsolute(capture.filepath), capture.filepath);
    assertEquals(capture.filepath, Deno.realPathSync(path));
    assertEquals(capture.identity, identity);
    assertEquals(capture.spooled, false);
    assertEquals(capture.sha256, sha256Of("bytes"));
  } finally {
    Deno.chdir(before);
  }
  fixture.assertSpooled([]);
});

Deno.test("Intake.add() refuses what cannot be delivered, and nothing is left of it", async () => {
  await using fixture = new StoreFixture();
  const { dir, intake } = fixture;
  const path = dir.write("door.png", "bytes");
  for (const mode of ["copy", "move", "reference"] as const) {
    const options = { mode };
    for (
      const [bad, words] of [
        [dir.join("missing.png"), "no such file"],
        [dir.path, "a directory"],
        [
          `${path}/below`,
          libc ? "a file or a link is on the way" : "Not a directory",
        ],
        ...libc ? [["/dev/null", "not a regular file"]] : [],
        ["a\0b", "NUL"],
      ]
    ) {
      await assertRejects(
        () => intake.add(bad!, "{}", options),
        CaptureFileError,
        words,
      );
    }
    const large = JSON.stringify({ text: "x".repeat(1024 * 1024) });
    await assertRejects(() => intake.add(path, large, options), RangeError);
    for (const bad of ["[]", "{", "null", ""]) {
      await assertRejects(() => intake.add(path, bad, options), TypeError);
    }
  }
  assertEquals(fixture.queue.getStats().pending, 0);
  fixture.assertSpooled([]);
});

Deno.test({
  name:
    "Intake.add() gives up on a file that goes on growing, and takes one that is done soon",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using fixture = new StoreFixture();
    const { dir, intake } = fixture;
    const before = 32 * 1024 * 1024;
    // So large that its maker has a turn while it is copied, on a busy machine too.
    const path = dir.write("log", new Uint8Array(before));
    const maker = new Deno.Command("sh", {
      args: ["-c", 'while :; do echo more; done >> "$0"', path],
    }).spawn();
    const size = () => Deno.statSync(path).size;
    await eventually("the file grows", () => size() > before);
    await assertRejects(
      () => intake.add(path, "{}"),
      CaptureReadError,
      "it is still being written to",
    );
    fixture.assertSpooled([]);
    const id = intake.add(path, "{}");
    maker.kill("SIGKILL");
    await maker.status;
    assertEquals(fixture.bytesOf(await id), Deno.readTextFileSync(path));
  },
});

Deno.test("Intake.remove() removes captures with their copies, and leaves originals alone", async () => {
  await using fixture = new StoreFixture();
  const { intake, queue } = fixture;
  const path = fixture.dir.write("door.png", "bytes");
  const spooled = await intake.add(path, "{}");
  const kept = await intake.add(path, "{}");
  const inPlace = await intake.add(path, "{}", { mode: "reference" });
  const removed = intake.remove([spooled, "unknown", inPlace]);
  assertEquals(removed, [spooled, inPlace]);
  assertEquals(queue.captures().toArray().map(({ id }) => id), [kept]);
  fixture.assertSpooled([kept]);
  assertEquals(Deno.readTextFileSync(path), "bytes");
});

Deno.test("Intake.remove() removes what an agent takes up again in the midst of it", async () => {
  await using fixture = new StoreFixture();
  const { intake, queue } = fixture;
  const path = fixture.dir.write("door.png", "bytes");
  const id = await intake.add(path, "{}");
  onReached((step) => {
    if (step !== "row-removed") return;
    const capture = { id, filepath: path, metadataJson: "{}", spooled: true };
    queue.enqueueMany([capture]);
  });
  try {
    assertEquals(intake.remove([id]), [id]);
  } finally {
    onReached(() => {});
  }
  assertEquals(queue.captures().toArray(), []);
  fixture.assertSpooled([]);
});

Deno.test("Intake.remove() removes a capture whose id is another program's, and no file", async () => {
  await using fixture = new StoreFixture();
  const id = "../../door.png";
  const path = fixture.dir.write("door.png", "bytes");
  fixture.queue.enqueue(path, {}, { id, spooled: true });
  assertEquals(fixture.intake.remove([id]), [id]);
  assertEquals(Deno.readTextFileSync(path), "bytes");
});

Deno.test("Intake.remove() of what failed long ago takes its copies, too", async () => {
  await using fixture = new StoreFixture();
  const { intake, queue } = fixture;
  const [failed, pending] = [
    await fixture.take("one"),
    await fixture.take("two"),
  ];
  queue.complete([{ id: failed, kind: "discard", error: "HTTP 422" }]);
  assertEquals(intake.remove([...queue.oldFailed(7)].flat()), []);
  fixture.assertSpooled([failed, pending]);
  fixture.aheadMs = 8 * 86_400_000;
  assertEquals(intake.remove([...queue.oldFailed(7)].flat()), [failed]);
  fixture.assertSpooled([pending]);
});

Deno.test("what could not be queued in a damaged queue is not left for the next one, besides what is tried again", async () => {
  await using fixture = new StoreFixture();
  const { queue, spool, dir } = fixture;
  for (let n = 0; n < 200; n++) queue.enqueue(`/captures/${n}`, {});
  queue.close();
  const path = dir.write("door.png", "bytes");
  using damaged = new UploadQueue(queue.path);
  // All pages but the first, which tells what tables there are.
  const bytes = Deno.readFileSync(queue.path);
  Deno.writeFileSync(queue.path, bytes.fill(0xa5, 4096));
  const intake = new Intake(damaged, spool, { minFreeBytes: 0 });
  for (const mode of ["copy", "move"] as const) {
    await assertRejects(
      () => intake.add(path, "{}", { mode }),
      DatabaseError,
      "damaged",
    );
    fixture.assertSpooled([]);
    assertEquals(Deno.readTextFileSync(path), "bytes");
  }
});
