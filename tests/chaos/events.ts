import { delay } from "@std/async/delay";
import { basename, join } from "@std/path";
import { enqueue } from "./enqueue.ts";
import type { ChaosEvent } from "./schedule.ts";
import type { World } from "./world.ts";

/** Lets an event happen; settled when it and what it lasts are over. */
export async function perform(world: World, event: ChaosEvent): Promise<void> {
  const { agent, server, network, disks, tally } = world;
  switch (event.kind) {
    case "enqueue":
      return await enqueue(world, event);
    case "drop":
      return drop(world, event);
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
    case "set clock":
      if (world.clock) tally.clockChanges++;
      return world.clock?.set(event.offsetS);
  }
}

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
