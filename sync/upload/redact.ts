import { Buffer } from "node:buffer";
import { oneLine } from "../host/log.ts";
import { proxyCredentials } from "./proxy.ts";

/** Texts that must not be shown, besides the passwords of proxies in the environment. */
export interface Secrets {
  token?: string | undefined;
  /** Metadata as JSON text: each of its strings is one. */
  metadata?: string | undefined;
}

/** The longest text that is kept, in characters. */
const MAX_WORDS = 500;

/** How much of a text is looked at, and how much of its end is not shown: a secret may be cut there. */
const MAX_READ = 4_000;
const MARGIN = 200;

/** The letters and digits in a row that are a repetition, not alike by chance. */
const RUN = 8;

/** Shorter words are taken out only in quotes: they stand in many others. */
const SHORT = 4;

/** The names of fields, which are not private. */
const FIELD_NAME = /^[\w.-]{1,40}$/;

/** Top-level keys whose values are facts of the file, which help the reader of the message. */
const FACTS = ["size", "sha256"];

/** A character as JSON, Python, addresses and HTML escape it. */
const ESCAPE =
  /\\u(?<unit>[0-9a-f]{4})|\\u\{(?<point>[0-9a-f]{1,6})\}|\\(?<control>[bfnrt])|\\(?<plain>[^ux])|(?<bytes>(?:(?:%|\\x)[0-9a-f]{2})+)|&#x(?<hex>[0-9a-f]{1,6});|&#(?<decimal>\d{1,7});|&(?<accented>[a-z])(?:acute|grave|circ|uml|tilde|ring|cedil);|&(?<sign>amp|lt|gt|quot|apos|nbsp);/gi;

const SIGNS: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

/** How many times a text may have been escaped anew. */
const MAX_LEVELS = 5;

/**
 * Returns the start of a text that came from elsewhere, on one line, without any
 * repetition of the secrets: whole, in part, in another case, escaped, or escaped
 * anew; of the token and of proxies' passwords also in base64 and in hexadecimal. The
 * names of the metadata's fields stay, so that a server's complaint about one can be
 * understood. Escapes are undone if anything is taken out.
 *
 * With the metadata `{"name": "Anna Müller", "note": "door left open"}` and the token
 * `tok-4711-secret`:
 *
 * ```text
 *   no user ANNA%20M%C3%9CLLER for field name  →  no user [metadata] for field name
 *   note "the door left o…" is too short       →  note "the [metadata]…" is too short
 *   bad header: Bearer tok-4711-secret         →  bad header: Bearer [token]
 * ```
 */
export function redact(text: string, secrets: Secrets): string {
  const read = text.slice(0, MAX_READ);
  const plain = unescaped(read);
  const letters = lettersOf(plain);
  const labels = labelsOf({ plain, letters }, secrets);
  let words = "";
  let at = 0;
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === undefined) continue;
    words += plain.slice(at, letters[i]!.start) + labels[i];
    while (labels[i + 1] === labels[i]) i++;
    at = letters[i]!.end;
  }
  const rest = at === 0 ? read : plain.slice(at);
  words += text.length > MAX_READ ? rest.slice(0, -MARGIN) : rest;
  const line = oneLine(words.replaceAll(/\s+/g, " ").trim());
  return line.slice(0, MAX_WORDS).toWellFormed();
}

/** Whether a text repeats something that {@linkcode redact} would take out of it. */
export function repeats(text: string, secrets: Secrets): boolean {
  const plain = unescaped(text.slice(0, MAX_READ));
  const letters = lettersOf(plain);
  return labelsOf({ plain, letters }, secrets).some(Boolean);
}

/** The replacement for each letter of a text that is part of a secret. */
function labelsOf(
  text: { plain: string; letters: Letter[] },
  { metadata, token = "" }: Secrets,
): string[] {
  const labels: string[] = [];
  mark(labels, text, stringsOf(metadata), "[metadata]");
  mark(labels, text, [token, ...encodingsOf(token)], "[token]");
  mark(labels, text, proxySecrets(), "[proxy password]");
  return labels;
}

/** A user's name alone is none: it is in the paths of files as well. */
function proxySecrets(): string[] {
  return proxyCredentials().flatMap(({ password, basic }) => [
    password,
    ...encodingsOf(password),
    ...encodingsOf(basic),
    // So short a one is not taken out by itself.
    ...fold(password).length < SHORT ? [basic] : [],
  ]);
}

