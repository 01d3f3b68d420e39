/**
 * The environment file of the service, as systemd reads it.
 *
 * @module
 */

const LINE_END = /\r\n|\r|\n/;
/** Characters that systemd takes in no value, and that no value may have here. */
// deno-lint-ignore no-control-regex -- these are what it refuses
const UNFIT = /[\0-\x08\n-\x1f\x7f]/;

/**
 * Returns the variables of an environment file; of one that is set twice, the last.
 *
 * The syntax is that of systemd (`EnvironmentFile=`), but for lines that go on after
 * a backslash or in quotes: one variable a line, comments after `#` or `;`, values
 * that begin in quotes of either kind or have none.
 */
export function parseEnvFile(text: string): Map<string, string> {
  const variables = new Map<string, string>();
  for (const line of text.split(LINE_END)) {
    const found = assignment(line);
    if (found && !UNFIT.test(found.value)) {
      variables.set(found.name, found.value);
    }
  }
  return variables;
}

/** A line that is neither read nor meant for people alone. */
export interface LineNotRead {
  /** From 1. */
  number: number;
  /** What was expected in its place. */
  expected: string;
}

/** Returns the lines that are neither read nor meant for people alone. */
export function linesNotRead(text: string): LineNotRead[] {
  return text.split(LINE_END).flatMap((line, at) => {
    if (/^[ \t]*([#;]|$)/.test(line)) return [];
    const found = assignment(line);
    if (found && !UNFIT.test(found.value)) return [];
    return [{ number: at + 1, expected: expectedFor(line, found?.value) }];
  });
}

function expectedFor(line: string, value: string | undefined): string {
  if (value !== undefined) return "a value without control characters";
  const before = line.startsWith("\ufeff")
    ? "without the byte order mark before NAME, which cannot be seen"
    : /^[ \t]*export[ \t]/.test(line)
    ? 'without "export": no shell reads it'
    : "with nothing before NAME";
  return `NAME=value, ${before}`;
}

/**
 * Returns the file with these variables set. Every other line stays as it is: a
 * comment, a variable, the order.
 *
 * @throws {TypeError} if a value has a line break or another control character.
 */
export function updateEnvFile(
  text: string,
  changes: ReadonlyMap<string, string>,
): string {
  const left = new Map(changes);
  const lines = text === "" ? [] : text.replace(/\n$/, "").split(LINE_END);
  const updated = lines.map((line) => {
    const { name = "", value: old } = assignment(line) ?? {};
    const value = changes.get(name);
    if (value === undefined) return line;
    left.delete(name);
    return old === value ? line : written(name, value);
  });
  const added = [...left].map(([name, value]) => written(name, value));
  return [...updated, ...added, ""].join("\n");
}

function assignment(
  line: string,
): { name: string; value: string } | undefined {
  const [, name, text] = /^[ \t]*([A-Za-z_]\w*)[ \t]*=(.*)$/s.exec(line) ?? [];
  return name === undefined ? undefined : { name, value: unquote(text!) };
}

function written(name: string, value: string): string {
  if (UNFIT.test(value)) {
    // The value may be a secret.
    throw new TypeError(
      `Cannot keep the value of ${name} as a setting: expected one line without control characters`,
    );
  }
  const quoted = /^[\w@%+=:,./-]+$/.test(value)
    ? value
    : `"${value.replace(/["\\`$]/g, "\\$&")}"`;
  return `${name}=${quoted}`;
}

function unquote(text: string): string {
  const quoted = /[ \t]*(?:"((?:[^"\\]|\\.)*)"|'([^']*)')/gsy;
  let value = "";
  let end = 0;
  for (const [all, double, single] of text.matchAll(quoted)) {
    // Within double quotes a backslash stands for itself before anything else.
    value += double?.replace(/\\(["\\`$])/g, "$1") ?? single;
    end += all.length;
  }
  // Quotes that come later stand for themselves, and so do blanks after a backslash.
  const plain = text.slice(end).replace(/^[ \t]+/, "")
    .replace(/\\(.)|[ \t]+$/gsu, (_, escaped = "") => escaped);
  return value + plain;
}
