import { basename, join } from "@std/path";
import { exists } from "../../sync/host/files.ts";
import { eventually } from "../helpers/eventually.ts";
import { sha256Of } from "../../sync/host/sha256.ts";
import { LITTER } from "./habits.ts";
import type { World } from "./world.ts";
import { filesIn } from "../helpers/folders.ts";

/**
 * Ends all trouble and holds the program to its promises: a fresh capture gets
 * through, everything owed arrives, once, and nothing is left.
 *
 * Broken promises are noted in the faults of the world.
 */
export async function settle(world: World): Promise<void> {
  await world.server.misbehave({});
  world.network.heal();
  const queue = join(world.disks.data, "queue.db");
  await attempt(world, "the agent has made its queue", () => exists(queue));
  // A capture that a misbehaving server answered ten times with 500 has failed.
  await run(world, ["retry", "--all"]);
  await deliverFresh(world);
  // A start looks through folders and spool, which the agent else does now and then.
  await world.agent.kill("SIGTERM", 0);
  await drain(world);
  await checkFolders(world);
  await world.agent.close();
  checkLeftovers(world);
  const received = world.received();
  world.faults.push(...world.oracle.faults(received));
  world.tally.delivered = received.length;
  world.tally.deliveredBytes = received.reduce(
    (sum, { size }) => sum + size,
    0,
  );
}

async function run(world: World, args: string[]): Promise<string> {
  const { code, stdout, stderr } = await world.run(args);
  if (![0, 75].includes(code)) {
    world.faults.push(
      `"${args[0]}" ended with code ${code} after all trouble:\n${stderr}`,
    );
  }
  return stdout.join("\n");
}

/** Tries everything at once: a capture may wait for minutes otherwise. */
async function sync(world: World): Promise<{ left: number; failed: number }> {
  const server = `http://127.0.0.1:${world.network.port}`;
  return JSON.parse(
    await run(world, ["sync", "--json", "--server", server]) || "{}",
  );
}

async function deliverFresh(world: World): Promise<void> {
  const { maker, disks, oracle } = world;
  const fresh = maker.make(disks.makers, 1000, maker.metadata());
  const line = await run(world, [
    "enqueue",
    "--metadata-json",
    JSON.stringify(fresh.metadata),
    "--min-free-bytes",
    "0",
    fresh.path,
  ]);
  oracle.note(fresh, "owed", line);
  Deno.removeSync(fresh.path);
  await attempt(world, "a fresh capture gets through", async () => {
    await sync(world);
    return world.received().some(({ filename }) => filename === fresh.name);
  });
}

async function drain(world: World): Promise<void> {
  let failed = "";
  let missing: string[] = [];
  await attempt(world, "everything is delivered", async () => {
    const { left } = await sync(world);
    missing = world.oracle.missing(world.received());
    failed = await run(world, ["list", "--json", "--status", "failed"]);
    // What has failed stays so.
    return left === 0 && (missing.length === 0 || failed !== "[]");
  });
  if (missing.length > 0) {
    world.faults.push(
      `${missing.length} captures were lost: ${missing.slice(0, 5).join(", ")}`,
    );
  }
  if (failed !== "[]") world.faults.push(`captures failed: ${failed}`);
}

/** Waits until nothing that is delivered is left in the watched folder or the spool. */
async function checkFolders(world: World): Promise<void> {
  if (world.afterUpload === "delete") {
    await attempt(
      world,
      "delivered files leave the watched folder",
      () =>
        filesIn(world.disks.watched)
          .every((path) => basename(path).includes(LITTER)),
    );
  }
  await attempt(
    world,
    "delivered captures leave the spool",
    () =>
      entriesIn(world).every(({ sha256 }) => !world.oracle.mustBeGone(sha256)),
  );
}

/**
 * Captures that a kill left half taken over may stay in the spool, as each could be
 * an only copy; others may not.
 */
function checkLeftovers(world: World): void {
  const { oracle, tally, faults } = world;
  const times = new Map<string, number>();
  for (const { path, sha256: hash } of entriesIn(world)) {
    if (oracle.mustBeGone(hash)) {
      faults.push(`the spool still has "${path}", which was acknowledged`);
    }
    const count = (times.get(hash) ?? 0) + 1;
    times.set(hash, count);
    if (count > tally.agentKills + 1) {
      faults.push(`the spool has the same capture ${count} times: "${path}"`);
    }
  }
}

/** The files in the spool, but for empty ones: such a one may be any copy that was only begun. */
function entriesIn(world: World): { path: string; sha256: string }[] {
  const spool = join(world.disks.data, "spool");
  return filesIn(spool).filter((path) => basename(path) !== "records.jsonl")
    .map((path) => ({ path, bytes: Deno.readFileSync(path) }))
    .filter(({ bytes }) => bytes.length > 0)
    .map(({ path, bytes }) => ({ path, sha256: sha256Of(bytes) }));
}

async function attempt(
  world: World,
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  await eventually(what, condition, world.drainMs).catch((error) => {
    world.faults.push(
      `${error.message}; the agent said:\n${world.agent.stderr}`,
    );
  });
}
