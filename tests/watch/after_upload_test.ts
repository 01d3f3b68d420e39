import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { exists } from "../../sync/host/files.ts";
import { openRegularFile } from "../../sync/host/opened_file.ts";
import { readHashed, sha256Of } from "../../sync/host/sha256.ts";
import {
  type AfterUpload,
  TidyUp,
  type TidyUpOptions,
} from "../../sync/watch/after_upload.ts";
import type { DeliveredFile } from "../../sync/watch/delivered_file.ts";
import { WatchedRoot } from "../../sync/watch/watched_root.ts";
import { canBeImmutable, Immutable } from "../helpers/immutable.ts";
import {
  CAN_GIVE_AWAY,
  NEIGHBOUR,
  neighboursLink,
} from "../helpers/neighbour.ts";
import { SmallDisk } from "../chaos/small_disk.ts";
import { TempDir } from "../helpers/temp_dir.ts";
import { WatchedFolder } from "../helpers/watched_folder.ts";

const onLinux = Deno.build.os === "linux";
const OTHER_FILE_SYSTEM = "/dev/shm";

/** Every file below a folder with its content. */
function contents(path: string, below = ""): Record<string, string> {
  const entries = [...Deno.readDirSync(`${path}/${below}`)].map(
    ({ name, isDirectory }) =>
      isDirectory
        ? contents(path, `${below}${name}/`)
        : { [below + name]: Deno.readTextFileSync(`${path}/${below}${name}`) },
  );
  return Object.assign({}, ...entries);
}

/** A file as it would be delivered now. */
async function delivered(
  path: string,
  metadataJson = "{}",
): Promise<DeliveredFile> {
  using file = openRegularFile(path);
  const { identity } = file;
  const { sha256 } = await readHashed(file);
  const metadataSha256 = sha256Of(metadataJson);
  const { size, mtimeMs } = identity;
  const version = { size, mtimeMs, sha256, metadataSha256 };
  return { ...version, id: path, path, identity, sinceMs: 0 };
}

function moveTo(dir: string): AfterUpload {
  return { kind: "move", dir };
}

/** What tidies up in a folder, and what it says. */
function tidier(
  policy: AfterUpload,
  path: string,
  { hasChanged }: Pick<TidyUpOptions, "hasChanged"> = {},
): {
  /** Tidies a file up, and returns whether it is gone then. */
  tidy: (file: DeliveredFile) => Promise<boolean>;
  tidyUp: TidyUp;
  said: string[];
  clock: { ms: number };
  /** The captures that need files, by path or number. */
  needed: Map<string, string>;
  remaining: () => ReturnType<TidyUp["remaining"]>;
} {
  const clock = { ms: 0 };
  const said: string[] = [];
  const gone = new Set<string>();
  const log = (_: string, text: string) => void said.push(text);
  const roots = [new WatchedRoot(path, log)];
  const onGone = ({ id }: DeliveredFile) => void gone.add(id);
  const now = () => clock.ms;
  const needed = new Map<string, string>();
  const neededBy = (path: string, file?: { fileId: string }) =>
    needed.get(path) ?? needed.get(file?.fileId ?? "");
  const options = { roots, neededBy, onGone, log, now, hasChanged };
  const tidyUp = new TidyUp(policy, options);
  const tidy = async (file: DeliveredFile) => {
    gone.delete(file.id);
    await tidyUp.tidy(file);
    return gone.has(file.id);
  };
  const remaining = () => tidyUp.remaining(roots[0]!);
  return { tidy, tidyUp, said, clock, needed, remaining };
}

Deno.test("TidyUp keeps a file by default, and deletes it with its sidecar if told to", async () => {
  await using folder = new WatchedFolder();
  const path = folder.write("sub/a.png");
  folder.write("sub/a.png.json", '{"door": 3}');
  folder.write("b.png");
  const file = await delivered(path, '{"door": 3}');
  await tidier({ kind: "keep" }, folder.path).tidy(file);
  assertEquals(Object.keys(contents(folder.path)).length, 3);
  const { tidy } = tidier({ kind: "delete" }, folder.path);
  assertEquals(await tidy(file), true);
  assertEquals(contents(folder.path), { "b.png": "b.png" });
});