/** A text in hexadecimal and in base64, the url-safe one too: only letters and digits are compared. */
function encodingsOf(text: string): string[] {
  // The text before it decides at which of three offsets it begins.
  const encoded = ["", "\0", "\0\0"].map((before) =>
    Buffer.from(before + text).toString("base64")
      .slice(Math.ceil(before.length * 8 / 6))
  );
  return [Buffer.from(text).toString("hex"), ...encoded];
}

/** A letter or digit, in lower case and without its accent, and where its character is in the text. */
interface Letter {
  letter: string;
  start: number;
  end: number;
}

function lettersOf(text: string): Letter[] {
  const letters: Letter[] = [];
  let start = 0;
  for (const character of text) {
    const end = start + character.length;
    // By unit, as the text that they make up is searched.
    for (const letter of fold(character).split("")) {
      letters.push({ letter, start, end });
    }
    start = end;
  }
  return letters;
}

function unescaped(text: string): string {
  for (let level = 0; level < MAX_LEVELS && /[\\%&]/.test(text); level++) {
    text = text.replace(ESCAPE, (...match) => meaningOf(match.at(-1)));
  }
  return text;
}

function meaningOf(groups: Record<string, string | undefined>): string {
  const { unit, point, plain, bytes, hex, decimal, accented } = groups;
  const code = unit ?? point ?? hex;
  if (code) return character(parseInt(code, 16));
  if (decimal) return character(Number(decimal));
  if (bytes) {
    const values = bytes.match(/[0-9a-f]{2}/gi)!.map((byte) =>
      parseInt(byte, 16)
    );
    return new TextDecoder().decode(Uint8Array.from(values));
  }
  // A control is no letter, whichever it is.
  return plain ?? accented ?? SIGNS[groups.sign?.toLowerCase() ?? ""] ?? " ";
}

function character(code: number): string {
  return code <= 0x10ffff ? String.fromCodePoint(code) : " ";
}

/** The letters and digits of a text, as they are compared. */
function fold(text: string): string {
  return text.normalize("NFKD").toLowerCase().replaceAll("ς", "σ")
    .replaceAll(/[^\p{L}\p{N}]/gu, "");
}

/** Every string of the metadata, and the numbers that are long enough to tell something. */
function stringsOf(metadata = "{}"): string[] {
  const found: string[] = [];
  const collect = (value: unknown): void => {
    if (typeof value === "string") found.push(value);
    if (typeof value === "number" && fold(String(value)).length >= RUN) {
      found.push(String(value));
    }
    if (typeof value !== "object" || value === null) return;
    for (const [key, member] of Object.entries(value)) {
      if (!FIELD_NAME.test(key)) found.push(key);
      collect(member);
    }
  };
  const entries = Object.entries(JSON.parse(metadata));
  collect(Object.fromEntries(entries.filter(([key]) => !FACTS.includes(key))));
  return found;
}

/** Labels those letters of a text that are one of the strings, or a run of one. */
function mark(
  labels: string[],
  { plain, letters }: { plain: string; letters: Letter[] },
  strings: string[],
  label: string,
): void {
  const text = letters.map(({ letter }) => letter).join("");
  const runs = Map.groupBy(letters.keys(), (at) => text.slice(at, at + RUN));
  const short = new Set<string>();
  const take = (at: number, length: number) =>
    labels.fill(label, at, at + length);
  labels.length = letters.length;
  for (const string of strings) {
    const wanted = fold(unescaped(string));
    if (wanted.length < RUN) short.add(wanted);
    for (let i = 0; i + RUN <= wanted.length; i++) {
      const run = wanted.slice(i, i + RUN);
      for (const at of runs.get(run) ?? []) take(at, RUN);
      // Once is enough, however often a long string repeats itself.
      runs.delete(run);
    }
  }
  for (const [at, { start }] of letters.entries()) {
    for (let length = 1; length < RUN && at + length <= text.length; length++) {
      const word = text.slice(at, at + length);
      const { end } = letters[at + length - 1]!;
      const around = (plain[start - 1] ?? "") + (plain[end] ?? "");
      if (short.has(word) && standsOut(word, around)) take(at, length);
    }
  }
}

/** Whether a short word stands for itself, and is not part of another one. */
function standsOut(word: string, around: string): boolean {
  // Whole names are two or three characters long where one is a syllable or a word.
  if (/\p{Lo}/u.test(word)) return word.length > 1;
  const expected = word.length < SHORT ? /^["'`]{2}$/ : /^[^\p{L}\p{N}]*$/u;
  return expected.test(around);
}
