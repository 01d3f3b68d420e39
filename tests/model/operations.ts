import { assertEquals } from "@std/assert";
import { Random } from "../helpers/random.ts";
import { QueueFixture } from "../helpers/queue_fixture.ts";
import type { Engine } from "../../sync/queue/sqlite.ts";
import { QueueModel } from "./queue_model.ts";

const YEAR_S = 365 * 86_400;

/** A queue and its model, which get the same operations. */
export class Pair implements AsyncDisposable {
  readonly fixture: QueueFixture;
  readonly model = new QueueModel();
  #count = 0;

  constructor(engine: Engine) {
    this.fixture = new QueueFixture(engine);
  }

  get queue() {
    return this.fixture.queue;
  }

  get now(): number {
    return this.fixture.nowMs;
  }

  /** An id that stays the same where operations before it are left out. */
  newId(): string {
    return `id ${this.#count++}`;
  }

  /** The nth of all ids there ever were, or one that nobody has. */
  id(nth: number): string {
    return this.#count === 0 ? "nobody" : `id ${nth % this.#count}`;
  }

  /** Does one operation on both, and compares what each returns, and then everything. */
  apply({ kind, nth, amount }: Operation): void {
    const { actual, expected } = KINDS[kind](this, nth, amount);
    assertEquals(actual, expected, `what ${kind} returns`);
    this.#compare();
  }

  #compare(): void {
    const { queue, model } = this;
    const list = queue.captures().toArray();
    const known = list.map((capture) => ({
      id: capture.id,
      createdAt: capture.createdAt,
      attempts: capture.attempts,
      lastAttempt: capture.lastAttempt,
      status: capture.status,
      nextAttemptAt: capture.nextAttemptAt,
      lastError: capture.lastError,
      snoozes: capture.snoozes,
    }));
    assertEquals(known, model.list(), "what is queued");
    assertEquals(queue.getStats(), model.stats() as never, "the counts");
    assertEquals(queue.spooledBytes(), model.spooledBytes(), "the spool");
    assertEquals(queue.oldestPendingMs(), model.oldestPendingMs(), "oldest");
    assertEquals(queue.nextDueMs(), model.nextDueMs(this.now), "next due");
  }

  /** Compares the counters with the rows that they count. */
  verifyCounters(): void {
    const [sum] = this.fixture.query(
      `SELECT count(*) AS n, coalesce(sum(size * spooled), 0) AS bytes,
         coalesce(sum(size * spooled * watched), 0) AS watched FROM captures`,
    );
    const [ledger] = this.fixture.query("SELECT count(*) AS n FROM delivered");
    const { pending, uploading, failed } = this.queue.getStats();
    assertEquals(pending + uploading + failed, sum!.n, "rows");
    assertEquals(this.model.delivered.size, ledger!.n, "ledger");
    assertEquals(this.queue.spooledBytes(), sum!.bytes, "bytes");
    assertEquals(this.queue.spooledBytes("watched"), sum!.watched, "watched");
    assertEquals(this.queue.findDamage(), null);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.fixture[Symbol.asyncDispose]();
  }
}

/** What was returned, and what should have been. */
interface Answers {
  actual: unknown;
  expected: unknown;
}

type Kind = (pair: Pair, nth: number, amount: number) => Answers;

const idsOf = (captures: { id: string }[]) => captures.map(({ id }) => id);

const sha256Of = (amount: number) => amount % 4 < 2 ? "5a" : "a5";

const identityOf = (path: string, size: number) => ({
  fileId: `801:${path}`,
  size,
  mtimeMs: 5,
  ctimeMs: 5,
});

function enqueue(pair: Pair, id: string, amount: number): Answers {
  const filepath = `/watched/${amount % 5}`;
  const size = amount % 3;
  const flags = { spooled: amount % 2 === 0, watched: amount % 7 > 2 };
  const sha256 = sha256Of(amount);
  const known = { identity: identityOf(filepath, size), sha256 };
  const actual = pair.queue.enqueue(filepath, {}, { id, ...known, ...flags });
  pair.model.enqueue({
    id,
    filepath,
    size,
    sha256,
    ...flags,
    createdAt: pair.now,
    attempts: 0,
    lastAttempt: null,
    status: "pending",
    dueAt: null,
    lastError: null,
    snoozes: 0,
    firstCharged: null,
    lastCharged: null,
  });
  return { actual, expected: id };
}

function complete(
  pair: Pair,
  nth: number,
  amount: number,
  kind: "charge" | "discard",
): Answers {
  const id = pair.id(nth);
  const error = `error ${amount}`;
  return {
    actual: pair.queue.complete([{ id, kind, error }]) === 1,
    expected: pair.model.fail(id, error, { now: pair.now, rule: kind }),
  };
}