Deno.test("TidyUp takes a file whose disk was mounted meanwhile by its content alone", async () => {
  await using folder = new WatchedFolder();
  const file = await delivered(folder.write("a.png"));
  const hasChanged = () => true;
  const { tidy } = tidier({ kind: "delete" }, folder.path, { hasChanged });
  const other = { ...file, sha256: sha256Of("another disk's") };
  assertEquals(await tidy(other), false);
  assertEquals(await tidy({ ...file, sha256: null }), false);
  assertEquals(contents(folder.path), { "a.png": "a.png" });
  assertEquals(await tidy(file), true);
  assertEquals(contents(folder.path), {});
});

Deno.test("TidyUp leaves another file that has taken the name, size and time of the one that was delivered", async () => {
  await using folder = new WatchedFolder();
  const { tidy, said } = tidier({ kind: "delete" }, folder.path);
  for (const name of ["exchanged", "overwritten", "grown"]) {
    const path = folder.write(name, "frame 1");
    const { mtime } = Deno.statSync(path);
    const file = await delivered(path);
    // The clock that files get their times from ticks slowly.
    await delay(20);
    // The file itself stays, or its number would be the next one's.
    if (name === "exchanged") Deno.renameSync(path, folder.join(".old"));
    folder.write(name, name === "grown" ? "frame 12" : "frame 2");
    Deno.utimeSync(path, mtime!, mtime!);
    assertEquals(await tidy(file), false);
  }
  assertEquals(Object.keys(contents(folder.path)).sort(), [
    ".old",
    "exchanged",
    "grown",
    "overwritten",
  ]);
  assertEquals(said, []);
});

Deno.test("TidyUp leaves another name of a file, with a sidecar that was never sent, both in their place", async () => {
  await using folder = new WatchedFolder();
  const path = folder.write("b.png");
  folder.write("b.png.json", '{"door": 4}');
  const { tidy } = tidier({ kind: "delete" }, folder.path);
  const file = { ...await delivered(path, '{"door": 3}'), isOtherName: true };
  for (const metadataSha256 of [file.metadataSha256, null]) {
    assertEquals(await tidy({ ...file, metadataSha256 }), false);
  }
  assertEquals(Object.keys(contents(folder.path)).length, 2);
  folder.write("b.png.json", '{"door": 3}');
  assertEquals(await tidy(file), true);
  assertEquals(contents(folder.path), {});
});

Deno.test("TidyUp knows a file by its content that was touched since", async () => {
  await using folder = new WatchedFolder();
  const path = folder.write("a.png");
  const file = await delivered(path);
  Deno.utimeSync(path, 1, 1);
  const { tidy } = tidier({ kind: "delete" }, folder.path);
  assertEquals(await tidy({ ...file, sha256: null }), false);
  assertEquals(await tidy(file), true);
  assertEquals(contents(folder.path), {});
});

Deno.test("TidyUp leaves a sidecar that is not what was delivered as metadata", async () => {
  await using folder = new WatchedFolder();
  const texts = ['{"door": 4}', "broken {", '{"late": true}'];
  const sent = ['{"door": 3}', "{}", "{}"];
  const { tidy } = tidier({ kind: "delete" }, folder.path);
  for (const [n, text] of texts.entries()) {
    const path = folder.write(`${n}.png`);
    folder.write(`${n}.png.json`, text);
    assertEquals(await tidy(await delivered(path, sent[n]!)), true);
  }
  assertEquals(Object.values(contents(folder.path)).sort(), texts.sort());
});

Deno.test({
  name: "TidyUp leaves a file that somebody has open for writing",
  ignore: !onLinux,
  async fn() {
    await using folder = new WatchedFolder();
    const path = folder.write("a.png");
    const file = await delivered(path);
    const { tidy } = tidier({ kind: "delete" }, folder.path);
    {
      using _writer = Deno.openSync(path, { append: true });
      assertEquals(await tidy(file), false);
    }
    assertEquals(await tidy(file), true);
  },
});

Deno.test({
  name:
    "TidyUp removes and moves nothing outside the watched folders, whatever a row says or a link leads to",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = new WatchedFolder();
    const secret = folder.writeOutside("secret/a.png");
    folder.write("sub/a.png");
    const inSub = await delivered(secret);
    Deno.removeSync(folder.join("sub"), { recursive: true });
    Deno.symlinkSync(folder.outside("secret"), folder.join("sub"));
    const paths = [
      secret,
      folder.join("sub", "a.png"),
      `${folder.path}/../outside/secret/a.png`,
      folder.path,
      `${folder.path}2/a.png`,
    ];
    for (const policy of [moveTo(folder.outside("done")), { kind: "delete" }]) {
      const { tidy } = tidier(policy as AfterUpload, folder.path);
      for (const path of paths) {
        assertEquals(await tidy({ ...inSub, path }), false);
      }
    }
    assertEquals(contents(folder.outside()), {
      "secret/a.png": "secret/a.png",
    });
  },
});

