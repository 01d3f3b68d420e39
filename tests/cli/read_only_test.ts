import { assertEquals, assertStringIncludes } from "@std/assert";
import { deadUrl } from "../helpers/capture_server.ts";
import type { Ended } from "../helpers/cli.ts";
import { Host } from "../helpers/host.ts";
import { canBeImmutable, Immutable } from "../helpers/immutable.ts";
import { AS_PLAIN_USER, HAS_PERMISSIONS } from "../helpers/plain_user.ts";
import { HAS_NAMESPACES } from "../helpers/watch_process.ts";

/** What runs the program where the data directory is on a read-only file system. */
const READ_ONLY = `exec unshare -Urm sh -c '
  mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"
' "$JARVIS_DATA_DIR" "$@"`;

type Run = (...args: string[]) => Promise<Ended>;

/** Expects that commands that look show the one capture, and those that change say why not. */
async function assertLooksOnly(
  { run, id, host, reason }: {
    run: Run;
    id: string;
    host: Host;
    reason: string;
  },
): Promise<void> {
  const names = () => [...Deno.readDirSync(host.dataDir)].map((e) => e.name);
  const before = names();
  const looks = {
    list: id,
    status: "1 pending",
    [`show ${id}`]: `Id        ${id}`,
    history: "",
    [`export ${id} ${host.join("out")}`]: "a.png",
  };
  for (const [line, expected] of Object.entries(looks)) {
    const { code, stdout, stderr } = await run(...line.split(" "));
    assertEquals([code, stderr], [0, ""], line);
    assertStringIncludes(stdout, expected);
  }
  Deno.removeSync(host.join("out"), { recursive: true });
  const { stdout } = await run("status", "--json");
  assertEquals(JSON.parse(stdout).database.path, `${host.dataDir}/queue.db`);
  for (const args of [["enqueue", host.join("a.png")], ["sync"], ["run"]]) {
    const { code, stdout, stderr } = await run(...args);
    assertEquals([code, stdout], [1, ""], args[0]);
    assertEquals(
      stderr,
      `jarvis-agent: Cannot use the data directory "${host.dataDir}": ${reason} (--data-dir names it)\n`,
    );
  }
  assertStringIncludes(
    (await run("doctor")).stdout,
    `failure  data directory: ${reason.split(",")[0]}`,
  );
  assertEquals(names(), before);
}

/** A host with one capture, and its id. */
async function withCapture() {
  const host = new Host(deadUrl());
  const [id] = await host.enqueue(host.write("a.png"));
  return { host, id: id! };
}

Deno.test(
  "in a directory that nobody can change commands that look show all, and others say why not",
  { ignore: !canBeImmutable() },
  async () => {
    const { host, id } = await withCapture();
    await using _host = host;
    using _immutable = new Immutable(host.dataDir);
    const reason =
      `nothing can be made in "${host.dataDir}" whatever its mode (EPERM), expected a directory that can be written to: "chattr -i" where "lsattr -d" shows an "i"`;
    await assertLooksOnly({
      run: (...args) => host.run(...args),
      id,
      host,
      reason,
    });
  },
);

Deno.test(
  "on a read-only file system commands that look show all, and others say why not",
  { ignore: !HAS_NAMESPACES },
  async () => {
    const { host, id } = await withCapture();
    await using _host = host;
    const run: Run = (...args) => host.inShell(READ_ONLY, ...args);
    const reason =
      `"${host.dataDir}" is on a file system that is mounted read-only (EROFS), expected one that can be written to: "mount -o remount,rw", and see "dmesg" for why`;
    await assertLooksOnly({ run, id, host, reason });
  },
);

Deno.test(
  "what a power cut left beside a queue is seen on a read-only file system, too",
  { ignore: !HAS_NAMESPACES },
  async () => {
    const { host } = await withCapture();
    await using _host = host;
    using queue = host.queue();
    const id = queue.enqueue("/captures/late.png");
    // A disk need not have kept it.
    Deno.removeSync(`${host.dataDir}/queue.db-shm`);
    const { stdout, stderr } = await host.inShell(READ_ONLY, "list");
    assertStringIncludes(stdout, id, stderr);
  },
);

Deno.test(
  "what this user may not read or write in the data directory is named, with the mode that it should have",
  { ignore: !HAS_PERMISSIONS },
  async () => {
    const { host } = await withCapture();
    await using _host = host;
    host.through = AS_PLAIN_USER;
    const { dataDir } = host;
    for (const mode of [0o000, 0o500]) {
      Deno.chmodSync(dataDir, mode);
      const args = mode === 0 ? ["list"] : ["enqueue", host.join("a.png")];
      const { code, stderr } = await host.run(...args);
      assertEquals(code, 1);
      assertStringIncludes(
        stderr,
        `this user may not read and write "${dataDir}", expected mode 700`,
      );
    }
    assertEquals((await host.run("list")).code, 0);
    Deno.chmodSync(dataDir, 0o700);
    Deno.chmodSync(`${dataDir}/queue.db`, 0o000);
    for (const args of [["list"], ["enqueue", host.join("a.png")]]) {
      const { code, stderr } = await host.run(...args);
      assertEquals(code, 1);
      assertStringIncludes(
        stderr,
        `this user may not read and write "${dataDir}/queue.db", expected mode 600`,
      );
    }
  },
);
