import { format as formatDuration } from "@std/fmt/duration";
import { agentLockPath } from "../agent.ts";
import { ProcessLock } from "../lock.ts";
import { type CommandContext, ExitCode } from "./command.ts";
import { openStore, type Store } from "./store.ts";

/** Shows the queue, the agent and the server as the agent sees it. */
export async function run(context: CommandContext): Promise<number> {
  using store = openStore(context.settings);
  const status = await readStatus(context, store);
  if (context.given.has("json")) context.out(JSON.stringify(status));
  else for (const line of describe(status)) context.out(line);
  return ExitCode.ok;
}

type Status = Awaited<ReturnType<typeof readStatus>>;

async function readStatus(context: CommandContext, { queue, spool }: Store) {
  const { pending, uploading, failed, delivered } = queue.getStats();
  const oldest = queue.oldestPendingMs();
  const state = queue.getAgentState();
  const running = await ProcessLock.isHeld(agentLockPath(queue.path));
  const { name, sqlite } = queue.engine;
  return {
    pending,
    uploading,
    failed,
    delivered,
    oldestPendingAgeSeconds: oldest === null
      ? null
      : Math.max(Math.round((Date.now() - oldest) / 1000), 0),
    server: {
      url: state.serverUrl ?? context.settings.server,
      // Nobody knows how it stands while no agent looks.
      state: running ? state.serverState : "unknown",
      reason: running ? state.serverReason : null,
      since: running && state.serverSince !== null
        ? new Date(state.serverSince).toISOString()
        : null,
    },
    agent: { running, pid: running ? state.pid : null },
    database: { path: queue.path, engine: name, sqlite },
    spool: { bytes: queue.spooledBytes(), orphans: spool.orphans() },
  };
}

function describe(status: Status): string[] {
  const { pending, uploading, failed, delivered, server, agent, spool } =
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
    `Database  ${status.database.path} (SQLite ${status.database.sqlite}, ${status.database.engine})`,
  ];
  if (failed > 0) lines.push('"jarvis-agent list --status failed" says why.');
  if (spool.orphans > 0) {
    lines.push(
      `${spool.orphans} files in the spool's folder "orphans" belong to no capture.`,
    );
  }
  return lines;
}
