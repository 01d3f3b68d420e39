/**
 * The environment file of the service, as systemd reads it.
 *
 * @module
 */

/**
 * Returns the variables of an environment file; of one that is set twice, the last.
 *
 * Understood is what systemd understands (`EnvironmentFile=`), but for lines
 * that go on after a backslash: one variable a line, comments after `#` or `;`,
 * values in quotes of either kind or without.
 */
export function parseEnvFile(text: string): Map<string, string> {
  const variables = new Map<string, string>();
  for (const line of text.split("\n")) {
    const found = assignment(line);
    if (found) variables.set(found.name, unquote(found.value));
  }
  return variables;
}

/**
 * Returns the file with these variables set. Every other line stays as it is: a
 * comment, a variable, the order.
 */
export function updateEnvFile(
  text: string,
  changes: ReadonlyMap<string, string>,
): string {
  const left = new Map(changes);
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  const updated = lines.map((line) => {
    const name = assignment(line)?.name ?? "";
    const value = changes.get(name);
    if (value === undefined) return line;
    left.delete(name);
    return unquote(assignment(line)!.value) === value
      ? line
      : `${name}=${quote(value)}`;
  });
  const added = [...left].map(([name, value]) => `${name}=${quote(value)}`);
  return [...updated, ...added, ""].join("\n");
}

function assignment(
  line: string,
): { name: string; value: string } | undefined {
  const [, name, value] = /^\s*([A-Za-z_]\w*)\s*=(.*)$/.exec(line) ?? [];
  return name === undefined ? undefined : { name, value: value! };
}

function quote(value: string): string {
  if (/[\n\r\0]/.test(value)) {
    throw new TypeError(
      `Cannot keep ${JSON.stringify(value)} as a setting: expected one line`,
    );
  }
  return /^[\w@%+=:,./-]+$/.test(value)
    ? value
    : `"${value.replace(/["\\`$]/g, "\\$&")}"`;
}

function unquote(text: string): string {
  const token = /"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)|([^"'\\]+)/g;
  let value = "";
  for (
    const [, double, single, escaped, plain] of text.trim().matchAll(token)
  ) {
    // Within double quotes a backslash stands for itself before anything else.
    value += double?.replace(/\\(["\\`$])/g, "$1") ?? single ?? escaped ??
      plain ?? "";
  }
  return value;
}
