import { assertEquals, assertMatch } from "@std/assert";
import type { Settlement } from "../sync/queue.ts";
import { Settler } from "../sync/settler.ts";
import { eventually } from "./helpers/eventually.ts";

/** A queue whose commits a test can make fail. */
function scripted() {
  const commits: string[][] = [];
  const logged: string[] = [];
  const queue = {
    full: false,
    settle(settlements: Settlement[]): number {
      if (queue.full) throw new Error("database or disk is full");
      commits.push(settlements.map(({ id }) => id));
      return settlements.length;
    },
  };
  const settler = new Settler(queue, (_level, message) => logged.push(message));
  return { queue, commits, logged, settler };
}

Deno.test("Settler records some outcomes in one commit, and calls back only then", async () => {
  const { settler, commits } = scripted();
  const after: string[] = [];
  for (const id of ["a", "b", "c"]) {
    settler.add({ id, kind: "delivered" }, () => void after.push(id));
  }
  assertEquals([commits, after], [[], []]);
  await eventually("they are committed", () => after.length === 3);
  assertEquals(commits, [["a", "b", "c"]]);
});

Deno.test("Settler does not wait once a batch is full", () => {
  const { settler, commits } = scripted();
  for (let i = 0; i < 128; i++) settler.add({ id: `${i}`, kind: "delivered" });
  assertEquals(commits.map((ids) => ids.length), [128]);
});

Deno.test("Settler keeps outcomes that cannot be committed, says so once, and commits them later", async () => {
  const { queue, settler, commits, logged } = scripted();
  const after: string[] = [];
  queue.full = true;
  settler.add({ id: "a", kind: "delivered" }, () => void after.push("a"));
  settler.flush();
  settler.flush();
  assertEquals([commits, after, logged.length], [[], [], 1]);
  assertMatch(logged[0]!, /Cannot record outcomes, .*disk is full/);

  queue.full = false;
  await eventually("it is committed", () => after.length === 1);
  assertEquals(commits, [["a"]]);
});

Deno.test("Settler.flush() without anything to record makes no commit", () => {
  const { settler, commits } = scripted();
  settler.flush();
  assertEquals(commits, []);
});
