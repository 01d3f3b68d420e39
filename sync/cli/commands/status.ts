import { format as formatDuration } from "@std/fmt/duration";
import { join } from "@std/path";
import { agentLockPath } from "../../agent/agent_lock.ts";
import { QUEUE_FILE } from "../../host/data_dir.ts";
import { ProcessLock } from "../../host/lock.ts";
import { engineInUse } from "../../queue/engine_in_use.ts";
import { queuesSetAside } from "../../queue/repair/queue_files.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import type { Settings } from "../config.ts";
import { type Look, lookInto, noQueue } from "../store.ts";

/** Shows the queue, the agent and the server as the agent sees it. */
export async function run(context: CommandContext): Promise<number> {
  const { settings, given, out, err } = context;
  using look = lookInto(settings);
  const status = await readStatus(settings, look);
  if (given.has("json")) {
    if (!look) err(`jarvis-agent: ${noQueue(settings)}`);
    out(JSON.stringify(status));
  } else if (look) describe(status, look).forEach((line) => out(line));
  else out(noQueue(settings));
  return ExitCode.ok;
}

type Status = Awaited<ReturnType<typeof readStatus>>;

/**
 * This is what scripts read: nothing in it may change its name. Where there is no
 * queue nothing waits.
 */
async function readStatus(settings: Settings, look: Look | undefined) {
  const queue = look?.queue;
  const stats = queue?.getStats();
  const oldest = queue?.oldestPendingMs() ?? null;
  const state = queue?.getAgentState();
  const path = join(settings.dataDir, QUEUE_FILE);
  const running = await ProcessLock.isHeld(agentLockPath(path));
  const now = running ? state : undefined;
  const known = state?.serverUrl ?? null;
  const { name: engine, sqlite } = queue?.engine ?? engineInUse();
  return {
    pending: stats?.pending ?? 0,
    uploading: stats?.uploading ?? 0,
    failed: stats?.failed ?? 0,
    delivered: stats?.delivered ?? 0,
    oldestPendingAgeSeconds: oldest === null
      ? null
      : Math.max(Math.round((Date.now() - oldest) / 1000), 0),
    server: {
      url: running ? known : settings.server ?? known,
      // Nobody knows how it stands while no agent looks.
      state: now?.serverState ?? "unknown",
      reason: now?.serverReason ?? null,
      since: isoTime(now?.serverSince),
    },
    agent: { running, pid: now?.pid ?? null },
    database: { path, engine, sqlite },
  };
}

function isoTime(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : new Date(ms).toISOString();
}

function describe(status: Status, { queue, spool }: Look): string[] {
  const { pending, uploading, failed, delivered, server, agent, database } =
    status;
  const age = status.oldestPendingAgeSeconds;
  const waiting = age === null
    ? ""
    : ` (the oldest for ${
      formatDuration(Math.max(age, 1) * 1000, { ignoreZero: true })
    })`;
  const lines = [
    `Captures  ${pending} pending${waiting}, ${uploading} uploading, ${failed} failed, ${delivered} delivered`,
    `Server    ${server.url ?? "none given"}: ${server.state}` +
    (server.reason ? ` (${server.reason})` : ""),
    `Agent     ${
      agent.running ? `running, process ${agent.pid}` : "not running"
    }`,
    `Database  ${database.path} (SQLite ${database.sqlite}, ${database.engine})`,
  ];
  if (failed > 0) lines.push('"jarvis-agent list --status failed" says why.');
  for (const name of queuesSetAside(queue.path)) {
    lines.push(`A damaged queue was set aside and is kept as "${name}".`);
  }
  const orphans = spool?.orphans() ?? 0;
  if (orphans > 0) {
    lines.push(
      `${orphans} files in the spool's folder "orphans" belong to no capture.`,
    );
  }
  return lines;
}
