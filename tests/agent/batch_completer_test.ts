import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  BatchCompleter,
  type PendingCompletion,
} from "../../sync/agent/batch_completer.ts";
import { Patience } from "../../sync/agent/patience.ts";
import { openDatabase } from "../../sync/queue/sqlite.ts";
import { eventually } from "../helpers/eventually.ts";
import { AgentFixture } from "../helpers/agent_fixture.ts";

const NEVER = new AbortController().signal;

/** A real queue with claimed captures, and what records their outcomes. */
class Scene extends AgentFixture {
  readonly completer = new BatchCompleter(this.queue, {
    patience: new Patience(this.log),
    log: this.log,
  });
  readonly after: string[] = [];

  constructor() {
    super("http://127.0.0.1:1");
  }

  claimed(count: number): PendingCompletion[] {
    this.enqueue(...Array.from({ length: count }, (_, n) => `${n}`));
    return this.queue.claim(count).map(({ id, filepath }) => ({
      completion: { id, kind: "delivered" },
      after: () => void this.after.push(filepath.at(-1)!),
    }));
  }

  /** Holds the queue locked for as long as it is not disposed of. */
  locked(): Disposable {
    const other = openDatabase(this.queue.path);
    other.exec("BEGIN IMMEDIATE");
    return { [Symbol.dispose]: () => other.close() };
  }
}

Deno.test("BatchCompleter records some outcomes in one commit, and calls back only then", async () => {
  await using scene = new Scene();
  for (const outcome of scene.claimed(3)) scene.completer.add(outcome);
  assertEquals([scene.queue.getStats().delivered, scene.after], [0, []]);
  await eventually("they are recorded", () => scene.after.length === 3);
  assertEquals(scene.after, ["0", "1", "2"]);
  assertEquals(scene.queue.getStats().delivered, 3);
});

Deno.test("BatchCompleter does not wait once a batch is full", async () => {
  await using scene = new Scene();
  for (const outcome of scene.claimed(128)) scene.completer.add(outcome);
  assertEquals(scene.queue.getStats().delivered, 128);
  await scene.completer.end(NEVER);
});

Deno.test("BatchCompleter.end() returns only when a locked queue has taken the outcomes, and says once that it waits", async () => {
  await using scene = new Scene();
  scene.completer.add(scene.claimed(1)[0]!);
  const lock = scene.locked();
  await scene.completer.end(NEVER, () => lock[Symbol.dispose]());
  assertEquals(scene.queue.getStats().delivered, 1);
  assertEquals(scene.after, ["0"]);
  assertEquals(scene.logged.length, 1, scene.logged.join("\n"));
  assertMatch(scene.logged[0]!, /Waiting for the queue: .*locked/);
});

Deno.test("BatchCompleter.end() throws what is not recorded when it may not wait any longer", async () => {
  await using scene = new Scene();
  const outcomes = scene.claimed(2);
  for (const outcome of outcomes) scene.completer.add(outcome);
  using _lock = scene.locked();
  await assertRejects(
    () => scene.completer.end(AbortSignal.abort()),
    Error,
    "Cannot record what became of 2 captures",
  );
  assertEquals(scene.after, []);
});

Deno.test("BatchCompleter.end() waits for what follows the outcomes", async () => {
  await using scene = new Scene();
  const [outcome] = scene.claimed(1);
  const { promise, resolve } = Promise.withResolvers<void>();
  let done = false;
  scene.completer.add({
    ...outcome!,
    after: async () => {
      await promise;
      done = true;
    },
  });
  const ended = scene.completer.end(NEVER);
  setTimeout(resolve, 20);
  await ended;
  assertEquals(done, true);
});

Deno.test("BatchCompleter tells what could not be tidied up, and goes on", async () => {
  await using scene = new Scene();
  const [first, second] = scene.claimed(2);
  scene.completer.add({
    ...first!,
    after: () => Promise.reject(new Error("no room to move it to")),
  });
  scene.completer.add(second!);
  await scene.completer.end(NEVER);
  assertEquals(scene.after, ["1"]);
  assertEquals(scene.logged, [
    "warn Cannot tidy up after a delivery: no room to move it to",
  ]);
});
