import { DatabaseSync } from "node:sqlite";
import { delay } from "@std/async/delay";
import { basename, join } from "@std/path";
import { exists } from "../../sync/host/files.ts";
import { enqueue } from "./enqueue.ts";
import * as habits from "./habits.ts";
import type { ChaosEvent } from "./schedule.ts";
import type { World } from "./world.ts";

/** Plays an event, and returns once its effects are over as well. */
export async function perform(world: World, event: ChaosEvent): Promise<void> {
  const { agent, server, network, disks, tally } = world;
  switch (event.kind) {
    case "enqueue":
      return await enqueue(world, event);
    case "drop":
      return drop(world, event);
    case "overwrite":
      return await habits.overwrite(world, event);
    case "record":
      return await habits.record(world, event);
    case "twins":
      return await habits.twins(world, event);
    case "sidecar first":
      return await habits.sidecarFirst(world, event);
    case "sidecar after":
      return await habits.sidecarAfter(world, event);
    case "touch":
      return habits.touch(world, event);
    case "litter":
      return await habits.litter(world);
    case "kill agent":
      if (await agent.kill(event.signal, event.downMs)) tally.agentKills++;
      return;
    case "kill server":
      if (await server.kill(event.signal, event.downMs)) tally.serverKills++;
      return;
    case "stop agent":
      return await agent.stop(event.forMs);
    case "stop server":
      return await server.stop(event.forMs);
    case "misbehave":
      await server.misbehave(event.changes);
      await delay(event.forMs);
      if (server.misbehaves(event.changes)) await server.misbehave({});
      return;
    case "cut connections":
      return network.cutNext(event.count, event);
    case "refuse connections":
      return await network.refuseFor(event.forMs);
    case "command":
      return await command(world, event);
    case "fill disk":
      if (!disks.small) return;
      disks.small.fill();
      tally.diskFills++;
      await delay(event.forMs);
      return disks.small.free();
    case "mount disk":
      return await mountDisk(world, event);
    case "lock queue":
      return await lockQueue(world, event.forMs);
    case "reload agent":
      return agent.reload();
    case "look elsewhere":
      return await lookElsewhere(world, event.command);
    case "set clock":
      if (world.clock) tally.clockChanges++;
      return setClock(world, event);
  }
}

/** The time between two locks of the queue, in milliseconds, in which a command gets its turn. */
const AFTER_LOCK_MS = 3_000;

/** What each command may end with, besides success. */
const OTHER_CODES: Record<string, number[]> = {
  // Something is left to deliver.
  sync: [75],
};

async function command(
  world: World,
  event: ChaosEvent & { kind: "command" },
): Promise<void> {
  const [name = "", ...rest] = event.args;
  const hadQueue = exists(join(world.disks.data, "queue.db"));
  const server = name === "sync"
    ? ["--server", `http://127.0.0.1:${world.network.port}`]
    : [];
  const { code, stderr, wasKilled } = await world.run(
    [name, ...server, ...rest],
    event,
  );
  if (wasKilled) world.tally.commandKills++;
  else if (code !== 0 && !OTHER_CODES[name]?.includes(code)) {
    if (world.mayLackRoom) return;
    // Nobody has handed anything over yet, and no agent has got so far.
    if (!hadQueue && stderr.includes("There is no queue")) return;
    world.faults.push(`"${name}" ended with code ${code}:\n${stderr}`);
  }
}

/** Puts captures into the watched folder. */
function drop(world: World, event: ChaosEvent & { kind: "drop" }): void {
  const { maker, disks, oracle } = world;
  const folder = event.how === "folder"
    ? Deno.makeTempDirSync({ dir: disks.makers })
    : disks.makers;
  for (const size of event.sizes) {
    const metadata = event.how === "folder" ? maker.metadata() : {};
    const dir = event.how === "written" ? disks.watched : folder;
    const capture = maker.make(dir, size, metadata);
    oracle.note(capture, "owed");
    world.tally.dropped++;
    if (event.how === "renamed") {
      Deno.renameSync(capture.path, join(disks.watched, capture.name));
    } else if (event.how === "folder") {
      Deno.writeTextFileSync(
        capture.path + ".json",
        JSON.stringify(metadata),
      );
    }
  }
  if (event.how !== "folder") return;
  // All at once: a sidecar by itself would be a capture.
  Deno.renameSync(folder, join(disks.watched, basename(folder)));
}

/** Sets the clock, but not ahead while a disk is away: after so long it may be forgotten. */
function setClock(
  { clock, disks }: World,
  { offsetS }: ChaosEvent & { kind: "set clock" },
): void {
  if (!clock) return;
  clock.set(disks.areAway ? Math.min(offsetS, clock.offsetS) : offsetS);
}

/** Shows a disk with captures below the watched folder, takes it out, and shows it again. */
async function mountDisk(
  { maker, disks, oracle, tally, clock }: World,
  { sizes, forMs }: ChaosEvent & { kind: "mount disk" },
): Promise<void> {
  const card = Deno.makeTempDirSync({ dir: disks.elsewhere, prefix: "card-" });
  for (const size of sizes) {
    oracle.note(maker.make(card, size, {}), "owed");
    tally.dropped++;
  }
  await disks.mount(card);
  await delay(forMs);
  if (clock && clock.offsetS > 0) return;
  await disks.unmount(card);
  await delay(forMs);
  // What was not taken from it until then waits for it.
  await disks.mount(card);
}

/** Holds the queue as a backup program or a person with a SQLite shell does. */
async function lockQueue(world: World, forMs: number): Promise<void> {
  const path = join(world.disks.data, "queue.db");
  // One after the other they would hold it for longer than a command has to wait.
  if (!exists(path) || performance.now() < world.mayLockAtMs) return;
  world.mayLockAtMs = performance.now() + forMs + AFTER_LOCK_MS;
  const database = new DatabaseSync(path);
  try {
    database.exec("PRAGMA busy_timeout = 2000; BEGIN IMMEDIATE");
    await delay(forMs);
    database.exec("ROLLBACK");
  } catch {
    // On a full disk, or beside a long transaction, it cannot be had.
  } finally {
    database.close();
  }
}

/** A command that only looks, for a data directory that nobody has made. */
async function lookElsewhere(world: World, command: string): Promise<void> {
  const nowhere = join(world.disks.makers, "nowhere");
  await world.run([command, "--data-dir", nowhere]);
  if (exists(nowhere)) {
    world.faults.push(`"${command}" made a data directory only to look at it`);
  }
}
