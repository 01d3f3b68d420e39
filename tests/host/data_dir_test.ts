import { assertEquals, assertThrows } from "@std/assert";
import { bindingFlags, projectPath } from "../../scripts/task/bindings.ts";
import { holdsQueue, prepareDataDir } from "../../sync/host/data_dir.ts";
import {
  createPrivateDir,
  createPrivateFile,
} from "../../sync/host/private_files.ts";
import { AS_PLAIN_USER, HAS_PERMISSIONS } from "../helpers/plain_user.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const POSIX = Deno.build.os !== "windows";

const modeOf = (path: string) => Deno.statSync(path).mode! & 0o777;

Deno.test("prepareDataDir() creates the directory, for its user alone", async () => {
  await using dir = new TempDir();
  const path = dir.join("a", "b", "jarvis");
  prepareDataDir(path);
  prepareDataDir(path);
  assertEquals([...Deno.readDirSync(path)], []);
  if (POSIX) assertEquals(modeOf(path), 0o700);
});

Deno.test({
  name:
    "prepareDataDir() closes a directory to others that is empty or a queue's own",
  ignore: !POSIX,
  async fn() {
    await using dir = new TempDir();
    Deno.mkdirSync(dir.join("empty"));
    dir.write("own/queue.db", "");
    dir.write("own/agent.lock", "");
    for (const name of ["empty", "own"]) {
      Deno.chmodSync(dir.join(name), 0o755);
      prepareDataDir(dir.join(name));
      assertEquals(modeOf(dir.join(name)), 0o700, name);
    }
  },
});

Deno.test({
  name:
    "prepareDataDir() refuses a directory of other things that others may read",
  ignore: !POSIX,
  async fn() {
    await using dir = new TempDir();
    dir.write("shared/letter.txt", "");
    const path = dir.join("shared");
    Deno.chmodSync(path, 0o755);
    assertThrows(
      () => prepareDataDir(path),
      Error,
      `Cannot use the data directory "${path}": it holds other things`,
    );
    assertEquals(modeOf(path), 0o755);
    // Only its user may look into this one: there it may be.
    Deno.chmodSync(path, 0o700);
    prepareDataDir(path);
  },
});

Deno.test("what is in the place of a data directory is named", {
  ignore: !POSIX,
}, async () => {
  await using dir = new TempDir();
  const file = dir.write("file", "");
  const link = dir.join("link");
  Deno.symlinkSync(dir.join("nowhere"), link);
  for (
    const [path, obstacle] of [
      [file, `"${file}" is a file`],
      [`${file}/below`, `"${file}" is a file`],
      [link, `"${link}" is a link that leads to none`],
      [`${link}/below`, `"${link}" is a link that leads to none`],
    ] as const
  ) {
    const reason =
      `Cannot use the data directory "${path}": ${obstacle}, expected a directory`;
    assertThrows(() => prepareDataDir(path), Error, reason);
    assertThrows(() => holdsQueue(path), Error, reason);
  }
  assertEquals(holdsQueue(dir.join("new", "data")), false);
});

Deno.test({
  name: "prepareDataDir() refuses a directory in which nothing can be created",
  // Nobody may, whoever it is.
  ignore: Deno.build.os !== "linux",
  fn() {
    const path = "/proc/self/fd";
    assertThrows(
      () => prepareDataDir(path),
      Error,
      `Cannot use the data directory "${path}": `,
    );
  },
});

Deno.test({
  name: "prepareDataDir() closes nothing that a link leads to, and no device",
  ignore: !POSIX,
  async fn() {
    await using dir = new TempDir();
    const outside = dir.write("outside", "");
    Deno.chmodSync(outside, 0o644);
    const path = dir.join("jarvis");
    dir.write("jarvis/queue.db", "");
    for (const name of ["queue.db-wal", "agent.lock"]) {
      Deno.symlinkSync(outside, dir.join("jarvis", name));
    }
    Deno.mkdirSync(dir.join("folder"), { mode: 0o755 });
    Deno.symlinkSync(dir.join("folder"), dir.join("jarvis", "spool"));
    prepareDataDir(path);
    assertEquals(modeOf(outside), 0o644);
    assertEquals(modeOf(dir.join("folder")), 0o755);
    assertEquals(modeOf(dir.join("jarvis/queue.db")), 0o600);
  },
});

Deno.test("createPrivateDir() leaves a directory as it is, and refuses a file", async () => {
  await using dir = new TempDir();
  Deno.mkdirSync(dir.join("open"), { mode: 0o755 });
  createPrivateDir(dir.join("open"));
  if (POSIX) assertEquals(modeOf(dir.join("open")), 0o755);
  const path = dir.write("file", "text");
  assertThrows(() => createPrivateDir(path));
});

Deno.test("createPrivateFile() keeps what is in a file, and closes it to others", async () => {
  await using dir = new TempDir();
  const path = dir.write("file", "text");
  if (POSIX) Deno.chmodSync(path, 0o644);
  createPrivateFile(path);
  assertEquals(Deno.readTextFileSync(path), "text");
  if (POSIX) assertEquals(modeOf(path), 0o600);
});

Deno.test("createPrivateFile() does not touch what is no file", async () => {
  await using dir = new TempDir();
  const path = dir.join("folder");
  Deno.mkdirSync(path, { mode: 0o755 });
  assertThrows(() => createPrivateFile(path), Error, "it is not a file");
  if (POSIX) assertEquals(modeOf(path), 0o755);
});

for (const umask of [0o000, 0o022, 0o077, 0o277, 0o777]) {
  Deno.test({
    name: `whatever is in the data directory is its user's alone, with umask ${
      umask.toString(8).padStart(3, "0")
    }`,
    ignore: !HAS_PERMISSIONS,
    async fn() {
      await using dir = new TempDir();
      const [program, ...args] = [
        ...AS_PLAIN_USER,
        Deno.execPath(),
        "run",
        "--quiet",
        "-A",
        ...bindingFlags(),
        projectPath("tests/host/data_dir_child.ts"),
        String(umask),
        dir.join("jarvis"),
      ];
      const { success, stdout } = await new Deno.Command(program!, {
        args,
        stdout: "piped",
      }).output();
      assertEquals(success, true);
      const shown = new TextDecoder().decode(stdout).trim()
        .replace(/[0-9a-f-]{36}/g, "ID").replace(
          /spool\/..(?=[/\n])/g,
          "spool/XX",
        );
      assertEquals(shown.split("\n").sort(), [
        "600 jarvis/queue.db",
        "600 jarvis/queue.db-reserve",
        "600 jarvis/queue.db-shm",
        "600 jarvis/queue.db-wal",
        "600 jarvis/spool/XX/ID",
        "600 jarvis/spool/in-use/ID",
        "600 jarvis/spool/records.jsonl",
        "700 jarvis",
        "700 jarvis/spool",
        "700 jarvis/spool/XX",
        "700 jarvis/spool/in-use",
      ]);
    },
  });
}
