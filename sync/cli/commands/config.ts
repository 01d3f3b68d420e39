import { type CommandContext, ExitCode } from "../command.ts";
import {
  type OptionSpec,
  RUN_OPTIONS,
  shownValue,
  specOf,
} from "../options.ts";

/** Shows each setting with its value, without secret parts, and its source. */
export function run({ settings, given, settingsFile, out }: CommandContext) {
  const rows = ["config" as const, ...RUN_OPTIONS].map((name) => {
    const spec = specOf(name);
    const texts = given.texts(name).map((text) => shownValue(name, text));
    return {
      name,
      value: texts.length > 0 ? texts.join(", ") : standardOf(spec),
      source: given.source(name),
      variable: spec.env ?? null,
    };
  });
  const resolved: Record<string, string | undefined> = {
    "config": settingsFile?.path,
    "data-dir": settings.dataDir,
  };
  for (const row of rows) row.value = resolved[row.name] ?? row.value;
  if (given.has("json")) {
    out(JSON.stringify(rows));
    return ExitCode.ok;
  }
  for (const { name, value, source } of rows) {
    out(`${name.padEnd(16)} ${value ?? "not set"} (${source})`);
  }
  out(`token            ${settings.token.get() ? "set" : "not set"}`);
  return ExitCode.ok;
}

/** An option's default, as its help has it. */
function standardOf({ value, help }: OptionSpec): string | null {
  if (value === undefined) return "false";
  return /\(default: (.*)\)$/.exec(help)?.[1] ?? null;
}
