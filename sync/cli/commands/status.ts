import { format as formatDuration } from "@std/fmt/duration";
import { agentLockPath } from "../../agent/agent_lock.ts";
import { ProcessLock } from "../../host/lock.ts";
import { queuesSetAside } from "../../queue/repair/queue_salvage.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { openStore, type Store } from "../store.ts";

/** Shows the queue, the agent and the server as the agent sees it. */
export async function run(context: CommandContext): Promise<number> {
  const { settings, given, out } = context;
  using store = openStore(settings);
  const status = await readStatus(store, settings.server);
  if (given.has("json")) out(JSON.stringify(status));
  else describe(status, store).forEach((line) => out(line));
  return ExitCode.ok;
}

type Status = Awaited<ReturnType<typeof readStatus>>;

/** This is what scripts read: nothing in it may change its name. */
async function readStatus({ queue }: Store, serverUrl: string | null) {
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
      url: running ? state.serverUrl : serverUrl ?? state.serverUrl,
      // Nobody knows how it stands while no agent looks.
      state: running ? state.serverState : "unknown",
      reason: running ? state.serverReason : null,
      since: running && state.serverSince !== null
        ? new Date(state.serverSince).toISOString()
        : null,
    },
    agent: { running, pid: running ? state.pid : null },
    database: { path: queue.path, engine: name, sqlite },
  };
}

function describe(status: Status, { queue, spool }: Store): string[] {
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
  const orphans = spool.orphans();
  if (orphans > 0) {
    lines.push(
      `${orphans} files in the spool's folder "orphans" belong to no capture.`,
    );
  }
  return lines;
}
