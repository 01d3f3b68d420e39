import { assertEquals, assertMatch } from "@std/assert";
import {
  CaptureFileError,
  CaptureReadError,
} from "../../sync/capture/errors.ts";
import {
  type Answer,
  MAX_RETRY_AFTER_MS,
  outcomeOfAnswer,
  outcomeOfError,
  parseRetryAfter,
} from "../../sync/upload/outcome.ts";

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

function answer(status: number, rest: Partial<Answer> = {}): Answer {
  return { status, body: "", retryAfter: null, isWhole: true, ...rest };
}

/** The parts of an outcome that a queue acts on. */
function brief(status: number, rest: Partial<Answer> = {}): string {
  const { kind, transient } = outcomeOfAnswer(answer(status, rest));
  return transient ? `${kind}, transient` : kind;
}

Deno.test("outcomeOfAnswer() takes every 2xx for delivered", () => {
  for (const status of [200, 201, 202, 204, 299]) {
    assertEquals(brief(status, { body: '{"id":"x"}' }), "delivered");
  }
});

Deno.test("outcomeOfAnswer() does not take a 2xx for delivered that came before the whole capture had left", () => {
  const outcome = outcomeOfAnswer(
    answer(201, { body: '{"id":"x"}', isWhole: false }),
  );
  assertEquals(outcome, {
    kind: "retry",
    captureId: null,
    error: "HTTP 201 before the whole capture was sent: not taken as delivered",
    warning: null,
    transient: true,
    retryAfterMs: null,
  });
});

Deno.test("outcomeOfAnswer() retries every 5xx", () => {
  for (const status of [500, 501, 502, 503, 504, 507, 599]) {
    assertEquals(brief(status), "retry, transient");
  }
});

Deno.test("outcomeOfAnswer() waits for a 503 that names a time, without a charge", () => {
  const outcome = outcomeOfAnswer(answer(503, { retryAfter: "7" }));
  assertEquals(outcome.kind, "pause");
  assertEquals(outcome.retryAfterMs, 7000);
  assertEquals(brief(500, { retryAfter: "7" }), "retry, transient");
});

Deno.test("outcomeOfAnswer() pauses when asked to come back later, and keeps the time", () => {
  for (const status of [408, 425, 429]) {
    assertEquals(brief(status), "pause");
    const { retryAfterMs } = outcomeOfAnswer(
      answer(status, { retryAfter: "120" }),
    );
    assertEquals(retryAfterMs, 120_000);
  }
});

Deno.test("outcomeOfAnswer() pauses when the host or its settings are at fault", () => {
  const statuses = [401, 403, 404, 405, 407, 421, 300, 301, 302, 304, 307, 308];
  for (const status of statuses) {
    const outcome = outcomeOfAnswer(answer(status, { retryAfter: "120" }));
    assertEquals(outcome.kind, "pause", `HTTP ${status}`);
    assertEquals(outcome.transient, false, `HTTP ${status}`);
    assertEquals(outcome.retryAfterMs, null, `HTTP ${status}`);
  }
});

Deno.test("outcomeOfAnswer() rejects a capture for every other 4xx", () => {
  for (
    const status of [400, 402, 406, 409, 410, 411, 413, 415, 418, 422, 451]
  ) {
    assertEquals(brief(status), "reject", `HTTP ${status}`);
  }
});

Deno.test("outcomeOfAnswer() takes a 409 with an id for delivered, even before the capture had left", () => {
  for (const isWhole of [true, false]) {
    const outcome = outcomeOfAnswer(
      answer(409, { body: '{"id":"there"}', isWhole }),
    );
    assertEquals(outcome.kind, "delivered");
    assertEquals(outcome.captureId, "there");
  }
  assertEquals(brief(409, { body: '{"detail":"conflict"}' }), "reject");
});

Deno.test("outcomeOfAnswer() reads an id as the server wrote it", () => {
  const ids: [string, string][] = [
    ['{"id":"a-1"}', "a-1"],
    ['{"id":7}', "7"],
    ['{"id":0}', "0"],
    // Beyond what a double holds: another capture's id otherwise.
    ['{"id":12345678901234567890}', "12345678901234567890"],
    ['{"id":-9007199254740993}', "-9007199254740993"],
    ['{"other":{"id":1},"id":"outer"}', "outer"],
    [`{"id":"${"x".repeat(1024)}"}`, "x".repeat(1024)],
    ['  {"id":"spaced out"}\n', "spaced out"],
  ];
  for (const [body, id] of ids) {
    const outcome = outcomeOfAnswer(answer(201, { body }));
    assertEquals(outcome.captureId, id);
    assertEquals(outcome.warning, null);
  }
});

Deno.test("outcomeOfAnswer() delivers without an id it can use, with a remark", () => {
  const bodies = [
    "",
    "<html><body>OK</body></html>",
    '{"id":',
    '{"id":null}',
    '{"id":""}',
    '{"id":true}',
    '{"id":{"id":1}}',
    '{"id":["a"]}',
    '{"name":"x"}',
    '"id"',
    "[1]",
    "null",
    `{"id":"${"x".repeat(1025)}"}`,
    '{"id":"red\\u001b[31m"}',
    '{"id":"two\\nlines"}',
    "[".repeat(200_000),
  ];
  for (const body of bodies) {
    const outcome = outcomeOfAnswer(answer(200, { body }));
    assertEquals(outcome.kind, "delivered", body.slice(0, 40));
    assertEquals(outcome.captureId, null, body.slice(0, 40));
    assertMatch(outcome.warning!, /^HTTP 200 without a usable "id"/);
  }
});

