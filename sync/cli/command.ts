import type { Settings } from "./settings/config.ts";
import type { Ambient, OptionValues } from "./arguments.ts";
import type { OptionName } from "./settings/options.ts";
import type { SettingsFile } from "./settings/all_settings.ts";

/** The program's surroundings: its streams, environment and signals. */
export interface Surroundings extends Ambient {
  /** Writes one line to standard output, or with another end a piece of one. */
  out: (line: string, end?: string) => void;
  /**
   * Returns a signal that aborts when the program is to stop. To be called once;
   * without it the program ends at once.
   *
   * @param options `hangup`: also when its terminal or session ends (SIGHUP);
   * `unread`: also when the reader of standard output has gone.
   */
  stopSignal: (
    options?: { hangup?: boolean; unread?: boolean },
  ) => AbortSignal;
  /** The names of all variables of the environment. */
  envNames: () => string[];
  /** Calls back whenever the settings are to be read again (SIGHUP). */
  onReload: (reload: () => void) => void;
}

/** The settings, arguments and streams that a command works with. */
export interface CommandContext extends Surroundings {
  settings: Settings;
  given: OptionValues;
  /** The settings file, where the command reads one. */
  settingsFile: SettingsFile | undefined;
  /** Writes a line of the agent's log, as it is, to standard error. */
  writeLog: (line: string) => void;
  /** The reasons why some settings were left out. */
  wrongSettings: string[];
  /** The arguments that are not options. */
  args: string[];
  /**
   * Reads the settings again: the same command line in another environment.
   *
   * @throws {UsageError} if they cannot be used.
   */
  reread: (env: Surroundings["env"]) => Promise<Settings>;
}

/** The exit codes of commands. */
export const ExitCode = {
  ok: 0,
  /** Nothing that a repetition would change. */
  failure: 1,
  /** The command line or a setting is wrong. */
  usage: 2,
  /** Try again later (`EX_TEMPFAIL` of sysexits). */
  temporary: 75,
} as const;

/** One command: its arguments and options, and its help. */
export interface Command {
  summary: string;
  /** The arguments after its name: none, one, or with `...` any number. */
  args?: string;
  /** How many of them it needs. @default {1, if it takes any} */
  min?: number;
  options: readonly OptionName[];
  /** Whether the token is read before the command begins. @default {true} */
  readsToken?: boolean;
  /**
   * Whether its output on standard error is a log, in the format of `--log-format`.
   * @default {false}
   */
  isAgent?: boolean;
  /** Whether settings that cannot be used are left out, and told by the command. @default {false} */
  toleratesWrong?: boolean;
  /** Whether the service's settings are its settings, too. @default {true} */
  readsSettingsFile?: boolean;
  example: string;
  /** Further help. */
  notes?: string;
  /** Loads its module: only when it runs, as loading all takes longer than a short command. */
  load: () => Promise<CommandModule>;
}

/** All options that a command takes. */
export function optionsOf(command: Command): readonly OptionName[] {
  const { options, readsSettingsFile = true } = command;
  return readsSettingsFile ? [...options, "config"] : options;
}

/** The module that does a command. */
export interface CommandModule {
  run(context: CommandContext): number | Promise<number>;
}
