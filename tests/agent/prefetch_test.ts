import { assertEquals, assertMatch } from "@std/assert";
import type { BookkeeperAside } from "../../sync/agent/bookkeeping.ts";
import { Claims, type ClaimsOptions } from "../../sync/agent/prefetch.ts";
import type { QueuedCapture } from "../../sync/queue/queue.ts";
import { eventually } from "../helpers/eventually.ts";

/** Books with a number of captures in them, which note who was asked for how many. */
class Books {
  readonly asked: string[] = [];
  readonly logged: string[] = [];
  /** What the thread was told to be done. */
  readonly done: string[] = [];
  left: number;
  answers = 0;
  dismissed = 0;
  recovered = 0;
  broken = false;

  constructor(left: number) {
    this.left = left;
  }

  claims(options: Partial<ClaimsOptions> = {}): Claims {
    return new Claims({
      own: {
        ...this.#bookkeeper("own"),
        recover: () => void this.recovered++,
      },
      countWaiting: () => this.left,
      startThread: () => Promise.resolve(this.aside()),
      onAnswer: () => this.answers++,
      log: (_level, message) => this.logged.push(message),
      ...options,
    });
  }

  aside(): BookkeeperAside {
    const { claim, settle } = this.#bookkeeper("aside");
    return {
      settle,
      done: ({ id }) => void this.done.push(id),
      claim: async (limit) => {
        await Promise.resolve();
        if (this.broken) throw new Error("disk I/O error");
        return claim(limit);
      },
      [Symbol.asyncDispose]: () => Promise.resolve(void this.dismissed++),
    };
  }

  #bookkeeper(name: string) {
    return {
      claim: (limit: number) => {
        this.asked.push(`${name} ${limit}`);
        const count = Math.min(limit, this.left);
        this.left -= count;
        return Array.from(
          { length: count },
          (_, n) => ({ id: `${this.left + count - n}` }) as QueuedCapture,
        );
      },
      settle: () => Promise.resolve(null),
    };
  }
}

/** Takes so many; each is sent before the next is. */
async function take(claims: Claims, count: number): Promise<number> {
  let taken = 0;
  while (taken < count) {
    const capture = claims.next(32);
    if (capture) claims.done(capture);
    if (capture) taken++;
    else if (!claims.isAsking) return taken;
    // Answers come in between.
    await Promise.resolve();
  }
  return taken;
}

Deno.test("Claims takes hundreds on this thread, and starts no other", async () => {
  const books = new Books(1000);
  const claims = books.claims();
  assertEquals(await take(claims, Infinity), 1000);
  await claims.end();
  assertEquals(books.asked.filter((asked) => !asked.startsWith("own")), []);
  assertEquals(books.dismissed, 0);
});

Deno.test("Claims moves a backlog to a thread, asks ahead there, and ends it", async () => {
  const books = new Books(4000);
  const claims = books.claims();
  assertEquals(await take(claims, 3800), 3800);
  assertEquals(books.done.at(-1), "201");
  assertEquals(books.asked.at(-1), "aside 128");
  // What is left lasts until the answer comes.
  assertEquals(books.left < 200, true);
  assertEquals(await take(claims, Infinity), 200);
  assertEquals(claims.isAsking, false);
  await claims.end();
  assertEquals(books.dismissed, 1);
  // The next few are claimed on this thread again.
  books.left = 1;
  assertEquals(await take(claims, Infinity), 1);
  assertEquals(books.asked.at(-1)!.startsWith("own"), true);
  // And the next backlog there again.
  books.left = 4000;
  assertEquals(await take(claims, 800), 800);
  assertEquals(books.asked.at(-1), "aside 128");
  await claims.end();
  assertEquals(books.dismissed, 2);
});

Deno.test("Claims says when a thread has answered, and that there is nothing more", async () => {
  const books = new Books(4000);
  const claims = books.claims();
  assertEquals(await take(claims, 4000), 4000);
  while (!claims.isAsking) assertEquals(claims.next(32), undefined);
  const before = books.answers;
  await eventually("it has answered", () => books.answers > before);
  // Nothing, so it is not asked the same again at once.
  assertEquals([claims.next(32), claims.isAsking], [undefined, false]);
  books.left = 1;
  assertEquals(claims.next(32), undefined);
  await eventually("it has answered", () => !claims.isAsking);
  assertEquals(claims.next(32)?.id, "1");
  await claims.end();
});

Deno.test("Claims.end() gives back what is claimed and not taken", async () => {
  const books = new Books(100);
  const claims = books.claims();
  assertEquals(await take(claims, 10), 10);
  await claims.end();
  assertEquals(books.recovered, 1);
  // Now there is nothing to give back.
  await claims.end();
  assertEquals(books.recovered, 1);
});

Deno.test("Claims.end() waits for what was asked for, and gives it back", async () => {
  const books = new Books(4000);
  const claims = books.claims();
  assertEquals(await take(claims, 600), 600);
  while (!claims.isAsking) claims.next(32);
  const before = books.left;
  await claims.end();
  assertEquals([books.left < before, books.dismissed], [true, 1]);
  assertEquals([claims.isAsking, books.recovered], [false, 1]);
});

Deno.test("Claims goes on without a thread where none can be started", async () => {
  const books = new Books(4000);
  const claims = books.claims({
    startThread: () => Promise.reject(new Error("no more threads")),
  });
  assertEquals(await take(claims, Infinity), 4000);
  await claims.end();
  assertEquals(books.logged, [
    "Keeping the books on one thread: no more threads",
  ]);
});

Deno.test("Claims goes on with this thread when the other one fails", async () => {
  const books = new Books(4000);
  const claims = books.claims();
  await take(claims, 500);
  books.broken = true;
  assertEquals(await take(claims, Infinity), 3500);
  await claims.end();
  assertEquals(books.dismissed, 1);
  // It may have claimed some that never came.
  assertEquals(books.recovered, 1);
  await claims.end();
  assertEquals(books.recovered, 1);
  assertMatch(books.logged.join(), /Cannot claim captures: disk I\/O error/);
});
