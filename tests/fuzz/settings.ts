import { assert } from "@std/assert";
import fc from "fast-check";
import { checkMetadata } from "../../sync/capture/metadata.ts";
import { UsageError } from "../../sync/cli/arguments.ts";
import { parseCommandLine } from "../../sync/cli/command_line.ts";
import { COMMANDS } from "../../sync/cli/commands.ts";
import { readSettings, type Settings } from "../../sync/cli/settings/config.ts";
import { optionsOf } from "../../sync/cli/command.ts";
import { parseEnvFile } from "../../sync/cli/service/env_file.ts";
import {
  readSettingsFile,
  withSettingsFile,
} from "../../sync/cli/settings/all_settings.ts";
import { readMetadata } from "../../sync/cli/metadata.ts";
import {
  type OptionName,
  OPTIONS,
  type OptionSpec,
} from "../../sync/cli/settings/options.ts";
import { CaptureFilter } from "../../sync/watch/capture_filter.ts";
import { oddText } from "./odd_text.ts";
import { target } from "./target.ts";

/** It would be run for each case. */
const LIVE = "token-command";
const NAMES = (Object.keys(OPTIONS) as OptionName[])
  .filter((name) => name !== LIVE);

const value = fc.oneof(
  oddText,
  fc.double().map(String),
  fc.maxSafeInteger().map(String),
  fc.tuple(
    fc.oneof(fc.nat(), fc.double()),
    fc.constantFrom("ms", "s", "m", "h", "d", "K", "M", "GiB", "T", "%"),
  ).map((parts) => parts.join("")),
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
  fc.constantFrom(
    ..."http://[::1]:8000|https://u:p@h/|true|no|id|status|keep|move:|move:/x"
      .split("|"),
    ...["[z-a]", "[[:digit:]", "{1..3}", "*".repeat(70_000), "+(a|b"],
    ...["/proc/self", "/dev/shm", "/tmp", ".", "../..", "/", "~"],
  ),
);

/** An argument for a command that takes these options, or one for another. */
function argument(own: OptionName[]): fc.Arbitrary<string> {
  const name = fc.oneof(
    // A command may have none.
    { arbitrary: fc.constantFrom(...own, NAMES[0]!), weight: 9 },
    { arbitrary: fc.constantFrom(...NAMES), weight: 1 },
  );
  return fc.oneof(
    {
      arbitrary: fc.tuple(name, value).map(([name, text]) =>
        `--${name}=${text}`
      ),
      weight: 6,
    },
    { arbitrary: name.map((name) => `--${name}`), weight: 2 },
    { arbitrary: value, weight: 1 },
    {
      arbitrary: fc.constantFrom("--", "-", "-h", "--no-json", "--token=x"),
      weight: 1,
    },
  );
}

const CREDENTIALS = "CREDENTIALS_DIRECTORY";
const VARIABLES = [
  "JARVIS_TOKEN",
  ...NAMES.flatMap((name) => (OPTIONS[name] as OptionSpec).env ?? []),
];

const given = fc.constantFrom(...Object.keys(COMMANDS)).chain((command) => {
  const own = optionsOf(COMMANDS[command]!).filter((name) => name !== LIVE);
  return fc.record({
    command: fc.constant(command),
    args: fc.array(argument(own), { maxLength: 5 }),
    env: fc.dictionary(
      fc.constantFrom(...VARIABLES, "HOME", "XDG_DATA_HOME", CREDENTIALS),
      // No system hands over one with a NUL.
      value.map((text) => text.replaceAll("\0", "")),
      { maxKeys: 4 },
    ),
    file: fc.array(
      fc.tuple(fc.constantFrom(...VARIABLES), value)
        .map((parts) => parts.join("=")),
      { maxLength: 3 },
    ).map((lines) => lines.join("\n")),
  });
});

const RANGES: [keyof Settings, number, number][] = [
  ["timeoutMs", 100, 86_400_000],
  ["concurrency", 1, 64],
  ["graceMs", 0, 86_400_000],
  ["minFreeBytes", 0, 2 ** 53 * 1024 ** 4],
];

const RUN = { command: "run", args: [], env: {}, file: "" };

/** Any command line in any environment gives settings within bounds, or is refused clearly. */
const settings = target(
  "settings",
  {
    share: 300,
    examples: [
      { ...RUN, env: { HOME: "home" } },
      { ...RUN, env: { HOME: "/", CREDENTIALS_DIRECTORY: "x".repeat(5_000) } },
      { ...RUN, args: ["--data-dir=/x", `--include=${"*".repeat(70_000)}`] },
      { ...RUN, args: ["--data-dir=/x", "--exclude=[z-a]"] },
    ],
  },
  () =>
    fc.asyncProperty(given, async ({ command, args, env, file }) => {
      const variable = (name: string) =>
        Object.hasOwn(env, name) ? env[name] : undefined;
      try {
        const { given } = parseCommandLine(
          args,
          optionsOf(COMMANDS[command]!),
          variable,
        );
        const around = { env: variable, err() {} };
        const settingsFile = given.text("config") === undefined
          ? { path: "/agent.env", variables: parseEnvFile(file) }
          : readSettingsFile(given, around);
        const all = withSettingsFile(given, variable, settingsFile);
        const read = readSettings(all.given, { ...around, env: all.env });
        await read.token.reload();
        assertWithin(read);
        if (given.text("metadata-file") === "-") return;
        const metadata = await readMetadata(given);
        assert(checkMetadata(metadata) === metadata);
      } catch (error) {
        assert(error instanceof UsageError, String(error));
        // What the system says of a file is clear enough.
        const isClear =
          /expected|: put the token |^Unknown option|^Cannot read the |^--metadata-file: /
            .test(error.message);
        assert(isClear, error.message);
        const { JARVIS_TOKEN = "", ...others } = env;
        const token = JARVIS_TOKEN.trim();
        // What is also a path or an option's value is no secret.
        const isSecret = token.length >= 12 &&
          ![...args, ...Object.values(others), file]
            .some((text) => text.includes(token));
        assert(!isSecret || !error.message.includes(token));
      }
    }),
);

function assertWithin(settings: Settings): void {
  for (const [name, min, max] of RANGES) {
    const value = settings[name] as number;
    assert(value >= min && value <= max, `${name} is ${value}`);
  }
  const { server, settleMs, filter, watch, dataDir, afterUpload } = settings;
  assert(server === null || URL.canParse(server));
  assert(settleMs === undefined || settleMs >= 0);
  assert((filter.minSizeBytes ?? 0) <= (filter.maxSizeBytes ?? Infinity));
  new CaptureFilter(filter).objection("a/b.png", "file");
  const paths = [...watch, ...(dataDir ? [dataDir] : [])];
  if (afterUpload.kind === "move") paths.push(afterUpload.dir);
  assert(paths.every((path) => path.startsWith("/")));
  assert(/^[\x21-\x7e]*$/.test(settings.token.get() ?? ""));
}

export const SETTINGS = [settings];
