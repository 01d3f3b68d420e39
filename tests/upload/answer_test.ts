import { assertEquals } from "@std/assert";
import {
  type Answer,
  MAX_RETRY_AFTER_MS,
  parseRetryAfter,
  proofIn,
} from "../../sync/upload/answer.ts";

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const SENT = { size: 3, sha256: "ab".repeat(32), metadata: "{}" };

function idIn(body: string): string | null {
  const answer: Answer = {
    status: 200,
    type: "application/json",
    body,
    defect: null,
    retryAfterMs: null,
    isEarly: false,
  };
  const proof = proofIn(answer, SENT);
  return "captureId" in proof ? proof.captureId : null;
}

Deno.test("proofIn() reads an id as the server wrote it", () => {
  const ids: [string, string][] = [
    ['{"id":"a-1"}', "a-1"],
    ['{"id":7}', "7"],
    ['{"id":0}', "0"],
    ['{"id":-1.50}', "-1.50"],
    // Beyond what a double holds: another capture's id otherwise.
    ['{"id":12345678901234567890}', "12345678901234567890"],
    ['{"id":-9007199254740993}', "-9007199254740993"],
    ['{"id":1e400}', "1e400"],
    ['{"other":{"id":1},"id":"outer"}', "outer"],
    ['{"id":12345678901234567890,"other":{"id":1}}', "12345678901234567890"],
    // As every common parser reads them.
    ['{"id":null,"id":"last"}', "last"],
    ['{"id":"first","id":9007199254740993}', "9007199254740993"],
    [`{"id":"${"x".repeat(1024)}"}`, "x".repeat(1024)],
    ['  {"id":"spaced out"}\n', "spaced out"],
    ['{"\\u0069d":"ü"}', "ü"],
    // Deeper than a parser can call back.
    [`{"id":7,"deep":${"[".repeat(20_000)}${"]".repeat(20_000)}}`, "7"],
  ];
  for (const [body, id] of ids) assertEquals(idIn(body), id, body);
});

Deno.test("proofIn() takes nothing else for a proof", () => {
  const bodies = [
    "",
    "{}",
    '{"id":',
    '{"id":"a"',
    '{"id":"a"}x',
    '{"id":null}',
    '{"id":""}',
    '{"id":" \\t"}',
    '{"id":true}',
    '{"id":false}',
    '{"id":{"id":1}}',
    '{"id":["a"]}',
    '{"id":"a","id":null}',
    '{"ID":"a"}',
    '{"name":"x","nested":{"id":1}}',
    '{"__proto__":{"id":1}}',
    '"id"',
    "7",
    "null",
    '[{"id":1}]',
    `{"id":"${"x".repeat(1025)}"}`,
    `{"id":"${"x".repeat(10_000)}"}`,
    '{"id":"red\\u001b[31m"}',
    '{"id":"two\\nlines"}',
    '{"id":"right\\u202eleft"}',
    '{"id":"zero\\u200bwidth"}',
    '{"id":"half \\ud800"}',
    '{"id":"\0"}',
    "\0".repeat(100),
    '\0{\0"\0i\0d\0"\0:\0"\0a\0"\0}',
    "[".repeat(200_000),
    '{"id":1}{"id":1}',
    'for(;;);{"id":1}',
  ];
  for (const body of bodies) assertEquals(idIn(body), null, body.slice(0, 40));
});

Deno.test("parseRetryAfter() reads seconds and HTTP dates in their three forms", () => {
  const values: [string | null, number | null][] = [
    ["0", 0],
    ["7", 7000],
    [" 1.5 ", 1500],
    ["+2", 2000],
    ["\t120\t", 120_000],
    ["Fri, 02 Jan 2026 03:05:05 GMT", 60_000],
    ["Friday, 02-Jan-26 03:05:05 GMT", 60_000],
    ["Fri Jan  2 03:05:05 2026", 60_000],
    ["fri, 02 jan 2026 03:05:05 gmt", 60_000],
    // Two such headers arrive as one list.
    ["120, 240", 120_000],
    ["5,", 5000],
    ["Fri, 02 Jan 2026 03:05:05 GMT, Fri, 02 Jan 2026 04:05:05 GMT", 60_000],
    [null, null],
    ["", null],
    ["soon", null],
    ["5s", null],
    ["5 minutes", null],
    ["May 5", null],
    ["NaN", null],
    ["Infinity", null],
    ["0x10", null],
    ["1e3", null],
    ["--5", null],
    ["2026", 2026_000],
    ["Fri, 99 Jan 2026 03:05:05 GMT", null],
  ];
  for (const [value, expected] of values) {
    assertEquals(parseRetryAfter(value, NOW_MS), expected, String(value));
  }
});

Deno.test("parseRetryAfter() keeps absurd times within an hour, and past ones at once", () => {
  const values: [string, number][] = [
    ["-5", 0],
    ["-0.5", 0],
    ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
    ["3601", MAX_RETRY_AFTER_MS],
    ["9".repeat(400), MAX_RETRY_AFTER_MS],
    ["Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER_MS],
  ];
  for (const [value, expected] of values) {
    assertEquals(parseRetryAfter(value, NOW_MS), expected, value);
  }
});
