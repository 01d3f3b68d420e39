import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { readAnswer } from "../../sync/upload/answer.ts";
import { outcomeOfAnswer, type ProofKind } from "../../sync/upload/outcome.ts";
import { jsonLikeText } from "./json_text.ts";
import { oddText } from "./odd_text.ts";
import { assertShown, TOKEN, token, UNPRINTABLE } from "./shown_words.ts";
import { target } from "./target.ts";

const SHA256 = "00ff".repeat(16);

const secret = fc.oneof(
  fc.string({ minLength: 8, maxLength: 40 }),
  fc.string({ unit: "grapheme", minLength: 8, maxLength: 20 }),
  oddText,
);

/** The ways in which a server may write what it was sent. */
const repeat = fc.constantFrom<(text: string) => string>(
  (text) => text,
  (text) => JSON.stringify(text),
  (text) => JSON.stringify(JSON.stringify(text)),
  (text) => encodeURIComponent(text.toWellFormed()),
  (text) => text.toUpperCase(),
  (text) => text.slice(0, -1),
);

/** The metadata's strings, and a body that repeats some of them. */
const telling = fc.tuple(
  fc.array(secret, { maxLength: 4 }),
  token,
  jsonLikeText,
).chain(([strings, token, rest]) =>
  fc.record({
    strings: fc.constant(strings),
    token: fc.constant(token),
    body: fc.array(
      fc.tuple(fc.constantFrom(...strings, token, rest), repeat),
      { maxLength: 5 },
    ).map((parts) => parts.map(([text, write]) => write(text)).join(" ")),
  })
);

const id = fc.oneof(fc.jsonValue(), fc.bigInt().map(String), oddText);

/** JSON as a capture server would write it, or nearly. */
const saying = fc.record({
  id,
  size: fc.constantFrom(5, 6, "5", null),
  sha256: fc.constantFrom(SHA256, SHA256.toUpperCase(), "0".repeat(64), null),
  detail: jsonLikeText,
}, { requiredKeys: [] }).map((object) => JSON.stringify(object));

const deep = fc.constantFrom(10, 3_000, 20_000, 200_000).map((depth) =>
  `{"id":7,"deep":${"[".repeat(depth)}${"]".repeat(depth)}}`
);

const retryAfter = fc.oneof(
  fc.double().map(String),
  fc.maxSafeInteger().map(String),
  fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  fc.string(),
);

const headers = fc.record({
  "retry-after": retryAfter,
  "date": retryAfter,
  "content-type": fc.oneof(
    fc.constantFrom("application/json", "text/html; charset=latin1"),
    fc.string(),
  ),
  "content-length": fc.oneof(fc.nat().map(String), fc.string()),
  "content-encoding": fc.oneof(fc.constantFrom("gzip", ""), fc.string()),
}, { requiredKeys: [] }).map((fields) =>
  Object.entries(fields).map(([name, text]): [string, string] => [
    name,
    // What HTTP cannot carry no server can send.
    text.replaceAll(/[^\x20-\x7e\x80-\xff]/g, "-"),
  ])
);

const answer = fc.record({
  status: fc.oneof(
    fc.constantFrom(200, 201, 202, 400, 401, 408, 409, 413, 422, 429, 503),
    fc.integer({ min: 200, max: 599 }),
  ),
  headers,
  told: telling,
  body: fc.oneof(
    { arbitrary: fc.constant(null), weight: 40 },
    { arbitrary: fc.oneof(saying, jsonLikeText), weight: 40 },
    { arbitrary: deep, weight: 1 },
    { arbitrary: fc.uint8Array({ maxLength: 300 }), weight: 20 },
  ),
  isEarly: fc.boolean(),
  proof: fc.constantFrom<ProofKind>("id", "status"),
});

type Given = typeof answer extends fc.Arbitrary<infer T> ? T : never;

/** The id in a body that proves a delivery; `undefined` if it proves none. */
function idIn(body: string): unknown {
  try {
    const { id, size, sha256, success, ok, error } = JSON.parse(body);
    if (success === false || ok === false || error) return undefined;
    const isOther = (typeof size === "number" && size !== 5) ||
      (typeof sha256 === "string" && sha256.toLowerCase() !== SHA256);
    return isOther ? undefined : id;
  } catch {
    return undefined;
  }
}

async function judge(given: Given): Promise<void> {
  const { status, isEarly, proof } = given;
  const { strings, token } = given.told;
  const bodiless = [204, 205, 304].includes(status);
  const content = given.body ?? given.told.body;
  const response = new Response(bodiless ? null : content as BodyInit, {
    status,
    headers: given.headers,
  });
  const metadata = JSON.stringify({ strings });
  const sent = { size: 5, sha256: SHA256, metadata };
  const answer = await readAnswer(response, isEarly);
  const outcome = outcomeOfAnswer(answer, { sent, token, proof });
  assertEquals(outcome.status, status);
  assertEquals(outcome.kind === "delivered", outcome.error === null);
  const isProven = (status >= 200 && status < 300 && !isEarly) ||
    status === 409;
  const encoding = given.headers.find(([name]) => name === "content-encoding");
  const id = encoding?.[1].trim() ? undefined : idIn(answer.body);
  if (outcome.kind !== "delivered") {
    assertShown(outcome, [...strings, token]);
    const isPlain = typeof id === "string" && /^[\w-]{1,100}$/.test(id) ||
      Number.isSafeInteger(id);
    assert(!(isProven && isPlain), "proven, and not delivered");
    return;
  }
  assert(isProven);
  if (proof === "status" && status !== 409 && outcome.captureId === null) {
    return;
  }
  assert(typeof id === "string" || typeof id === "number");
  assertEquals(
    typeof id === "number" ? Number(outcome.captureId) : outcome.captureId,
    id,
  );
  assert(outcome.captureId!.trim() !== "" && outcome.captureId!.length <= 1024);
  assert(!UNPRINTABLE.test(outcome.captureId!));
}

const answers = target(
  "answers of a server",
  {
    share: 80,
    examples: [
      // A letter of two units before the secret moved what was taken out.
      {
        status: 422,
        headers: [],
        told: {
          strings: ["𐑅𐐝𓉬ԭ𖣪 private"],
          token: TOKEN,
          body: "𓇊𐕪 𐑅𐐝𓉬ԭ𖣪 private",
        },
        body: null,
        isEarly: false,
        proof: "id",
      },
      // Too deep for a parser that calls back.
      {
        status: 200,
        headers: [],
        told: { strings: [], token: TOKEN, body: "" },
        body: `{"id":7,"deep":${"[".repeat(9_999)}${"]".repeat(9_999)}}`,
        isEarly: false,
        proof: "id",
      },
    ],
  },
  () => fc.asyncProperty(answer, judge),
);

export const ANSWERS = [answers];
