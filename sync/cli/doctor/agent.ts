import { type Finding, ok, warning } from "../../monitor/finding.ts";
import { judge } from "../../monitor/judge.ts";
import { DOCTOR } from "../../monitor/remedy.ts";
import type { CommandContext } from "../command.ts";
import { serviceState } from "../service/state.ts";
import { isLingering, properties } from "../service/systemd.ts";
import { UNIT } from "../service/unit.ts";
import { readReport } from "../read_report.ts";
import { lookInto } from "../store.ts";
import { readLimits } from "./limits.ts";

/** The limits that a busy agent with watched folders needs. */
const OPEN_FILES = 512;
const INOTIFY_WATCHES = 8192;
/**
 * The subjects that doctor tries itself: where that has failed, the agent's finding
 * is the same again.
 */
const TRIED = ["server", "folder"];

/** Looks at the subjects that `status` judges, and at the service. */
export async function inspectAgent(
  { settings }: CommandContext,
  found: Finding[],
): Promise<Finding[]> {
  using look = lookInto(settings);
  const service = await serviceState();
  const failed = found.filter(({ level }) => level === "failure")
    .map(({ what }) => what).filter((what) => TRIED.includes(what));
  const told = judge(await readReport({ settings, look, service }))
    .filter(({ what }) => !failed.includes(what)).map(withoutDoctor);
  if (!service) return told;
  const { UnitFileState } = await properties(UNIT, "UnitFileState");
  return [...told, inspectEnabled(UnitFileState), await inspectLinger()];
}

/** Who reads this has asked doctor already. */
function withoutDoctor(finding: Finding): Finding {
  const remedy = finding.remedy?.replace(
    DOCTOR,
    '"jarvis-agent list" has the last error of each capture',
  );
  return { ...finding, remedy: remedy ?? null };
}

/** @param state As systemd has it: `enabled`, `disabled`, `enabled-runtime` … */
export function inspectEnabled(state = ""): Finding {
  if (["", "enabled"].includes(state)) return ok("start", state || "not known");
  const text = `the service does not start with the system: it is ${state}`;
  return warning("start", text, "jarvis-agent service install");
}

async function inspectLinger(): Promise<Finding> {
  const lingers = await isLingering();
  if (lingers !== false) return ok("linger", lingers ? "on" : "not known");
  const text = "the service ends when this user logs out";
  return warning("linger", text, "loginctl enable-linger");
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
