import { format as formatBytes } from "@std/fmt/bytes";
import { agentLockPath } from "../../agent/agent_lock.ts";
import { freeBytes } from "../../host/disk_space.ts";
import { ProcessLock } from "../../host/lock.ts";
import { engineInUse } from "../../queue/engine_in_use.ts";
import { nativeDetail } from "../../queue/native_sqlite.ts";
import { queuesSetAside } from "../../queue/repair/queue_files.ts";
import { createUploader, describeReadiness } from "../agent_parts.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import type { Settings } from "../config.ts";
import { type Look, lookInto, noQueue } from "../store.ts";

type Say = (good: boolean, text: string) => void;

/** Looks at everything that a delivery needs; exits 1 if something is wrong. */
export async function run(context: CommandContext): Promise<number> {
  const { settings, out } = context;
  let healthy = true;
  const say: Say = (good, text) => {
    healthy &&= good;
    out(`${good ? "ok   " : "WRONG"}  ${text}`);
  };
  using look = lookInto(settings);
  const { name, sqlite } = engineInUse();
  say(true, `SQLite ${sqlite}, ${name}: ${nativeDetail}`);
  if (look) await inspectStore(look, settings, say);
  else say(false, noQueue(settings));
  if (settings.server === null) {
    say(false, "no server is given (--server, JARVIS_SERVER_URL)");
  } else {
    await using uploader = createUploader(settings, { maxRetries: 1 });
    const readiness = await uploader.probe();
    say(readiness.ready, describeReadiness(uploader.serverUrl, readiness));
  }
  return healthy ? ExitCode.ok : ExitCode.failure;
}

async function inspectStore(
  { queue, spool }: Look,
  { dataDir, minFreeBytes }: Settings,
  say: Say,
): Promise<void> {
  say(true, `data directory "${dataDir}"`);
  const damage = queue.findDamage();
  say(damage === null, damage ?? "the queue is sound");
  for (const name of queuesSetAside(queue.path)) {
    say(
      false,
      `a damaged queue was set aside; remove "${name}" when it is of no more use`,
    );
  }
  const { pending, failed } = queue.getStats();
  say(failed === 0, `${pending} captures pending, ${failed} failed`);
  const free = freeBytes(dataDir);
  say(
    free >= minFreeBytes,
    `${formatBytes(free)} free, ${
      formatBytes(minFreeBytes)
    } needed to take captures`,
  );
  const orphans = spool?.orphans() ?? 0;
  say(orphans === 0, `${orphans} files in the spool belong to no capture`);
  const running = await ProcessLock.isHeld(agentLockPath(queue.path));
  say(running, running ? "the agent runs" : "no agent runs");
}
