import { messageOf } from "../../host/message_of.ts";
import { failure, type Finding, ok } from "../../monitor/finding.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { inspectAgent, inspectLimits } from "../doctor/agent.ts";
import { inspectFolders } from "../doctor/folders.ts";
import { inspectServer } from "../doctor/server.ts";
import { inspectEngine, inspectStore } from "../doctor/store.ts";

/** Looks at one thing; `found` has the earlier findings. */
type Inspection = (
  context: CommandContext,
  found: Finding[],
) => Finding[] | Promise<Finding[]>;

const INSPECTIONS: Record<string, Inspection> = {
  settings: inspectSettings,
  database: inspectEngine,
  queue: inspectStore,
  folders: inspectFolders,
  limits: inspectLimits,
  server: inspectServer,
  agent: inspectAgent,
};

/** Looks at everything that a delivery needs, and goes on after a failure; exits 1 if something is wrong. */
export async function run(context: CommandContext): Promise<number> {
  const { given, out } = context;
  const findings: Finding[] = [];
  for (const [what, inspect] of Object.entries(INSPECTIONS)) {
    try {
      findings.push(...await inspect(context, findings));
    } catch (error) {
      findings.push(
        failure(what, messageOf(error), "mend that, then look again"),
      );
    }
  }
  if (given.has("json")) out(JSON.stringify(findings));
  else findings.map(lineOf).forEach((line) => out(line));
  const isWell = findings.every(({ level }) => level !== "failure");
  return isWell ? ExitCode.ok : ExitCode.failure;
}

/** Looks whether the agent could begin with the settings. */
function inspectSettings(
  { settingsFile, wrongSettings }: CommandContext,
): Finding[] {
  const remedy = "mend it: an agent does not begin with it";
  if (wrongSettings.length > 0) {
    return wrongSettings.map((text) => failure("settings", text, remedy));
  }
  return [
    settingsFile && settingsFile.variables.size > 0
      ? ok("settings", `also from "${settingsFile.path}"`)
      : ok("settings", "from options and the environment alone"),
  ];
}

function lineOf({ level, what, text, remedy }: Finding): string {
  return `${level.padEnd(7)}  ${what}: ${text}` +
    (remedy === null ? "" : `; what to do: ${remedy}`);
}