Deno.test("TidyUp has nothing to do with a file that has gone, nor while its folder has", async () => {
  await using folder = new WatchedFolder();
  const file = await delivered(folder.write("a.png"));
  Deno.removeSync(file.path);
  const { tidy, said } = tidier({ kind: "delete" }, folder.path);
  assertEquals(await tidy(file), false);
  assertEquals(said, []);
  Deno.removeSync(folder.path);
  assertEquals(await tidy(file), false);
});

Deno.test("TidyUp leaves what another capture still needs, the sidecar too, says so once, and takes it when that has gone", async () => {
  for (const by of ["path", "number", "sidecar"]) {
    await using folder = new WatchedFolder();
    const path = folder.write("a.png");
    folder.write("a.png.json", "{}");
    const file = await delivered(path);
    const { tidy, tidyUp, said, clock, needed } = tidier(
      { kind: "delete" },
      folder.path,
    );
    const { fileId } = file.identity as { fileId: string };
    const what = { path, number: fileId, sidecar: `${path}.json` }[by]!;
    needed.set(what, "the id");
    assertEquals(await tidy(file), false);
    assertEquals(await tidy(file), false);
    clock.ms += 60_000;
    await tidyUp.retry();
    assertEquals(Object.keys(contents(folder.path)).length, 2, by);
    assertEquals(said.length, 1);
    assertStringIncludes(said[0]!, `the capture "the id"`);
    needed.clear();
    clock.ms += 60_000;
    await tidyUp.retry();
    assertEquals(contents(folder.path), {}, by);
  }
});

for (const kind of ["delete", "move"]) {
  Deno.test({
    name:
      `TidyUp takes a file one of whose names comes and goes all the time (${kind})`,
    ignore: !onLinux,
    async fn() {
      await using folder = new WatchedFolder();
      await using done = new TempDir();
      const policy: AfterUpload = kind === "move"
        ? moveTo(done.join("done"))
        : { kind: "delete" };
      const { tidy, tidyUp, clock } = tidier(policy, folder.path);
      const loop = 'while ln "$0" "$1"; do rm "$1"; done 2> /dev/null';
      const names = [..."abcdefghijklmnopqrst"];
      for (const name of names) {
        const path = folder.write(name);
        const file = await delivered(path);
        const args = ["-c", loop, path, folder.join(`.${name}`)];
        const others = new Deno.Command("sh", { args }).spawn();
        await delay(5);
        await tidy(file);
        // It may be unlucky, but then it is tried again.
        for (let n = 0; n < 50 && exists(path); n++) {
          clock.ms += 3_600_000;
          await tidyUp.retry();
        }
        assertEquals(exists(path), false);
        await others.status;
      }
      const moved = kind === "move" ? names : [];
      const left = kind === "move" ? contents(done.join("done")) : {};
      assertEquals(Object.keys(left).sort(), moved);
    },
  });
}

Deno.test("TidyUp moves a file with its sidecar, and overwrites nothing", async () => {
  await using folder = new WatchedFolder();
  const done = folder.outside("done", "2026");
  const { tidy } = tidier(moveTo(done), folder.path);
  for (const day of [1, 1, 2, 2]) {
    const path = folder.write("a.png", `of day ${day}`);
    folder.write("a.png.json", `{"day": ${day}}`);
    Deno.utimeSync(path, day * 86_400, day * 86_400);
    assert(await tidy(await delivered(path, `{"day": ${day}}`)));
  }
  assertEquals(contents(done), {
    "a.png": "of day 1",
    "a.png.json": '{"day": 1}',
    "a 1970-01-02T00-00-00.000Z.png": "of day 1",
    "a 1970-01-02T00-00-00.000Z.png.json": '{"day": 1}',
    "a 1970-01-03T00-00-00.000Z.png": "of day 2",
    "a 1970-01-03T00-00-00.000Z.png.json": '{"day": 2}',
    "a 1970-01-03T00-00-00.000Z (2).png": "of day 2",
    "a 1970-01-03T00-00-00.000Z (2).png.json": '{"day": 2}',
  });
  assertEquals(contents(folder.path), {});
});

