import { format as formatBytes } from "@std/fmt/bytes";
import { counted } from "../../host/counted.ts";
import { exists } from "../../host/files.ts";
import { freeBytes } from "../../host/disk_space.ts";
import { NEARLY_FULL } from "../../monitor/advice.ts";
import { nativeDetail } from "../../queue/native_sqlite.ts";
import { engineInUse } from "../../queue/sqlite.ts";
import { queuesSetAside } from "../../queue/repair/queue_files.ts";
import type { CommandContext } from "../command.ts";
import { type Look, lookInto, noQueue } from "../store.ts";
import { failure, type Finding, ok, warning } from "./finding.ts";

/** Says which SQLite stores the queue. */
export function inspectEngine(): Finding[] {
  const { name, sqlite } = engineInUse();
  return [ok("database", `SQLite ${sqlite}, ${name}: ${nativeDetail}`)];
}

/** Looks at the data directory, the queue, the spool, and both against each other. */
export function inspectStore({ settings }: CommandContext): Finding[] {
  const { dataDir, minFreeBytes, maxSpoolBytes } = settings;
  using look = lookInto(settings);
  if (!look) {
    return [
      warning(
        "queue",
        noQueue(settings),
        "nothing to do if none was ever used here",
      ),
    ];
  }
  const { queue } = look;
  const { pending, uploading, failed } = queue.getStats();
  const damage = queue.findDamage();
  const free = freeBytes(dataDir);
  const bytes = queue.spooledBytes();
  return [
    openTo(dataDir),
    damage === null ? ok("queue", "it is sound") : failure(
      "queue",
      damage,
      'stop the agent, then "jarvis-agent run" sets it aside and keeps what can be read',
    ),
    ...queuesSetAside(queue.path).map((name) =>
      warning(
        "queue",
        `a damaged one was set aside as "${name}"`,
        "remove it when it is of no more use",
      )
    ),
    failed === 0
      ? ok("captures", `${pending + uploading} wait, none failed`)
      : warning(
        "captures",
        `${pending + uploading} wait, ${failed} failed`,
        '"jarvis-agent list --status failed" says why',
      ),
    ...inspectSpool(look),
    bytes < maxSpoolBytes * NEARLY_FULL
      ? ok("spool", `${formatBytes(bytes)} in it`)
      : failure(
        "spool",
        `it is full: ${formatBytes(bytes)}`,
        "get the server to take captures, or raise --max-spool-bytes",
      ),
    free >= minFreeBytes ? ok("disk", `${formatBytes(free)} free`) : failure(
      "disk",
      `${formatBytes(free)} free, ${formatBytes(minFreeBytes)} are kept free`,
      "make room on it, or lower --min-free-bytes",
    ),
  ];
}

function openTo(dataDir: string): Finding {
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

function inspectSpool({ queue, spool }: Look): Finding[] {
  if (!spool) return [];
  const orphans = spool.orphans();
  let missing = 0;
  for (const captures of queue.spooled()) {
    for (const { id } of captures) {
      const isThere = spool.canHold(id) && exists(spool.pathOf(id));
      // One that is being delivered may just have left.
      if (!isThere && queue.get(id)) missing++;
    }
  }
  return [
    missing === 0 ? ok("spool", "it has each capture's copy") : failure(
      "spool",
      `${counted(missing, "capture")} without a copy`,
      "hand them over again; the agent marks them failed",
    ),
    ...(orphans === 0 ? [] : [
      warning(
        "spool",
        `${counted(orphans, "file")} in its folder "orphans" without a capture`,
        "hand them over again, or remove them",
      ),
    ]),
  ];
}
