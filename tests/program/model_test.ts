/**
 * Random operations on a queue and on a plain model of it, compared after each.
 *
 * `JARVIS_MODEL_RUNS=1000 deno task test tests/program/model_test.ts` does more of them,
 * `JARVIS_MODEL_SEED=…` one again.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Engine } from "../../sync/queue/sqlite.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { testOnEachEngine } from "../helpers/engines.ts";
import { type Operation, operationsOf, Pair } from "../model/operations.ts";
import { shrink } from "../helpers/shrink.ts";

/** How many operations a seed stands for. */
const LENGTH = 80;

/** Seeds that have found a fault once. */
const KEPT_SEEDS: readonly number[] = [];

/** Does operations in turn; returns what is wrong, or `undefined`. */
async function faultIn(
  engine: Engine,
  operations: readonly Operation[],
): Promise<string | undefined> {
  await using pair = new Pair(engine);
  try {
    for (const operation of operations) pair.apply(operation);
    pair.verifyCounters();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** @throws {Error} with the seed and the shortest sequence that fails, if one does. */
async function run(engine: Engine, seed: number): Promise<void> {
  const operations = operationsOf(seed, LENGTH);
  if (await faultIn(engine, operations) === undefined) return;
  const shortest = await shrink(
    operations,
    async (some) => await faultIn(engine, some) !== undefined,
  );
  throw new Error(
    `The queue and its model differ. JARVIS_MODEL_SEED=${seed} does it again; ` +
      `this is enough:\n${
        shortest.map((operation) => JSON.stringify(operation)).join("\n")
      }\n${await faultIn(engine, shortest)}`,
  );
}

testOnEachEngine(
  "the queue does what its model does, whatever is done to it",
  async (engine) => {
    const { JARVIS_MODEL_SEED: seed, JARVIS_MODEL_RUNS: runs } = Deno.env
      .toObject();
    if (seed) return await run(engine, Number(seed));
    for (const kept of KEPT_SEEDS) await run(engine, kept);
    const first = crypto.getRandomValues(new Uint32Array(1))[0]!;
    for (let n = 0; n < Number(runs ?? 40); n++) await run(engine, first + n);
  },
);

testOnEachEngine(
  "the model sees a queue that does one thing otherwise, and says what is enough",
  async (engine) => {
    const { makeAllDue } = UploadQueue.prototype;
    UploadQueue.prototype.makeAllDue = () => {};
    try {
      const seeds = Array.from({ length: 20 }, (_, seed) => seed);
      const error = await assertRejects(
        async () => {
          for (const seed of seeds) await run(engine, seed);
        },
        Error,
        "JARVIS_MODEL_SEED=",
      );
      const kinds = [...error.message.matchAll(/"kind":"(\w+)"/g)]
        .map(([, kind]) => kind);
      assert(kinds[0]!.startsWith("enqueue"), error.message);
      assertEquals(kinds.at(-1), "makeAllDue");
      assert(kinds.length <= 4, error.message);
    } finally {
      UploadQueue.prototype.makeAllDue = makeAllDue;
    }
  },
);

Deno.test("shrink() leaves only what a failure needs", async () => {
  const steps = Array.from({ length: 100 }, (_, n) => n);
  const needed = [3, 50, 51, 97];
  const fails = (some: readonly number[]) =>
    Promise.resolve(needed.every((n) => some.includes(n)));
  assertEquals(await shrink(steps, fails), needed);
  assertEquals(await shrink(needed, fails), needed);
});
