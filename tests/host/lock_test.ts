import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { bindingFlags } from "../../scripts/task/bindings.ts";
import { ProcessLock } from "../../sync/host/lock.ts";
import { Spool } from "../../sync/spool/spool.ts";
import { eventually } from "../helpers/eventually.ts";
import { TempDir } from "../helpers/temp_dir.ts";

/** Before Deno 2.7 a question to a lock that is held ends only when it is free. */
const asksAtOnce = "tryLock" in Deno.FsFile.prototype;
const SANITIZE = { sanitizeOps: asksAtOnce, sanitizeResources: asksAtOnce };

/** Takes a lock in another process, which is killed at the end of the scope. */
async function heldElsewhere(
  path: string,
): Promise<AsyncDisposable & { kill(): Promise<void> }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      ...bindingFlags(),
      `const { ProcessLock } = await import(${
        JSON.stringify(import.meta.resolve("../../sync/host/lock.ts"))
      });
       const file = await ProcessLock.tryAcquire(${JSON.stringify(path)});
       console.log("held");
       setInterval(() => file, 60_000);`,
    ],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  const kill = async () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await reader.cancel();
    await child.status;
  };
  return { kill, [Symbol.asyncDispose]: kill };
}

Deno.test(
  "ProcessLock is held by one at a time, until it is given back",
  SANITIZE,
  async () => {
    await using dir = new TempDir();
    const path = dir.join("lock");
    assertEquals(await ProcessLock.isHeld(path), false);
    {
      using lock = await ProcessLock.tryAcquire(path);
      assert(lock);
      assertEquals(await ProcessLock.isHeld(path), true);
      assertEquals(await ProcessLock.tryAcquire(path), undefined);
    }
    assertEquals(await ProcessLock.isHeld(path), false);
  },
);

Deno.test(
  "ProcessLock is free when its process was killed, however often it was asked for before",
  SANITIZE,
  async () => {
    await using dir = new TempDir();
    const path = dir.join("lock");
    await using other = await heldElsewhere(path);
    for (let i = 0; i < 3; i++) {
      assertEquals(await ProcessLock.tryAcquire(path), undefined);
    }
    const free = ProcessLock.whenFree(path);
    await other.kill();
    await free;
    // On Deno before 2.7 each of the questions gets the lock first, and gives it back.
    using lock = await eventually(
      "it can be taken",
      () => ProcessLock.tryAcquire(path),
    );
    assertEquals(await ProcessLock.isHeld(path), true);
    assert(lock);
  },
);

Deno.test(
  "ProcessLock is held though its file was removed, or another one took its name",
  { ...SANITIZE, ignore: Deno.build.os === "windows" },
  async () => {
    await using dir = new TempDir();
    const path = dir.join("lock");
    await using _other = await heldElsewhere(path);
    Deno.removeSync(path);
    assertEquals(await ProcessLock.isHeld(path), true);
    assertEquals(await ProcessLock.tryAcquire(path), undefined);
    Deno.renameSync(dir.write("another", ""), path);
    assertEquals(await ProcessLock.tryAcquire(path), undefined);
  },
);

Deno.test("a lock or a spool of another user is refused, by root above all", {
  // Only root can give a file away.
  ignore: Deno.build.os === "windows" || Deno.uid() !== 0,
}, async () => {
  await using dir = new TempDir();
  const [lock, spool] = [dir.write("lock", ""), dir.join("spool")];
  Deno.mkdirSync(spool);
  for (const path of [lock, spool]) Deno.chownSync(path, 1234, 1234);
  const refused = "belongs to another user";
  await assertRejects(() => ProcessLock.tryAcquire(lock), Error, refused);
  assertThrows(() => new Spool(spool), Error, refused);
});

Deno.test("ProcessLock is for this user alone", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using dir = new TempDir();
  using _lock = await ProcessLock.tryAcquire(dir.join("lock"));
  assertEquals(Deno.statSync(dir.join("lock")).mode! & 0o777, 0o600);
});
