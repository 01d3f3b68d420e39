/**
 * All settings of a command: those that it is given, and those of the service's
 * settings file, which every command reads, so that all of them work with the queue
 * that the service delivers.
 *
 * @module
 */

import { statIfThere } from "../../host/files.ts";
import { messageOf } from "../../host/message_of.ts";
import { type Ambient, type OptionValues, UsageError } from "../arguments.ts";
import { didYouMean } from "../closest.ts";
import { valueOf } from "../command_line.ts";
import { readSettings, type Settings } from "./config.ts";
import { type OptionName, OPTIONS, type OptionSpec } from "./options.ts";
import { namedSettingsFile, SETTINGS_FILE } from "./own_files.ts";
import { readSecret } from "./secret_file.ts";
import { linesNotRead, parseEnvFile } from "../service/env_file.ts";

/** The settings file, as it was read. */
export interface SettingsFile {
  /** `undefined` if it is not known where it would be. */
  path: string | undefined;
  /** Its variables; none if there is no such file. */
  variables: ReadonlyMap<string, string>;
}

const TOKEN_OPTIONS = ["token-file", "token-command"] as const;
const TOKEN_VARIABLES = [
  ...TOKEN_OPTIONS.map((name) => OPTIONS[name].env),
  "JARVIS_TOKEN",
];

/**
 * Reads the file that `--config` names, else the one that `service install` writes,
 * if it is there.
 *
 * @throws {UsageError} if it cannot be read, or belongs to another user.
 */
export function readSettingsFile(
  given: OptionValues,
  around: Ambient,
): SettingsFile {
  const named = given.path("config");
  const path = named ?? namedSettingsFile(given, around);
  const none = { path, variables: new Map() };
  if (path === undefined) return none;
  if (named === undefined && !isThere(path)) return none;
  const text = readSecret(path, SETTINGS_FILE, around.err);
  for (const { number, expected } of linesNotRead(text)) {
    around.err(
      `jarvis-agent: Nothing reads line ${number} of "${path}": expected ${expected}`,
    );
  }
  return { path, variables: parseEnvFile(text) };
}

/** Fills in the settings that neither the command line nor the environment gives. */
export function withSettingsFile(
  given: OptionValues,
  env: Ambient["env"],
  { path, variables }: SettingsFile,
): { given: OptionValues; env: Ambient["env"] } {
  // One source of the token takes the place of the others.
  const hasToken = TOKEN_OPTIONS.some((name) => given.text(name)) ||
    Boolean(env("JARVIS_TOKEN"));
  const inFile = (variable: string) =>
    hasToken && TOKEN_VARIABLES.includes(variable)
      ? undefined
      : variables.get(variable);
  const names = Object.keys(OPTIONS) as OptionName[];
  const values = names.flatMap((name) => {
    const value = name === "config" ? undefined : valueOf(name, inFile);
    if (!value) return [];
    const source = `${value.source} in "${path}"`;
    return [[name, { ...value, source }] as const];
  });
  return {
    given: given.withDefaults(new Map(values)),
    env: (name) =>
      env(name) || (name === "JARVIS_TOKEN" ? inFile(name) : env(name)),
  };
}

/** Warns of each variable that is not read: most likely its name is misspelt. */
export function warnOfUnknown(
  names: Iterable<string>,
  where: string,
  err: Ambient["err"],
): void {
  const known = [
    ...Object.values<OptionSpec>(OPTIONS).map(({ env }) => env ?? ""),
    "JARVIS_TOKEN",
    "JARVIS_DEPS",
  ];
  for (const name of names) {
    if (!name.startsWith("JARVIS_") || known.includes(name)) continue;
    const near = didYouMean(name, known, (other) => other);
    err(`jarvis-agent: Nothing reads the variable ${name} in ${where}${near}`);
  }
}

function isThere(path: string): boolean {
  try {
    return statIfThere(path) !== undefined;
  } catch (cause) {
    throw new UsageError(
      `Cannot read ${SETTINGS_FILE} "${path}": ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
}

/** The settings of a command, and where they are from. */
export interface AllSettings {
  settings: Settings;
  /** All given settings, by the settings file too. */
  given: OptionValues;
  /** `undefined` for a command that reads none. */
  file: SettingsFile | undefined;
  /** The reasons why some were left out. */
  wrong: string[];
}

/**
 * Reads the settings, also from the settings file.
 *
 * @param options `tolerant` leaves out unusable settings, with the reasons. `onGiven`
 * is called with all that was given, before it is checked.
 * @throws {UsageError} on unusable settings.
 */
export function readAllSettings(
  given: OptionValues,
  around: Ambient,
  { tolerant = false, onGiven }: {
    tolerant?: boolean;
    onGiven: (given: OptionValues) => void;
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
  given: OptionValues,
  env: Ambient["env"],
  onWrong: (message: string) => void,
): OptionValues {
  const quiet = { env, err: () => {} };
  const objection = (given: OptionValues) =>
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
    // A setting that nobody gave cannot be left out.
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