Deno.test("outcomeOfAnswer() quotes the first 500 characters of the server's words", () => {
  const { error } = outcomeOfAnswer(
    answer(422, { body: "word ".repeat(1000) }),
  );
  assertEquals(error, `HTTP 422: ${"word ".repeat(100)}`);
  assertEquals(outcomeOfAnswer(answer(422)).error, "HTTP 422");
  assertEquals(
    outcomeOfAnswer(answer(422, { body: " \n " })).error,
    "HTTP 422",
  );
});

Deno.test("outcomeOfAnswer() makes one line of the server's words that no terminal obeys", () => {
  const body = "\u001b[31mred\r\nnext\u0000\u009bline \u202eback\u2028end";
  assertEquals(
    outcomeOfAnswer(answer(422, { body })).error,
    "HTTP 422: [31mred next line back end",
  );
});

Deno.test("outcomeOfAnswer() never cuts a character in two", () => {
  const { error } = outcomeOfAnswer(
    answer(422, { body: "a" + "😀".repeat(400) }),
  );
  assertEquals(error!.isWellFormed(), true);
});

Deno.test("outcomeOfAnswer() hides secrets that a server repeats, also where the text is cut", () => {
  const secrets = { token: "s3cret-token", metadata: '{"door":"a \\"b\\""}' };
  const repeated = [
    "bad token s3cret-token, again s3cret-token",
    `${"x".repeat(494)}s3cret-token`,
    `not an object: ${secrets.metadata}`,
    JSON.stringify({ input: secrets.metadata, sent: "Bearer s3cret-token" }),
  ];
  for (const body of repeated) {
    const { error } = outcomeOfAnswer(answer(422, { body }), secrets);
    assertEquals(/s3c|door/.test(error!), false, error!);
    assertMatch(error!, /\[token\]|\[metadata\]|\[token$|\[toke$/);
  }
});

Deno.test("outcomeOfError() rejects a capture whose file cannot be read, and says which", () => {
  const outcome = outcomeOfError(new CaptureFileError('Cannot read "a": gone'));
  assertEquals(outcome, {
    kind: "reject",
    captureId: null,
    error: 'Cannot read "a": gone',
    warning: null,
    transient: false,
    retryAfterMs: null,
  });
});

Deno.test("outcomeOfError() tries a capture again that could not be read whole", () => {
  const outcome = outcomeOfError(new CaptureReadError('Cannot send "a"'));
  assertEquals(outcome.kind, "retry");
  assertEquals(outcome.transient, true);
  assertEquals(outcome.error, 'Cannot send "a"');
});

Deno.test("outcomeOfError() pauses for want of progress", () => {
  const error = new DOMException("No progress for 30 s", "TimeoutError");
  const outcome = outcomeOfError(error);
  assertEquals(outcome.kind, "pause");
  assertEquals(outcome.transient, true);
  assertEquals(outcome.error, "No progress for 30 s");
});

Deno.test("outcomeOfError() finds a failed connection's reason, in the cause or in the message", () => {
  const reason = "client error (Connect): Connection refused (os error 111)";
  const chain = `error sending request for url (http://h:1/a?b): ${reason}`;
  const errors = [
    new TypeError("fetch failed", { cause: new Error(chain) }),
    new TypeError(chain),
  ];
  for (const error of errors) {
    const outcome = outcomeOfError(error);
    assertEquals(outcome.kind, "pause");
    assertEquals(outcome.transient, true);
    assertEquals(outcome.error, `Cannot reach the server: ${reason}`);
  }
});

Deno.test("outcomeOfError() bounds and redacts what it says, whatever was thrown", () => {
  const secrets = { token: "s3cret" };
  const { error } = outcomeOfError(
    new Error("s3cret \u001b[2J" + "x".repeat(1000)),
    secrets,
  );
  assertEquals(error, `[token] [2J${"x".repeat(489)}`);
  assertEquals(outcomeOfError("just\ntext").error, "just text");
  assertEquals(outcomeOfError(undefined).kind, "pause");
  assertEquals(outcomeOfError(new RangeError("")).error, "RangeError");
});

Deno.test("parseRetryAfter() reads seconds and HTTP dates", () => {
  const values: [string | null, number | null][] = [
    ["0", 0],
    ["7", 7000],
    [" 1.5 ", 1500],
    ["Fri, 02 Jan 2026 03:05:05 GMT", 60_000],
    ["Friday, 02-Jan-26 03:05:05 GMT", 60_000],
    [null, null],
    ["", null],
    ["soon", null],
    ["NaN", null],
    ["Infinity", null],
    ["0x10", null],
  ];
  for (const [value, expected] of values) {
    assertEquals(parseRetryAfter(value, NOW_MS), expected, String(value));
  }
});

Deno.test("parseRetryAfter() keeps absurd times within an hour, and past ones at once", () => {
  const values: [string, number][] = [
    ["-5", 0],
    ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
    ["3601", MAX_RETRY_AFTER_MS],
    ["9".repeat(400), MAX_RETRY_AFTER_MS],
    ["Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER_MS],
  ];
  for (const [value, expected] of values) {
    assertEquals(parseRetryAfter(value, NOW_MS), expected, value);
  }
});