/** Everything that can be done to a queue. */
export const KINDS = {
  enqueue: (pair, _nth, amount) => enqueue(pair, pair.newId(), amount),
  enqueueAgain: (pair, nth, amount) => enqueue(pair, pair.id(nth), amount),
  getPending: ({ queue, model, now }, _nth, amount) => ({
    actual: idsOf(queue.getPending(amount % 6)),
    expected: model.getPending(amount % 6, now),
  }),
  claim: ({ queue, model, now }, _nth, amount) => ({
    actual: idsOf(queue.claim(amount % 6)),
    expected: model.claim(amount % 6, now),
  }),
  markUploading: (pair, nth) => ({
    actual: pair.queue.markUploading(pair.id(nth)),
    expected: pair.model.markUploading(pair.id(nth), pair.now),
  }),
  markCompleted: (pair, nth) => ({
    actual: pair.queue.markCompleted(pair.id(nth)),
    expected: pair.model.deliver(pair.id(nth), pair.now),
  }),
  markFailed: (pair, nth, amount) => ({
    actual: pair.queue.markFailed(pair.id(nth), `error ${amount}`),
    expected: pair.model.fail(pair.id(nth), `error ${amount}`, {
      now: pair.now,
      rule: "at once",
    }),
  }),
  charge: (pair, nth, amount) => complete(pair, nth, amount, "charge"),
  discard: (pair, nth, amount) => complete(pair, nth, amount, "discard"),
  release: (pair, nth) => ({
    actual: pair.queue.complete([{ id: pair.id(nth), kind: "release" }]) === 1,
    expected: pair.model.release(pair.id(nth), null, null),
  }),
  snooze: (pair, nth, amount) => {
    const id = pair.id(nth);
    const error = `error ${amount}`;
    const delayMs = amount * 10_000;
    const dueAt = pair.now + Math.min(delayMs, 3_600_000);
    return {
      actual: pair.queue.complete([{ id, kind: "snooze", error, delayMs }]) ===
        1,
      expected: pair.model.snooze(id, error, dueAt),
    };
  },
  recover: ({ queue, model }) => ({
    actual: queue.recover(),
    expected: model.recover(),
  }),
  retryOne: (pair, nth) => ({
    actual: pair.queue.retry([pair.id(nth), pair.id(nth + 1)]),
    expected: pair.model.retry([pair.id(nth), pair.id(nth + 1)]),
  }),
  retryMany: ({ queue, model }, _nth, amount) => {
    const which = amount % 2 === 0 ? "failed" : "all";
    const status = which === "all" ? undefined : which;
    const ids = queue.captures({ status }).map(({ id }) => id).toArray();
    return {
      actual: queue.retry(ids).sort(),
      expected: model.retry(model.retryable(which)).sort(),
    };
  },
  makeAllDue: ({ queue, model }) => ({
    actual: queue.makeAllDue(),
    expected: model.makeAllDue(),
  }),
  remove: (pair, nth) => {
    const ids = [pair.id(nth), pair.id(nth + 1)];
    return {
      actual: pair.queue.remove(ids),
      expected: ids.filter((id) => pair.model.remove(id, pair.now)),
    };
  },
  cleanupOld: ({ queue, model, now }, _nth, amount) => {
    const old = model.oldFailed(amount % 3, now);
    return {
      actual: queue.cleanupOld(amount % 3).sort(),
      expected: old.filter((id) => model.remove(id, now)).sort(),
    };
  },
  knownWatched: ({ queue, model }, nth, amount) => {
    const path = `/watched/${nth % 5}`;
    const identity = identityOf(path, amount % 3);
    return {
      actual: queue.knownWatched([{ path, identity }])[0],
      expected: model.knownWatched(path, amount % 3),
    };
  },
  knownContent: ({ queue, model }, nth, amount) => {
    const path = `/watched/${nth % 5}`;
    const [size, sha256] = [amount % 3, sha256Of(amount)];
    const file = { path, identity: identityOf(path, size) };
    return {
      actual: queue.knownContent(file, sha256),
      expected: model.knownContent(path, { size, sha256 }),
    };
  },
  pruneHistory: ({ queue, model, now }, nth, amount) => {
    const isStillThere = (path: string) => path.endsWith(String(nth % 5));
    const olderThanMs = amount * 100_000;
    return {
      actual: queue.pruneHistory(olderThanMs, isStillThere),
      expected: model.pruneHistory(now - olderThanMs, isStillThere),
    };
  },
  markRemoved: (pair, nth) => ({
    actual: pair.queue.markRemoved(pair.id(nth)),
    expected: pair.model.markRemoved(pair.id(nth)),
  }),
  wasDelivered: (pair, nth) => ({
    actual: pair.queue.wasDelivered(pair.id(nth)),
    expected: pair.model.delivered.has(pair.id(nth)),
  }),
  wait: (pair, _nth, amount) => {
    pair.fixture.wait(amount * amount / 10);
    return { actual: null, expected: null };
  },
  jump: (pair, _nth, amount) => {
    pair.fixture.wait(amount % 2 === 0 ? YEAR_S : -YEAR_S);
    return { actual: null, expected: null };
  },
  restart: (pair) => {
    pair.fixture.restart();
    pair.model.restart();
    pair.verifyCounters();
    return { actual: null, expected: null };
  },
} satisfies Record<string, Kind>;

/** One operation; its numbers stay good when others are left out. */
export interface Operation {
  kind: keyof typeof KINDS;
  nth: number;
  amount: number;
}

const OFTEN: Partial<Record<keyof typeof KINDS, number>> = {
  enqueue: 6,
  claim: 3,
  charge: 6,
  snooze: 2,
  wait: 4,
};

const WEIGHTED = (Object.keys(KINDS) as (keyof typeof KINDS)[])
  .map((kind) => [OFTEN[kind] ?? 1, kind] as const);

/** The operations that a seed stands for. */
export function operationsOf(seed: number, count: number): Operation[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => ({
    kind: random.weighted(WEIGHTED),
    nth: random.whole(0, 30),
    amount: random.whole(0, 400),
  }));
}
