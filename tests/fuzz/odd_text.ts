import fc from "fast-check";

/** What parsers, shells, terminals and servers take for something else than text. */
const SIGNS = [
  ..."\"'`\\/%$&;:=,#~*?<>|{}[]() \t\r\n\0\x07\x1b\x7f\x85",
  ..."\u200b\u202e\u2028\ufeff\ufffd\u00e9e\u0301ß\u0130\ud83d\ude80",
  "\ud800",
  "\udc00",
  "--",
  "\r\n",
  "%22",
  "\\u0041",
  "&quot;",
];

/** Any text, half surrogate pairs included. */
export const oddText: fc.Arbitrary<string> = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom(...SIGNS, "a", "b", "0") }),
  fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units)),
);

/** Any text that UTF-8 can say. */
export const wellFormedText: fc.Arbitrary<string> = oddText
  .map((text) => text.toWellFormed());

/** A name of a file, as Linux allows it. */
export const fileName: fc.Arbitrary<string> = wellFormedText
  .map((text) => text.replaceAll(/[\0/]/g, "-"))
  .filter((name) => !["", ".", ".."].includes(name));
