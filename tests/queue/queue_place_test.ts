import { assertEquals, assertStringIncludes } from "@std/assert";
import { bindingFlags, projectPath } from "../../scripts/task/bindings.ts";
import { ProcessLock } from "../../sync/host/lock.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { openQueue } from "../../sync/queue/repair/open_queue.ts";
import type { Engine } from "../../sync/queue/sqlite.ts";
import { ENGINES } from "../helpers/engines.ts";
import { eventually } from "../helpers/eventually.ts";
import { TempDir } from "../helpers/temp_dir.ts";

/** Another process, which holds a queue open. */
class Holder implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: AsyncIterator<string>;

  constructor(engine: Engine, path: string) {
    const program = projectPath("tests/queue/queue_holder_child.ts");
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "-A", ...bindingFlags(), program, engine, path],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#answers = this.#child.stdout.pipeThrough(new TextDecoderStream())
      [Symbol.asyncIterator]();
  }

  async answer(): Promise<{ id?: string; error?: string }> {
    return JSON.parse((await this.#answers.next()).value);
  }

  /** Lets it go on, and returns what it did. */
  async next(): Promise<{ id?: string; error?: string }> {
    await this.#input.write(new TextEncoder().encode("next\n"));
    return await this.answer();
  }

  /** Lets it close the queue, and waits for its end. */
  async end(): Promise<void> {
    await this.next();
    await this.#child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#child.status;
  }
}

const GONE: Record<string, string[]> = {
  "its -wal and -shm": ["-wal", "-shm"],
  "its -wal": ["-wal"],
  "its -shm": ["-shm"],
};

for (const [what, ends] of Object.entries(GONE)) {
  for (const engine of ENGINES) {
    Deno.test({
      name:
        `a queue that has lost ${what} is not written to, and loses nothing that is in the one there or was in its own (${engine})`,
      // An open file cannot be removed there.
      ignore: Deno.build.os === "windows",
      fn: () => loses(engine, ends),
    });
  }
}

for (const engine of ENGINES) {
  Deno.test({
    name:
      `a queue whose files were all replaced leaves those that are there alone when it is closed (${engine})`,
    // An open file cannot be replaced there.
    ignore: Deno.build.os === "windows",
    async fn() {
      await using dir = new TempDir();
      const path = dir.join("queue.db");
      await using holder = new Holder(engine, path);
      await holder.answer();
      // A backup as a crash has left it: with all that it has in its -wal.
      let id: string;
      {
        using backup = new UploadQueue(dir.join("other.db"), { engine });
        id = backup.enqueue("/captures/backup");
        for (const end of ["", "-wal"]) {
          Deno.copyFileSync(backup.path + end, dir.join(`backup${end}`));
        }
      }
      Deno.removeSync(`${path}-shm`);
      for (const end of ["-wal", ""]) {
        Deno.renameSync(dir.join(`backup${end}`), path + end);
      }
      const { error } = await holder.next();
      assertStringIncludes(`${error}`, `"${path}" was removed or replaced`);
      await holder.end();
      using queue = new UploadQueue(path, { engine });
      assertEquals(queue.captures().toArray().map(({ id }) => id), [id]);
    },
  });
}

for (const engine of ENGINES) {
  Deno.test({
    name:
      `a queue that has lost its -wal is opened as soon as its last holder is gone (${engine})`,
    // An open file cannot be removed there.
    ignore: Deno.build.os === "windows",
    async fn() {
      await using dir = new TempDir();
      const path = dir.join("queue.db");
      await using holder = new Holder(engine, path);
      const held = await holder.answer();
      Deno.removeSync(`${path}-wal`);
      await holder.next();
      const opening = open(path, engine);
      // It keeps the lock where its first try has failed.
      const begun = () => ProcessLock.isHeld(lockOf(path));
      await Promise.race([opening, eventually("it has begun", begun)]);
      await holder.end();
      using queue = await opening;
      assertEquals(queue.captures().toArray().map(({ id }) => id), [held.id]);
    },
  });
}

async function loses(engine: Engine, ends: string[]): Promise<void> {
  await using dir = new TempDir();
  const path = dir.join("queue.db");
  await using holder = new Holder(engine, path);
  const held = await holder.answer();
  for (const end of ends) Deno.removeSync(path + end);
  // With its -wal alone removed nobody else can use it until its holder is gone.
  const added = ends.includes("-shm") ? enqueue(path, engine) : undefined;
  const second = await holder.next();
  assertStringIncludes(`${second.error}`, `"${path}${ends[0]}" was removed`);
  await holder.end();
  using queue = await open(path, engine);
  const ids = queue.captures().toArray().map(({ id }) => id);
  assertEquals(ids.sort(), [held.id, added].filter(Boolean).sort());
  assertEquals(
    [...Deno.readDirSync(dir.path)].map(({ name }) => name)
      .filter((name) => !/^queue\.db(-wal|-shm|\.lock)?$/.test(name)),
    [],
  );
}

function enqueue(path: string, engine: Engine): string {
  using queue = new UploadQueue(path, { engine });
  return queue.enqueue("/captures/added");
}

function open(path: string, engine: Engine): Promise<UploadQueue> {
  return openQueue(path, { engine, lockPath: lockOf(path), log: () => {} });
}

function lockOf(path: string): string {
  return `${path}.lock`;
}
