/** How systemd reads its files, as far as the agent writes them. */

/**
 * Reads an environment file as systemd does, character by character.
 *
 * @returns `undefined` if a line goes on in the next one, or a quote is left open.
 */
export function readLikeSystemd(text: string): Map<string, string> | undefined {
  const variables = new Map<string, string>();
  let state = "before key";
  let key = "";
  let value = "";
  /** Up to where the value stays when blanks at its end go. */
  let kept = 0;
  const push = () => {
    const name = key.replace(/[ \t\r\n]+$/, "");
    // deno-lint-ignore no-control-regex -- it refuses all but tabs and line breaks
    const isValid = !/[\0-\x08\x0b-\x1f\x7f]/.test(value);
    if (/^[A-Za-z_]\w*$/.test(name) && isValid) variables.set(name, value);
    [state, key, value] = ["before key", "", ""];
  };
  for (const c of text) {
    const isEnd = c === "\n" || c === "\r";
    const isBlank = isEnd || c === " " || c === "\t";
    switch (state) {
      case "before key":
        if (c === "#" || c === ";") state = "comment";
        else if (!isBlank) [state, key] = ["key", c];
        break;
      case "key":
        if (isEnd) [state, key] = ["before key", ""];
        else if (c === "=") state = "before value";
        else key += c;
        break;
      case "before value":
        if (isEnd) push();
        else if (c === "'" || c === '"') state = c;
        else if (c === "\\") state = "escape";
        else if (!isBlank) {
          [state, value] = ["value", value + c];
          kept = value.length;
        }
        break;
      case "value":
        if (isEnd) {
          value = value.slice(0, kept);
          push();
        } else if (c === "\\") state = "escape";
        else {
          value += c;
          if (!isBlank) kept = value.length;
        }
        break;
      case "escape":
        if (isEnd) return undefined;
        [state, value] = ["value", value + c];
        kept = value.length;
        break;
      case "'":
        if (isEnd) return undefined;
        if (c === "'") state = "before value";
        else value += c;
        break;
      case '"':
        if (isEnd) return undefined;
        if (c === '"') state = "before value";
        else if (c === "\\") state = "escape in quotes";
        else value += c;
        break;
      case "escape in quotes":
        if (isEnd) return undefined;
        value += '"\\`$'.includes(c) ? c : `\\${c}`;
        state = '"';
        break;
      case "comment":
        if (c === "\\") state = "escape in comment";
        else if (isEnd) state = "before key";
        break;
      case "escape in comment":
        if (isEnd) return undefined;
        state = "comment";
    }
  }
  if (state === "value") value = value.slice(0, kept);
  if (["value", "before value"].includes(state)) push();
  else if (!["before key", "key", "comment"].includes(state)) return undefined;
  return variables;
}

/**
 * Takes the words of a unit's setting apart, quotes, backslashes and specifiers undone.
 *
 * @throws {Error} if systemd would refuse it.
 */
export function wordsOf(setting: string): string[] {
  const words = /"((?:[^"\\]|\\["\\])*)"(?= |$)|([^ "\\]+)(?= |$)| /gy;
  const found: string[] = [];
  let end = 0;
  for (const [all, quoted, plain] of setting.matchAll(words)) {
    end += all.length;
    const word = quoted?.replace(/\\(.)/gs, "$1") ?? plain;
    if (word !== undefined) found.push(withoutSpecifiers(word));
  }
  if (end < setting.length) throw new Error(`No words: ${setting}`);
  return found;
}

/** @throws {Error} if there is a specifier other than `%%`. */
export function withoutSpecifiers(text: string): string {
  if (/%/.test(text.replaceAll("%%", ""))) {
    throw new Error(`Specifier: ${text}`);
  }
  return text.replaceAll("%%", "%");
}
