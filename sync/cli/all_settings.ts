import { type Ambient, type Given, UsageError } from "./arguments.ts";
import { readSettings, type Settings } from "./config.ts";
import {
  namedSettingsFile,
  readSettingsFile,
  type SettingsFile,
  withSettingsFile,
} from "./settings_file.ts";

/** The settings of a command, and where they are from. */
export interface AllSettings {
  settings: Settings;
  /** What was given, by the settings file too. */
  given: Given;
  /** `undefined` for a command that reads none. */
  file: SettingsFile | undefined;
  /** Why some were left out. */
  wrong: string[];
}

/**
 * Reads the settings, also from the settings file.
 *
 * @param options `tolerant` leaves out what cannot be used, and says why. `onGiven`
 * is called with all that was given, before it is looked at.
 * @throws {UsageError} on what cannot be used.
 */
export function readAllSettings(
  given: Given,
  around: Ambient,
  { tolerant = false, onGiven }: {
    tolerant?: boolean;
    onGiven: (given: Given) => void;
  },
): AllSettings {
  const wrong: string[] = [];
  const file = given.takes("config")
    ? tolerated(() => readSettingsFile(given, around), (error) => {
      if (!tolerant) throw error;
      wrong.push(error.message);
      return { path: namedSettingsFile(given, around), variables: new Map() };
    })
    : undefined;
  const all = file
    ? withSettingsFile(given, around.env, file)
    : { given, env: around.env };
  onGiven(all.given);
  const rest = tolerant
    ? leaveOut(all.given, all.env, (message) => wrong.push(message))
    : all.given;
  const settings = readSettings(rest, { env: all.env, err: around.err });
  return { settings, given: rest, file, wrong };
}

/** Leaves out one option after the other, until the rest can be used. */
function leaveOut(
  given: Given,
  env: Ambient["env"],
  onWrong: (message: string) => void,
): Given {
  const quiet = { env, err: () => {} };
  const objection = (given: Given) =>
    tolerated<string | undefined>(() => {
      readSettings(given, quiet);
      return undefined;
    }, ({ message }) => message);
  for (;;) {
    const message = objection(given);
    if (message === undefined) return given;
    const culprit = given.names().find((name) =>
      objection(given.without(name)) !== message
    );
    // What nobody gave cannot be left out.
    if (culprit === undefined) return given;
    onWrong(message);
    given = given.without(culprit);
  }
}

function tolerated<T>(read: () => T, otherwise: (error: UsageError) => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof UsageError) return otherwise(error);
    throw error;
  }
}
