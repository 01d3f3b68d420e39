import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  checkMetadata,
  encodeMetadata,
  MAX_METADATA_BYTES,
  MAX_METADATA_DEPTH,
  type Metadata,
  withHostMetadata,
} from "../../sync/capture/metadata.ts";

const NOT_OBJECTS: [unknown, string][] = [
  [undefined, "undefined"],
  [null, "null"],
  [[], "an array"],
  [["a"], "an array"],
  ["text", "a string"],
  [7, "a number"],
  [true, "a boolean"],
  [10n, "a bigint"],
  [() => {}, "a function"],
];

/** An object nested `depth` levels deep, itself included. */
function nested(depth: number): Metadata {
  let value: Metadata = {};
  for (let level = 1; level < depth; level++) value = { in: value };
  return value;
}

/** An object whose JSON has exactly `bytes` bytes. */
function ofSize(bytes: number): Metadata {
  return { a: "x".repeat(bytes - '{"a":""}'.length) };
}

Deno.test("encodeMetadata() writes a JSON object that checkMetadata() takes", () => {
  const metadata = {
    title: 'Door "3"\n😀',
    tags: ["a", null, { deep: [1.5, false] }],
    nothing: null,
    "": "empty key",
  };
  const text = encodeMetadata(metadata);
  assertEquals(JSON.parse(checkMetadata(text)), metadata);
  assertEquals(encodeMetadata({}), "{}");
});

Deno.test("encodeMetadata() refuses what is not an object, and says what it was given", () => {
  for (const [value, name] of NOT_OBJECTS) {
    const error = assertThrows(() => encodeMetadata(value), TypeError);
    assertStringIncludes(error.message, `Cannot use ${name} as metadata`);
  }
});

Deno.test("encodeMetadata() refuses objects that are none in JSON", () => {
  const values = [
    new Date(),
    { toJSON: () => "text" },
    { toJSON: () => undefined },
    { toJSON: () => ["a"] },
  ];
  for (const value of values) {
    assertThrows(() => encodeMetadata(value), TypeError, "expected an object");
  }
});

Deno.test("encodeMetadata() refuses what JSON cannot say", () => {
  const error = assertThrows(() => encodeMetadata({ size: 10n }), TypeError);
  assertStringIncludes(error.message, "Cannot write the metadata as JSON");
  assertEquals(error.cause instanceof TypeError, true);
});

Deno.test("encodeMetadata() refuses cycles, however they branch", () => {
  const loop: Metadata = {};
  loop.self = loop;
  const tree: Metadata = { name: "root" };
  tree.children = Array.from({ length: 10 }, () => ({ parent: tree, tree }));
  const twins: Metadata = {};
  twins.left = twins.right = { back: twins, again: twins };
  for (const cyclic of [loop, tree, twins]) {
    assertThrows(() => encodeMetadata(cyclic), TypeError, "nested deeper");
  }
});

Deno.test("encodeMetadata() takes the same value in two places", () => {
  const shared = { a: 1 };
  assertEquals(
    encodeMetadata({ one: shared, two: [shared, shared] }),
    '{"one":{"a":1},"two":[{"a":1},{"a":1}]}',
  );
});

