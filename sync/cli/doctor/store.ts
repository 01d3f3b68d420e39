import { counted } from "../../host/counted.ts";
import { exists } from "../../host/files.ts";
import { failure, type Finding, ok, warning } from "../../monitor/finding.ts";
import { nativeDetail } from "../../queue/native_sqlite.ts";
import { engineInUse } from "../../queue/sqlite.ts";
import type { CommandContext } from "../command.ts";
import { lookInto, noQueue, type StoreView } from "../store.ts";

/** Says which SQLite stores the queue. */
export function inspectEngine(): Finding[] {
  const { name, sqlite } = engineInUse();
  return [ok("database", `SQLite ${sqlite}, ${name}: ${nativeDetail}`)];
}

/** Looks at the data directory, at all of the queue, and at the spool against it. */
export function inspectStore({ settings }: CommandContext): Finding[] {
  using look = lookInto(settings);
  if (!look) {
    const remedy = "nothing to do if none was ever used here";
    return [warning("queue", noQueue(settings), remedy)];
  }
  const damage = look.queue.findDamage();
  return [
    inspectDataDir(settings.dataDir),
    damage === null ? ok("queue", "it is sound") : failure(
      "queue",
      damage,
      'stop the agent, then "jarvis-agent run" sets it aside and keeps what can be read',
    ),
    ...inspectSpool(look),
  ];
}

function inspectDataDir(dataDir: string): Finding {
  const mode = (Deno.statSync(dataDir).mode ?? 0) & 0o777;
  const isOpen = Deno.build.os !== "windows" && (mode & 0o077) !== 0;
  return isOpen
    ? warning(
      "data directory",
      `others can look into "${dataDir}" (mode ${mode.toString(8)})`,
      `chmod 700 ${dataDir}`,
    )
    : ok("data directory", `"${dataDir}" is this user's alone`);
}

/** Looks whether the queue knows each copy, and the spool has each that the queue knows. */
export function inspectSpool(
  { queue, spool }: Pick<StoreView, "queue" | "spool">,
  nowMs: number = Date.now(),
): Finding[] {
  if (!spool) return [];
  let missing = 0;
  for (const captures of queue.spooled()) {
    for (const { id } of captures) {
      const isThere = spool.canHold(id) && exists(spool.pathOf(id));
      // One that is being delivered may just have left.
      if (!isThere && queue.get(id)) missing++;
    }
  }
  const unknown =
    [...spool.ids({ nowMs })].flat().filter((id) =>
      !spool.isInTheMaking(id, nowMs) && !queue.get(id) &&
      !queue.wasDelivered(id) && exists(spool.pathOf(id))
    ).length;
  const found: Finding[] = [];
  if (missing > 0) {
    found.push(failure(
      "spool",
      `${counted(missing, "capture")} without a copy`,
      "hand them over again; the agent marks them failed",
    ));
  }
  if (unknown > 0) {
    found.push(warning(
      "spool",
      `${counted(unknown, "file")} in it that the queue does not know`,
      'restart the agent: it queues what it has a record of, and moves the rest to the spool\'s folder "orphans"',
    ));
  }
  const isSound = found.length === 0;
  return isSound ? [ok("spool", "it has each capture's copy")] : found;
}