Deno.test("TidyUp pairs no sidecar with the wrong file", async () => {
  await using folder = new WatchedFolder();
  const done = folder.outside("done");
  folder.writeOutside("done/a.png.json", "of another a.png");
  const path = folder.write("a.png", "a");
  folder.write("a.png.json", "{}");
  Deno.utimeSync(path, 0, 0);
  await tidier(moveTo(done), folder.path).tidy(await delivered(path));
  assertEquals(contents(done), {
    "a.png.json": "of another a.png",
    "a 1970-01-01T00-00-00.000Z.png": "a",
    "a 1970-01-01T00-00-00.000Z.png.json": "{}",
  });
});

Deno.test("TidyUp brings a file to its sidecar that was moved before a crash", async () => {
  await using folder = new WatchedFolder();
  const path = folder.write("a.png", "a");
  folder.writeOutside("done/a.png.json", "{}");
  const { tidy } = tidier(moveTo(folder.outside("done")), folder.path);
  await tidy(await delivered(path));
  assertEquals(contents(folder.outside("done")), {
    "a.png": "a",
    "a.png.json": "{}",
  });
});

Deno.test("TidyUp moves files with the longest names, and with times that no date has", async () => {
  await using folder = new WatchedFolder();
  const done = folder.outside("done");
  const { tidy, said } = tidier(moveTo(done), folder.path);
  const names = [
    `${"\u00e9".repeat(120)}.${"x".repeat(10)}`,
    `a.${"x".repeat(253)}`,
  ];
  for (let i = 0; i < 6; i++) {
    const name = names[i % 2]!;
    const path = folder.write(name, `${i}`);
    Deno.utimeSync(path, 8_640_000_000_001, 8_640_000_000_001);
    await tidy(await delivered(path));
  }
  assertEquals(said, []);
  assertEquals(
    Object.values(contents(done)).sort(),
    ["0", "1", "2", "3", "4", "5"],
  );
});

Deno.test("TidyUp says once that a folder's files cannot go, and tries again at lengthening times", async () => {
  await using folder = new WatchedFolder();
  const done = folder.writeOutside("done", "no folder");
  const { tidy, tidyUp, said, clock, remaining } = tidier(
    moveTo(done),
    folder.path,
  );
  const files: DeliveredFile[] = [];
  for (let i = 0; i < 300; i++) {
    files.push(await delivered(folder.write(`${i}.png`)));
  }
  for (const waitMs of [59_000, 2_000, 118_000]) {
    // As each scan finds them again.
    for (const file of files) assertEquals(await tidy(file), false);
    clock.ms += waitMs;
    await tidyUp.retry();
  }
  assertEquals(said.length, 1);
  assertStringIncludes(
    said[0]!,
    `Cannot move "${folder.join("0.png")}", which is delivered`,
  );
  const left = () => Object.keys(contents(folder.path)).length;
  assertEquals(left(), 300);
  assertEquals(remaining().remaining, 300);
  assertStringIncludes(said[0]!, remaining().firstRemaining!.reason);
  Deno.removeSync(done);
  await tidyUp.retry();
  assertEquals(left(), 300);
  clock.ms += 3_000;
  await tidyUp.retry();
  assertEquals(left(), 0);
  assertEquals(remaining(), { remaining: 0, firstRemaining: null });
});

Deno.test({
  name: "TidyUp is not held up by a file in the same folder that cannot go",
  ignore: !canBeImmutable(),
  async fn() {
    await using folder = new WatchedFolder();
    const { tidy, tidyUp, said, clock } = tidier(
      { kind: "delete" },
      folder.path,
    );
    const locked = await delivered(folder.write("locked"));
    using _immutable = new Immutable(locked.path);
    for (const name of ["a", "b", "c"]) {
      assertEquals(await tidy(locked), false);
      assert(await tidy(await delivered(folder.write(name))), name);
      clock.ms += 3_600_000;
      await tidyUp.retry();
    }
    assertEquals(said.length, 1);
  },
});

