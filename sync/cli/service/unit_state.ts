/**
 * What systemd tells of the unit, in plain words.
 *
 * @module
 */

import { exists } from "../../host/files.ts";
import { ExitCode } from "../command.ts";
import { WAITING } from "../daemon/start_obstacle.ts";

/** What {@linkcode reasonOf} reads of the unit. */
export const REASON_PROPERTIES = [
  "ActiveState",
  "SubState",
  "Result",
  "StatusText",
  "ExecMainStatus",
  "ExecStart",
] as const;

/** The exit codes of an agent that has told its error to systemd before. */
const TOLD: string[] = [ExitCode.failure, ExitCode.usage, ExitCode.temporary]
  .map(String);
/** The exit code of a process whose program could not be run. */
const NOT_RUN = "203";

/** Why the last run of the unit ended, or why it does no work; `null` if it works. */
export function reasonOf(
  found: Readonly<Record<string, string>>,
  envFile: string,
): string | null {
  const { ActiveState: active, SubState: sub = "", StatusText: text = "" } =
    found;
  if (active === "active" || active === "reloading") {
    return text.startsWith(WAITING) ? text : null;
  }
  if (found.Result === "success") return null;
  const death = deathOf(found);
  if (!death) return obstacleOf(found, envFile);
  return sub.startsWith("auto-restart")
    ? `${death}, and is started again`
    : death;
}

/** How an agent ended that could not say it: its status is of the time before. */
function deathOf(
  { Result, ExecMainStatus }: Readonly<Record<string, string>>,
): string | undefined {
  const deaths: Record<string, string> = {
    signal: `it was killed (signal ${ExecMainStatus})`,
    "core-dump": `it crashed (signal ${ExecMainStatus})`,
    "oom-kill": "it was killed for the memory that it used",
    timeout: "it took too long to start or to end, and was killed",
    watchdog: "it hung and was killed",
  };
  return deaths[Result!];
}

function obstacleOf(
  found: Readonly<Record<string, string>>,
  envFile: string,
): string {
  const { Result, StatusText, ExecMainStatus: code = "" } = found;
  if (Result === "resources" && !exists(envFile)) {
    return `its settings file "${envFile}" is gone: put it back, or ` +
      '"jarvis-agent service install --server URL" writes it anew';
  }
  if (Result !== "exit-code") return `systemd cannot run it (${Result})`;
  if (code === NOT_RUN) return notRun(found.ExecStart);
  if (StatusText && TOLD.includes(code)) return StatusText;
  return `it ended with exit status ${code}`;
}

/** @param start Like `{ path=/bin/a b ; argv[]=… }`. */
function notRun(start = ""): string {
  const [, path = "of the unit"] = /path=(.*?) ; argv\[\]=/.exec(start) ?? [];
  return exists(path)
    ? `its executable "${path}" cannot be run`
    : `its executable "${path}" is gone`;
}
