/**
 * Writes `docs/settings.md` from the program's own table of commands and options:
 * `deno run -A --import-map=scripts/npm/import_map.json scripts/docs/settings_page.ts`.
 */

import { optionsOf } from "../../sync/cli/command.ts";
import { COMMANDS } from "../../sync/cli/commands.ts";
import {
  flagOf,
  helpOf,
  type OptionName,
  OPTIONS,
  specOf,
} from "../../sync/cli/settings/options.ts";
import { markdownTable } from "../markdown_table.ts";
import { projectPath } from "../task/bindings.ts";

/** The path of the page, below the project. */
export const SETTINGS_PAGE = "docs/settings.md";

const HEAD = `# Commands and options

Made from the table that the program itself reads (\`sync/cli/commands.ts\` and
\`sync/cli/settings/options.ts\`); a test holds this page against it. An option on
the command line outweighs its variable in the environment, that outweighs the
settings file (\`--config\`), and that the default. Variables of options that may
be repeated hold a list, separated like \`PATH\`. A path in a variable or in the
settings file must be absolute: nothing replaces \`~\` or \`$HOME\` there. Besides,
\`JARVIS_TOKEN\` is the server's token itself.
`;

/** The page as Markdown, formatted as \`deno fmt\` would. */
export function settingsPage(): string {
  const commands = Object.entries(COMMANDS).map(([name, command]) => [
    code(`${name} ${command.args ?? ""}`.trim()),
    command.summary,
    optionsOf(command).map((option) => code(`--${option}`)).join(" "),
  ]);
  const options = (Object.keys(OPTIONS) as OptionName[]).map((name) => {
    const { env } = specOf(name);
    return [code(flagOf(name)), env ? code(env) : "", helpOf(name)];
  });
  return [
    HEAD,
    "## Commands\n",
    table(["command", "what it does", "options"], commands),
    "## Options\n",
    table(["option", "variable", "what it does"], options),
  ].join("\n");
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(head: string[], rows: string[][]): string {
  const escaped = rows.map((row) =>
    row.map((cell) => cell.replace(/[|*<>_]/g, escapeOutsideCode(cell)))
  );
  return `${markdownTable(head, escaped)}\n`;
}

/** A bar ends a cell also within code; the rest means something only outside of it. */
function escapeOutsideCode(cell: string) {
  return (found: string, at: number): string => {
    const isCode = cell.slice(0, at).split("`").length % 2 === 0;
    return found === "|" || !isCode ? `\\${found}` : found;
  };
}

if (import.meta.main) {
  Deno.writeTextFileSync(projectPath(SETTINGS_PAGE), settingsPage());
}