Deno.test("metadata may be nested to the limit and no deeper", () => {
  const deepest = nested(MAX_METADATA_DEPTH);
  assertEquals(JSON.parse(encodeMetadata(deepest)), deepest);
  const deeper = nested(MAX_METADATA_DEPTH + 1);
  assertThrows(() => encodeMetadata(deeper), TypeError, "nested deeper");
  assertThrows(() => checkMetadata(JSON.stringify(deeper)), TypeError);
  // Deeper than a recursion would survive.
  assertThrows(() => encodeMetadata(nested(500_000)), TypeError, "deeper");
  const text = `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  assertThrows(() => checkMetadata(text), TypeError);
});

Deno.test("metadata may be as large as the limit and no larger", () => {
  const largest = ofSize(MAX_METADATA_BYTES);
  assertEquals(encodeMetadata(largest).length, MAX_METADATA_BYTES);
  checkMetadata(JSON.stringify(largest));
  for (const bytes of [MAX_METADATA_BYTES + 1, 10 * 1024 * 1024]) {
    const larger = ofSize(bytes);
    assertThrows(() => encodeMetadata(larger), RangeError, "more than");
    assertThrows(() => checkMetadata(JSON.stringify(larger)), RangeError);
  }
});

Deno.test("metadata's size counts in bytes, not in characters", () => {
  const metadata = { a: "é".repeat(MAX_METADATA_BYTES / 2) };
  assertThrows(() => encodeMetadata(metadata), RangeError);
});

Deno.test("checkMetadata() refuses what is not a JSON object", () => {
  for (const text of ["", " ", "door=3", "{", "{'a':1}", '{"a":1}x', "NaN"]) {
    assertThrows(() => checkMetadata(text), TypeError, "Cannot read");
  }
  for (const text of ["null", "[]", '"text"', "7", "true"]) {
    assertThrows(() => checkMetadata(text), TypeError, "as metadata");
  }
});

Deno.test("checkMetadata() never repeats the text: metadata is private", () => {
  const error = assertThrows(
    () => checkMetadata('{"patient": "Jane Roe", oops}'),
    TypeError,
  );
  assertEquals(`${error.message}${error.stack}`.includes("Jane"), false);
  assertEquals(error.cause, undefined);
});

const FACTS = {
  name: "a.png",
  size: 42,
  mtimeMs: 0,
  hostname: "kiosk-7",
  sha256: "ab".repeat(32),
};

Deno.test("checkMetadata() carries the text as it is written", () => {
  const texts = [
    '{"ts_ns":1732647310123456789}',
    '{"a":9007199254740993,"b":1e400,"c":-0,"d":1.0,"e":1E5,"f":1e-400}',
    '{"twice":1,"twice":2}',
    '{"__proto__":{"admin":true},"constructor":1}',
    '{"half":"\\ud800","zero":"\\u0000"}',
    '{ "spaced" : [ 1 , 2 ] }',
    "{}",
  ];
  for (const text of texts) {
    assertEquals(checkMetadata(text), text);
    assertEquals(checkMetadata(`\ufeff${text}\n`), text);
    const members = text.slice(1, -1).trim();
    assertStringIncludes(withHostMetadata(text, FACTS), members);
  }
  // UTF-8 could not say it.
  assertEquals(checkMetadata('{"half":"\ud800"}'), '{"half":"\\ud800"}');
});

Deno.test("withHostMetadata() adds what the host knows, however the text is written", () => {
  const mtimeMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  const known = {
    timestamp: "2026-01-02T03:04:05.678Z",
    hostname: "kiosk-7",
    filename: "a.png",
    size: 42,
    sha256: FACTS.sha256,
  };
  const texts = [
    "{}",
    " { } ",
    '{"door":3}',
    '\n{\n "door": 3\n}\n',
    "\ufeff{}",
  ];
  for (const text of texts) {
    const full = withHostMetadata(text, { ...FACTS, mtimeMs });
    const door = text.includes("door") ? { door: 3 } : {};
    assertEquals(JSON.parse(full), { ...known, ...door }, full);
  }
  const deepest = JSON.stringify(nested(MAX_METADATA_DEPTH));
  JSON.parse(withHostMetadata(deepest, FACTS));
});

Deno.test("withHostMetadata() lets the caller's keys win, null included, each once", () => {
  const own =
    '{"timestamp":"then","hostname":null,"filename":"b","si\\u007ae":1e400}';
  const full = withHostMetadata(own, FACTS);
  assertEquals(full, `{"sha256":"${FACTS.sha256}",${own.slice(1)}`);
});

Deno.test("withHostMetadata() lets nobody claim another hash, and changes nothing else then", () => {
  const { sha256 } = FACTS;
  const given = '"big":1732647310123456789,"tiny":1e-400,"__proto__":{"a":-0}';
  const ours = `"sha256":"${sha256}"`;
  const texts: [string, string][] = [
    [`{${ours},${given}}`, `,${ours},${given}}`],
    [`{"sha256":"claimed",${given}}`, `,${ours},${given}}`],
    [`{"sha256":1,${given},"sha256":null}`, `,${ours},${given}}`],
    [`{${given},"\\u0073ha256":{}}`, `,${ours},${given}}`],
    ['{"sha256":[]}', `,${ours}}`],
  ];
  for (const [text, expected] of texts) {
    const full = withHostMetadata(text, FACTS);
    assertEquals(full.slice(-expected.length), expected);
    assertEquals(full.match(/"sha256"/g)!.length, 1);
  }
});

Deno.test("withHostMetadata() leaves out a time that is none", () => {
  for (const mtimeMs of [NaN, Infinity, 9e15]) {
    const full = withHostMetadata("{}", { ...FACTS, mtimeMs });
    const keys = ["hostname", "filename", "size", "sha256"];
    assertEquals(Object.keys(JSON.parse(full)), keys);
  }
});

Deno.test("withHostMetadata() writes every name so that it can be read back", () => {
  const names = [
    'say "hi"',
    "two\nlines",
    "üñí 😀",
    "\ud800",
    "\0",
    "n".repeat(255),
  ];
  for (const name of names) {
    const full = withHostMetadata("{}", { ...FACTS, name });
    assertEquals(JSON.parse(full).filename, name);
    assertEquals(full.isWellFormed(), true);
  }
});