Deno.test({
  name:
    "TidyUp moves a file to another file system, with time and mode and nothing left over",
  ignore: !onLinux,
  async fn() {
    await using folder = new WatchedFolder();
    await using other = new TempDir(OTHER_FILE_SYSTEM);
    const path = folder.write("a.png", "a");
    folder.write("a.png.json", "{}");
    // The umask takes some of it away.
    Deno.chmodSync(path, 0o666);
    Deno.utimeSync(path, 1, 1);
    // What earlier attempts left behind, and what somebody is writing.
    const part = (n: number) =>
      `.jarvis-${crypto.randomUUID().replace(/^./, `${n}`)}.part`;
    const [left, written] = [part(1), part(2)];
    other.write(left, "half of it");
    using _writer = Deno.openSync(other.write(written, ""), { append: true });
    await tidier(moveTo(other.path), folder.path).tidy(await delivered(path));
    assertEquals(contents(other.path), {
      "a.png": "a",
      "a.png.json": "{}",
      [written]: "",
    });
    const { mtime, mode } = Deno.statSync(other.join("a.png"));
    assertEquals([mtime!.getTime(), mode! & 0o777], [1000, 0o666]);
    assertEquals(contents(folder.path), {});
  },
});

Deno.test({
  name:
    "TidyUp leaves a sidecar with its capture for which the disk of move:DIR has no room",
  ignore: !await SmallDisk.canMount(),
  async fn() {
    await using folder = new WatchedFolder();
    await using dir = new TempDir();
    await using disk = await SmallDisk.mount(dir.path, 1);
    const path = folder.write("a.png", "a".repeat(2 * 1024 * 1024));
    folder.write("a.png.json", "{}");
    const tidyUp = tidier(moveTo(disk!.path), folder.path);
    await tidyUp.tidy(await delivered(path));
    assertEquals(contents(disk!.path), {});
    assertEquals(Object.keys(contents(folder.path)), ["a.png", "a.png.json"]);
  },
});

Deno.test({
  name:
    "TidyUp writes through no link that somebody has planted where a file is moved to",
  ignore: !onLinux,
  async fn() {
    await using folder = new WatchedFolder();
    await using other = new TempDir(OTHER_FILE_SYSTEM);
    const precious = folder.writeOutside("precious", "precious");
    for (const name of ["a.png", ".a.png.part", "a.png.json"]) {
      Deno.symlinkSync(precious, other.join(name));
    }
    const path = folder.write("a.png", "a");
    await tidier(moveTo(other.path), folder.path).tidy(await delivered(path));
    assertEquals(Deno.readTextFileSync(precious), "precious");
    assertEquals(contents(folder.path), {});
    assertEquals(Object.values(contents(other.path)).sort(), [
      "a",
      ...Array(3).fill("precious"),
    ]);
  },
});

Deno.test({
  name:
    "TidyUp moves nothing through a link that another user has put in the place of move:DIR or on the way there, and says so",
  ignore: !CAN_GIVE_AWAY,
  async fn() {
    for (const taken of ["share/done", "share"]) {
      for (const whenever of ["before", "meanwhile"]) {
        await using folder = new WatchedFolder();
        folder.writeOutside("home/.ssh/known_hosts", "");
        folder.writeOutside("share/done/.ssh/x", "");
        const path = folder.write("authorized_keys");
        const { tidy, said } = tidier(
          moveTo(folder.outside("share/done/.ssh")),
          folder.path,
        );
        if (whenever === "meanwhile") {
          assert(await tidy(await delivered(folder.write("first"))));
        }
        Deno.renameSync(folder.outside(taken), folder.outside("old"));
        // The rest of the way is there as well.
        if (taken === "share") folder.writeOutside("home/done/.ssh/y", "");
        neighboursLink(folder.outside("home"), folder.outside(taken));
        const before = contents(folder.outside("home"));
        assertEquals(await tidy(await delivered(path)), false);
        assertEquals(contents(folder.outside("home")), before);
        assertEquals(said.length, 1);
        assertStringIncludes(said[0]!, `Cannot move "${path}"`);
        assertStringIncludes(
          said[0]!,
          `"${folder.outside(taken)}" is a symbolic link of user ${NEIGHBOUR}`,
        );
      }
    }
  },
});

Deno.test({
  name:
    "TidyUp moves nothing to a folder that another user has put in the place of move:DIR",
  ignore: !CAN_GIVE_AWAY,
  async fn() {
    await using folder = new WatchedFolder();
    const done = folder.outside("done");
    const { tidy, said } = tidier(moveTo(done), folder.path);
    assert(await tidy(await delivered(folder.write("first"))));
    Deno.renameSync(done, folder.outside("old"));
    Deno.mkdirSync(done);
    Deno.chownSync(done, NEIGHBOUR, NEIGHBOUR);
    assertEquals(await tidy(await delivered(folder.write("second"))), false);
    assertEquals(contents(done), {});
    assertStringIncludes(said[0]!, `belongs to user ${NEIGHBOUR} now`);
  },
});
