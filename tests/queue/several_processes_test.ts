import { assertEquals } from "@std/assert";
import { bindingFlags, projectPath } from "../../scripts/task/bindings.ts";
import { openDatabase } from "../../sync/queue/sqlite.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { queuesSetAside } from "../../sync/queue/side_files.ts";
import { testOnEachEngine } from "../helpers/engines.ts";
import { makeByConnection } from "../helpers/first_design.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const PROCESSES = 5;
const ROUNDS = 15;

/** Processes that get the same orders at the same time. */
class Crowd implements AsyncDisposable {
  readonly #members: {
    child: Deno.ChildProcess;
    input: WritableStreamDefaultWriter<Uint8Array>;
    output: AsyncIterator<string>;
  }[] = [];

  static async gather(): Promise<Crowd> {
    const crowd = new Crowd();
    const args = [
      "run",
      "--quiet",
      "-A",
      ...bindingFlags(),
      projectPath("tests/queue/queue_child.ts"),
    ];
    for (let n = 0; n < PROCESSES; n++) {
      const child = new Deno.Command(Deno.execPath(), {
        args,
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const input = child.stdin.getWriter();
      crowd.#members.push({ child, input, output: linesOf(child.stdout) });
    }
    for (const { output } of crowd.#members) {
      assertEquals((await output.next()).value, "ready");
    }
    return crowd;
  }

  /** Gives everybody the order, and returns what each has done. */
  async order(text: string): Promise<string[][]> {
    const bytes = new TextEncoder().encode(text + "\n");
    for (const { input } of this.#members) input.write(bytes);
    return await Promise.all(this.#members.map(async ({ output }) => {
      const answer = JSON.parse((await output.next()).value);
      assertEquals(answer.error, undefined);
      return answer.ids;
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child, input } of this.#members) {
      await input.close();
      await child.status;
    }
  }
}

async function* linesOf(
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

testOnEachEngine(
  "processes that create a queue at once all get it, and lose nothing",
  async (engine) => {
    await using dir = new TempDir();
    await using crowd = await Crowd.gather();
    for (let round = 0; round < ROUNDS; round++) {
      const path = dir.join(`${round}.db`);
      const ids = (await crowd.order(`enqueue ${engine} ${path} 3`)).flat();
      using queue = new UploadQueue(path, { engine });
      const queued = queue.captures().toArray().map(({ id }) => id);
      assertEquals(queued.sort(), ids.sort());
    }
  },
);

testOnEachEngine(
  "processes that open a first design's database at once migrate it once",
  async (engine) => {
    await using dir = new TempDir();
    await using crowd = await Crowd.gather();
    const rows = Array.from({ length: 20 }, (_, n) => {
      const name = `old ${n}`;
      return [name, `/c/${n}`, "{}", "2026-02-27T09:00:00", 0, null, "pending"];
    });
    const old = rows.map(([name]) => String(name));
    for (let round = 0; round < ROUNDS; round++) {
      const path = dir.join(`${round}.db`);
      makeByConnection({ path, rows }, engine);
      const ids = (await crowd.order(`enqueue ${engine} ${path} 3`)).flat();
      using queue = new UploadQueue(path, { engine });
      const queued = queue.captures().toArray().map(({ id }) => id);
      assertEquals(queued.sort(), [...old, ...ids].sort());
      assertEquals(queue.getStats().pending, queued.length);
    }
  },
);

testOnEachEngine(
  "processes that work on one queue at once claim nothing twice, and lose nothing",
  async (engine) => {
    await using dir = new TempDir();
    await using crowd = await Crowd.gather();
    const path = dir.join("queue.db");
    const file = { filepath: "/captures/x", metadataJson: "{}" };
    using queue = new UploadQueue(path, { engine });
    queue.enqueueMany(Array.from({ length: 500 }, () => file));
    const claimed = (await crowd.order(`deliver ${engine} ${path} 20`)).flat();
    const total = 500 + PROCESSES * 20;
    assertEquals(claimed.length, total);
    assertEquals(new Set(claimed).size, total);
    const nothing = { pending: 0, uploading: 0, failed: 0 };
    assertEquals(queue.getStats(), { ...nothing, delivered: total });
    using database = openDatabase(path, { engine });
    const ledger = database.prepare("SELECT id FROM delivered").all();
    assertEquals(ledger.map(({ id }) => String(id)).sort(), claimed.sort());
    assertEquals(queue.findDamage(), null);
  },
);

testOnEachEngine(
  "processes that meet a damaged queue at once set it aside once, and lose nothing",
  async (engine) => {
    await using dir = new TempDir();
    await using crowd = await Crowd.gather();
    for (let round = 0; round < ROUNDS; round++) {
      const path = dir.write(`${round}.db`, "not a database ".repeat(1000));
      const ids = (await crowd.order(`repair ${engine} ${path} 3`)).flat();
      assertEquals(queuesSetAside(path).length, 1);
      using queue = new UploadQueue(path, { engine });
      const queued = queue.captures().toArray().map(({ id }) => id);
      assertEquals(queued.sort(), ids.sort());
    }
  },
);
