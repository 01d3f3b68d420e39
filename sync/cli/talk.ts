import { createLog, type Log } from "../host/log.ts";
import type { CommandContext } from "./command.ts";
import { Progress } from "./progress.ts";

/** How a command talks to a person who waits for it. */
export interface Talk {
  isQuiet: boolean;
  isJson: boolean;
  progress: Progress;
  /** As those of the command, above the progress. */
  out: (line: string) => void;
  err: (line: string) => void;
  /** Says how it went: to whoever wants to hear nothing else, only if it went wrong. */
  say: (line: string, isWell: boolean) => void;
  /** Tells what is urgent; with `--verbose` all there is, with `--quiet` errors. */
  log: Log;
}

/** Reads from a command's options how it is to talk. */
export function talkOf({ settings, given, out, err }: CommandContext): Talk {
  const isQuiet = given.has("quiet");
  const progress = new Progress({ isQuiet });
  const level = settings.logLevel === "debug" ? "debug" : "warn";
  const [write, tell] = [progress.above(out), progress.above(err)];
  return {
    isQuiet,
    isJson: given.has("json"),
    progress,
    out: write,
    err: tell,
    say(line, isWell) {
      if (!isQuiet) write(line);
      else if (!isWell) tell(`jarvis-agent: ${line}`);
    },
    log: createLog({ write: tell, level: isQuiet ? "error" : level }),
  };
}
