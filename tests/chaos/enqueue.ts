import { exists } from "../../sync/host/files.ts";
import type { Capture } from "./oracle.ts";
import type { ChaosEvent } from "./schedule.ts";
import type { Ended, World } from "./world.ts";

/** A program that makes captures, hands them over, and forgets them. */
export async function enqueue(
  world: World,
  event: ChaosEvent & { kind: "enqueue" },
): Promise<void> {
  const { maker, disks, oracle } = world;
  const metadata = maker.metadata();
  const captures = event.sizes.map((size) =>
    maker.make(event.elsewhere ? disks.elsewhere : disks.makers, size, metadata)
  );
  // Until it answers; one of these may arrive before.
  for (const capture of captures) oracle.note(capture, "in doubt");
  let count = 0;
  const ended = await world.run([
    "enqueue",
    "--json",
    "--metadata-json",
    JSON.stringify(metadata),
    ...MODE_ARGS[event.mode],
    ...world.roomArgs,
    ...captures.map(({ path }) => path),
  ], {
    killAfterMs: event.killAfterMs,
    onLine: (_, child) => {
      if (++count === event.killAfterIds) child.kill("SIGKILL");
    },
  });
  const acknowledged = judge(world, captures, ended);
  // What must not be copied stays as it is.
  if (event.mode === "reference") return;
  for (const { path } of captures) {
    const isGivenAway = event.mode === "move" && acknowledged.has(path);
    if (isGivenAway || ended.wasKilled && !exists(path)) continue;
    // Over the very file that was handed over.
    Deno.writeTextFileSync(path, "scribbled over", { create: false });
    Deno.removeSync(path);
  }
}

const MODE_ARGS = { copy: [], move: ["--move"], reference: ["--no-copy"] };

/** Notes which captures were acknowledged, and returns their paths. */
function judge(
  world: World,
  captures: Capture[],
  ended: Ended,
): Set<string> {
  const { oracle, tally } = world;
  const ids = new Map(
    ended.stdout.map((line) => {
      const { id, filepath } = JSON.parse(line);
      return [filepath as string, id as string] as const;
    }),
  );
  for (const capture of captures) {
    const id = ids.get(capture.path);
    if (id !== undefined) oracle.note(capture, "owed", id);
    else if (!ended.wasKilled) oracle.note(capture, "refused");
  }
  tally.acknowledged += ids.size;
  if (ended.wasKilled) {
    tally.enqueueKills++;
  } else if (ended.code !== 0 && !world.mayLackRoom) {
    world.faults.push(
      `"enqueue" ended with code ${ended.code}:\n${ended.stderr}`,
    );
  } else if (ended.code === 0 && ids.size < captures.length) {
    world.faults.push(
      `"enqueue" ended with code 0 and ${ids.size} ids for ${captures.length} captures`,
    );
  }
  return new Set(ids.keys());
}
