import fc from "fast-check";
import { oddText } from "./odd_text.ts";

/** A JSON value as text, and what it says: numbers are their digits. */
interface Written {
  text: string;
  says: unknown;
}

const digits = (min: number) =>
  fc.array(fc.nat(9), { minLength: min, maxLength: 30 })
    .map((some) => some.join(""));

const number: fc.Arbitrary<Written> = fc.tuple(
  fc.constantFrom("", "-"),
  fc.oneof(fc.constant("0"), digits(0).map((more) => `1${more}`)),
  fc.oneof(fc.constant(""), digits(1).map((some) => `.${some}`)),
  fc.oneof(
    fc.constant(""),
    fc.tuple(fc.constantFrom("e", "E+", "e-"), digits(1))
      .map((parts) => parts.join("")),
  ),
).map((parts) => ({ text: parts.join(""), says: { number: parts.join("") } }));

/** A string with some of its units escaped, which need not be. */
const string: fc.Arbitrary<Written & { says: string }> = fc.tuple(
  oddText,
  fc.nat(7),
)
  .map(([says, escapes]) => ({
    says,
    text: escapes > 0
      ? JSON.stringify(says)
      : `"${
        says.split("").map((unit) =>
          `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
        ).join("")
      }"`,
  }));

const space = fc.constantFrom("", "", "", " ", "\n", "\r\n", "\t");

const key = fc.oneof(
  // Once V8's JSON.parse has read an object with a key like "\\u", it takes an escaped one
  // of as many characters in its place for the same, by what is written.
  { arbitrary: string.filter(({ says }) => says[0] !== "\\"), weight: 3 },
  {
    arbitrary: fc.constantFrom(
      ...["__proto__", "constructor", "toJSON", "filename", "hostname"],
      ...["size", "sha256", "timestamp", "", "rawJSON"],
    ).map((says) => ({ says, text: JSON.stringify(says) })),
    weight: 1,
  },
);

const { object, value } = fc.letrec<{ object: Written; value: Written }>(
  (tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      number,
      string,
      fc.constantFrom(true, false, null)
        .map((says) => ({ says, text: String(says) })),
      fc.tuple(fc.array(tie("value"), { maxLength: 4 }), space)
        .map(([items, gap]) => ({
          says: items.map(({ says }) => says),
          text: `[${items.map(({ text }) => text).join(`,${gap}`)}${gap}]`,
        })),
      tie("object"),
    ),
    object: fc.tuple(
      fc.array(fc.tuple(key, tie("value")), { maxLength: 6 }),
      space,
    ).map(([members, gap]) => ({
      // As with every reader, the last of several counts.
      says: { object: new Map(members.map(([k, v]) => [k.says, v.says])) },
      text: `{${gap}${
        members.map(([k, v]) => `${k.text}${gap}:${gap}${v.text}`)
          .join(`${gap},`)
      }${gap}}`,
    })),
  }),
);

/** A JSON object as text, and what it says: objects are maps, numbers their digits. */
export const jsonObject = object as fc.Arbitrary<
  { text: string; says: { object: Map<string, unknown> } }
>;

/** Text that is JSON, nearly JSON, or nothing of the kind. */
export const jsonLikeText: fc.Arbitrary<string> = fc.oneof(
  object.map(({ text }) => text),
  value.map(({ text }) => text),
  oddText,
  fc.tuple(object, fc.nat(), fc.nat(3), oddText).map(
    ([{ text }, at, length, other]) => {
      const start = at % (text.length + 1);
      return text.slice(0, start) + other + text.slice(start + length);
    },
  ),
  fc.tuple(fc.nat(5_000), fc.constantFrom("[", '{"a":'), fc.boolean()).map(
    ([depth, open, isWhole]) =>
      '{"deep":' + open.repeat(depth) + "1" +
      (isWhole ? (open === "[" ? "]" : "}").repeat(depth) + "}" : ""),
  ),
);

/** What a JSON text says, in the form of {@linkcode jsonObject}. */
export function readJson(text: string): unknown {
  return JSON.parse(text, (_key, value, context?: { source: string }) => {
    if (typeof value === "number") return { number: context!.source };
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return value;
    }
    return { object: new Map(Object.entries(value)) };
  });
}

/** Writes down what a JSON text says, so that it can be compared. */
export function spell(says: unknown): string {
  if (Array.isArray(says)) return `[${says.map(spell).join(",")}]`;
  if (typeof says !== "object" || says === null) return JSON.stringify(says);
  if ("number" in says) return String(says.number);
  const { object } = says as { object: Map<string, unknown> };
  const members = [...object]
    .map(([key, value]) => `${JSON.stringify(key)}:${spell(value)}`);
  return `{${members.sort().join(",")}}`;
}
