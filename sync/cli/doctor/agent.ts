import { readLimits } from "../../host/limits.ts";
import type { CommandContext } from "../command.ts";
import { serviceState } from "../service/state.ts";
import { isLingering } from "../service/systemd.ts";
import { readReport } from "../status_report.ts";
import { lookInto } from "../store.ts";
import { failure, type Finding, ok, warning } from "./finding.ts";

/** The limits that a busy agent with watched folders needs. */
const OPEN_FILES = 512;
const INOTIFY_WATCHES = 8192;

/** Looks at the agent that runs, and at the service that runs it. */
export async function inspectAgent(
  { settings }: CommandContext,
): Promise<Finding[]> {
  using look = lookInto(settings);
  const service = await serviceState();
  const { agent, paused } = await readReport({ settings, look, service });
  const findings: Finding[] = [];
  if (!agent.running) {
    findings.push(
      failure(
        "agent",
        "no agent runs",
        '"jarvis-agent service install" keeps one running',
      ),
    );
  } else if (agent.hanging) {
    findings.push(
      failure(
        "agent",
        `process ${agent.pid} hangs, its last turn was at ${agent.heartbeatAt}`,
        `"kill -CONT ${agent.pid}" if somebody stopped it, else end it`,
      ),
    );
  } else findings.push(ok("agent", `it runs, process ${agent.pid}`));
  if (agent.problem) {
    findings.push(
      warning("agent", agent.problem, "mend that, then reload it"),
    );
  }
  if (paused) {
    findings.push(
      warning(
        "deliveries",
        `they are paused since ${paused.since}`,
        '"jarvis-agent resume"',
      ),
    );
  }
  if (service) findings.push(...await inspectService(service));
  return findings;
}

async function inspectService(
  { state, reason }: { state: string; reason: string | null },
): Promise<Finding[]> {
  const lingers = await isLingering();
  return [
    reason === null ? ok("service", state) : failure(
      "service",
      `${state}: ${reason}`,
      '"jarvis-agent service logs" tells more',
    ),
    lingers === false
      ? warning(
        "linger",
        "the service ends when this user logs out",
        "loginctl enable-linger",
      )
      : ok("linger", lingers ? "on" : "not known"),
  ];
}

/** Checks the system's limits. */
export function inspectLimits({ settings }: CommandContext): Finding[] {
  const { openFiles, inotifyWatches } = readLimits();
  const findings: Finding[] = [];
  if (openFiles !== null) {
    findings.push(
      openFiles >= OPEN_FILES
        ? ok("limits", `${openFiles} open files`)
        : warning(
          "limits",
          `${openFiles} open files, ${OPEN_FILES} may be needed`,
          "ulimit -n 4096 where the agent is started",
        ),
    );
  }
  if (inotifyWatches !== null && settings.watch.length > 0) {
    findings.push(
      inotifyWatches >= INOTIFY_WATCHES
        ? ok("limits", `${inotifyWatches} watched folders`)
        : warning(
          "limits",
          `${inotifyWatches} watched folders, further ones are looked through every few seconds`,
          `sysctl fs.inotify.max_user_watches=${INOTIFY_WATCHES * 8}`,
        ),
    );
  }
  return findings;
}
