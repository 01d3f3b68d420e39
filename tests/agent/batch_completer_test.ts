import { assertEquals, assertMatch } from "@std/assert";
import type { SpentEntry } from "../../sync/agent/bookkeeping.ts";
import type { Settlement } from "../../sync/queue/queue.ts";
import { Settler } from "../../sync/agent/batch_completer.ts";
import { eventually } from "../helpers/eventually.ts";

/** Books whose commits a test can make fail, or late. */
function scripted() {
  const commits: string[][] = [];
  const discarded: string[] = [];
  const logged: string[] = [];
  const books = {
    full: false,
    trouble: null as string | null,
    until: Promise.resolve(),
    settle: async (settlements: Settlement[], spent: SpentEntry[]) => {
      if (books.full) throw new Error("database or disk is full");
      commits.push(settlements.map(({ id }) => id));
      await books.until;
      discarded.push(...spent.map(({ id }) => id));
      return books.trouble;
    },
  };
  const settler = new Settler(
    books.settle,
    (_level, message) => logged.push(message),
  );
  return { books, commits, discarded, logged, settler };
}

const delivered = (id: string) => ({
  settlement: { id, kind: "delivered" } as const,
});

Deno.test("Settler records some outcomes in one commit, and calls back only then", async () => {
  const { settler, commits } = scripted();
  const after: string[] = [];
  for (const id of ["a", "b", "c"]) {
    settler.add({ ...delivered(id), after: () => void after.push(id) });
  }
  assertEquals([commits, after], [[], []]);
  await eventually("they are committed", () => after.length === 3);
  assertEquals(commits, [["a", "b", "c"]]);
});

Deno.test("Settler does not wait once a batch is full", () => {
  const { settler, commits } = scripted();
  for (let i = 0; i < 128; i++) settler.add(delivered(`${i}`));
  assertEquals(commits.map((ids) => ids.length), [128]);
});

Deno.test("Settler keeps outcomes that cannot be committed, says so once, and commits them later", async () => {
  const { books, settler, commits, logged } = scripted();
  const after: string[] = [];
  books.full = true;
  settler.add({ ...delivered("a"), after: () => void after.push("a") });
  settler.flush();
  await settler.end();
  assertEquals([commits, after, logged.length], [[], [], 1]);
  assertMatch(logged[0]!, /Cannot record outcomes, .*disk is full/);

  books.full = false;
  await eventually("it is committed", () => after.length === 1);
  assertEquals(commits, [["a"]]);
});

Deno.test("Settler.flush() without anything to record makes no commit", () => {
  const { settler, commits } = scripted();
  settler.flush();
  assertEquals(commits, []);
});

Deno.test("Settler.end() waits for what takes its time, and for what follows it", async () => {
  const { settler, books, discarded } = scripted();
  const { promise, resolve } = Promise.withResolvers<void>();
  books.until = promise;
  const after: string[] = [];
  settler.add({
    ...delivered("a"),
    spent: { id: "a", size: 1 },
    after: () => void after.push("a"),
  });
  const ended = settler.end();
  setTimeout(resolve, 20);
  await ended;
  assertEquals([discarded, after], [["a"], ["a"]]);
});

Deno.test("Settler tells what could not be tidied up, and goes on", async () => {
  const { settler, books, logged } = scripted();
  books.trouble = "Permission denied";
  const after: string[] = [];
  settler.add({
    ...delivered("a"),
    after: () => {
      throw new Error("no room to move it to");
    },
  });
  settler.add({ ...delivered("b"), after: () => void after.push("b") });
  await settler.end();
  assertEquals(after, ["b"]);
  assertEquals(logged, [
    "Cannot tidy up behind a delivery: Permission denied",
    "Cannot tidy up behind a delivery: no room to move it to",
  ]);
});
