import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { UsageError } from "../../sync/cli/arguments.ts";
import type { CommandContext } from "../../sync/cli/command.ts";
import { parseCommandLine } from "../../sync/cli/command_line.ts";
import { readSettings, type Settings } from "../../sync/cli/settings/config.ts";
import { RUN_OPTIONS } from "../../sync/cli/settings/options.ts";
import {
  parseEnvFile,
  updateEnvFile,
} from "../../sync/cli/service/env_file.ts";
import { mergedSettings } from "../../sync/cli/service/settings.ts";
import { fileName } from "./odd_text.ts";
import { target } from "./target.ts";

const folder = fileName.map((name) => `/no-such-folder/${name}`);
const option = (name: string, value: fc.Arbitrary<string>) =>
  value.map((text) => `--${name}=${text}`);

const given = fc.array(
  fc.oneof(
    option("watch", folder),
    option("watch", fileName),
    option("include", fileName),
    option("exclude", fileName),
    option("data-dir", folder),
    option("after-upload", folder.map((dir) => `move:${dir}`)),
    option("settle", fc.nat(90_000).map(String)),
    option("max-size", fc.nat().map(String)),
    option("timeout", fc.constantFrom("1m", "1h30m", "0.5")),
    fc.constantFrom("--verbose", "--proof=status", "--allow-insecure"),
  ),
  { maxLength: 6 },
);

function read(args: string[], env: (name: string) => string | undefined): {
  settings: Settings;
  context: CommandContext;
} {
  const { given } = parseCommandLine(args, RUN_OPTIONS, env);
  const around = { env, err() {}, writeLog() {}, out() {} };
  const settings = readSettings(given, around);
  const context: CommandContext = {
    ...around,
    settings,
    given,
    args: [],
    settingsFile: undefined,
    wrongSettings: [],
    envNames: () => [],
    stopSignal: () => new AbortController().signal,
    onReload() {},
    reread: (env) => Promise.resolve(read(args, env).settings),
  };
  return { settings, context };
}

/** A service runs with what it was installed with, or is not installed. */
const settings = target(
  "settings of a service",
  { share: 60 },
  () =>
    fc.asyncProperty(given, async (args) => {
      // A service has nothing else of its user's.
      const own = (name: string) =>
        name === "HOME" ? Deno.env.get(name) : undefined;
      const all = ["--server=https://captures.example.org", ...args];
      try {
        const { settings, context } = read(all, own);
        const { changes } = await mergedSettings(context, "");
        const file = parseEnvFile(updateEnvFile("# A comment\n", changes));
        const service = read([], (name) => file.get(name));
        assertEquals(plain(service.settings), plain(settings));
      } catch (error) {
        assert(error instanceof UsageError, String(error));
        assert(error.message.includes("expected"), error.message);
      }
    }),
);

/** What a service's settings can be told apart by. */
function plain({ token: _, ...rest }: Settings): unknown {
  return rest;
}

export const SERVICE_SETTINGS = [settings];
