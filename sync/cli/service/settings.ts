import { DELIMITER, resolve } from "@std/path";
import { variable } from "../../host/environment.ts";
import { messageOf } from "../../host/message_of.ts";
import { UsageError } from "../arguments.ts";
import type { CommandContext } from "../command.ts";
import type { Settings } from "../settings/config.ts";
import {
  type OptionName,
  OPTIONS,
  RUN_OPTIONS,
  specOf,
} from "../settings/options.ts";
import { parseEnvFile, updateEnvFile } from "./env_file.ts";

export interface ServiceSettings {
  settings: Settings;
  /** The variables to set in the environment file. */
  changes: Map<string, string>;
}

/**
 * Returns the settings for the service: those given on the command line or by the
 * environment, and for the rest those of its environment file.
 *
 * @throws {UsageError} if they cannot be used, or not by a service.
 */
export async function mergedSettings(
  { given, settings, reread }: CommandContext,
  envFile: string,
): Promise<ServiceSettings> {
  const changes = new Map<string, string>();
  for (const name of RUN_OPTIONS) {
    const text = given.text(name);
    const { env } = OPTIONS[name];
    if (text !== undefined) changes.set(env, absolute(name, text, settings));
  }
  // One source of the token takes the place of the other.
  for (const [one, other] of [TOKEN_SOURCES, TOKEN_SOURCES.toReversed()]) {
    if (changes.has(one!)) changes.set(other!, changes.get(other!) ?? "");
  }
  const file = new Map([...parseEnvFile(envFile), ...changes]);
  const merged = await reread((name) =>
    name.startsWith("JARVIS_") ? file.get(name) : variable(name)
  );
  if (merged.server === null) {
    throw new UsageError(
      "Cannot install a service that has nowhere to send to: expected --server URL",
    );
  }
  if (
    variable("JARVIS_TOKEN") &&
    !TOKEN_SOURCES.some((name) => file.get(name))
  ) {
    throw new UsageError(
      "Cannot hand JARVIS_TOKEN to a service: expected --token-file FILE",
    );
  }
  // The shell's XDG_DATA_HOME need not be the service's.
  if (!file.has("JARVIS_DATA_DIR")) {
    changes.set("JARVIS_DATA_DIR", merged.dataDir);
  }
  try {
    updateEnvFile("", changes);
  } catch (cause) {
    throw new UsageError(messageOf(cause), { cause });
  }
  return { settings: merged, changes };
}

const TOKEN_SOURCES = ["JARVIS_TOKEN_FILE", "JARVIS_TOKEN_COMMAND"];

/** A service has another working directory. */
function absolute(name: OptionName, text: string, settings: Settings): string {
  const { watch, afterUpload, filter } = settings;
  switch (name) {
    case "watch":
      return listOf(name, watch);
    case "include":
    case "exclude":
      return listOf(name, filter[name] ?? []);
    case "after-upload":
      return afterUpload.kind === "move" ? `move:${afterUpload.dir}` : text;
    default:
      return specOf(name).path ? resolve(text) : text;
  }
}

/** Several values in one variable. */
function listOf(name: OptionName, texts: string[]): string {
  const odd = texts.find((text) => text.includes(DELIMITER));
  if (odd === undefined) return texts.join(DELIMITER);
  throw new UsageError(
    `Cannot keep --${name} "${odd}" as a setting, where "${DELIMITER}" separates values: expected another name, or a link to it`,
  );
}
