import { type CommandContext, ExitCode } from "../command.ts";
import {
  inspectAgent,
  inspectFolders,
  inspectLimits,
} from "../doctor/agent.ts";
import { failure, type Finding } from "../doctor/finding.ts";
import { inspectServer } from "../doctor/server.ts";
import { inspectEngine, inspectStore } from "../doctor/store.ts";

type Inspection = (context: CommandContext) => Finding[] | Promise<Finding[]>;

const INSPECTIONS: Record<string, Inspection> = {
  database: inspectEngine,
  queue: inspectStore,
  agent: inspectAgent,
  folders: inspectFolders,
  limits: inspectLimits,
  server: inspectServer,
};

/** Looks at everything that a delivery needs, and goes on after a failure; exits 1 if something is wrong. */
export async function run(context: CommandContext): Promise<number> {
  const { given, out } = context;
  const findings: Finding[] = [];
  for (const [what, inspect] of Object.entries(INSPECTIONS)) {
    try {
      findings.push(...await inspect(context));
    } catch (error) {
      findings.push(
        failure(what, (error as Error).message, "mend that, then look again"),
      );
    }
  }
  if (given.has("json")) out(JSON.stringify(findings));
  else findings.map(lineOf).forEach((line) => out(line));
  const isWell = findings.every(({ level }) => level !== "failure");
  return isWell ? ExitCode.ok : ExitCode.failure;
}

function lineOf({ level, what, text, remedy }: Finding): string {
  return `${level.padEnd(7)}  ${what}: ${text}` +
    (remedy === null ? "" : `; what to do: ${remedy}`);
}
