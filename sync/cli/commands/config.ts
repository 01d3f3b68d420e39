import { type CommandContext, ExitCode } from "../command.ts";
import {
  defaultOf,
  RUN_OPTIONS,
  shownValue,
  specOf,
} from "../settings/options.ts";

/** Shows each setting with its value, without secret parts, and its source. */
export function run({ settings, given, settingsFile, out }: CommandContext) {
  const rows = ["config" as const, ...RUN_OPTIONS].map((name) => {
    const { env, value } = specOf(name);
    const standard = value === undefined ? "false" : defaultOf(name);
    const texts = given.texts(name).map((text) => shownValue(name, text));
    return {
      name,
      value: texts.length > 0 ? texts.join(", ") : standard ?? null,
      source: given.source(name),
      variable: env ?? null,
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
