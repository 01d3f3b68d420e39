import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import {
  CaptureFileError,
  CaptureReadError,
} from "../../sync/capture/errors.ts";
import type { Answer } from "../../sync/upload/answer.ts";
import {
  type AnswerContext,
  type Outcome,
  outcomeOfAnswer,
  outcomeOfError,
} from "../../sync/upload/outcome.ts";

const SENT = { size: 3, sha256: "ab".repeat(32), metadata: '{"size":"big"}' };

function judge(
  status: number,
  answer: Partial<Answer> = {},
  context: Partial<AnswerContext> = {},
): Outcome {
  const type = "application/json";
  const whole = { defect: null, retryAfterMs: null, isEarly: false };
  return outcomeOfAnswer(
    { status, type, body: "", ...whole, ...answer },
    { sent: SENT, ...context },
  );
}

/** The parts of an outcome that a queue acts on. */
function brief(status: number, answer: Partial<Answer> = {}): string {
  const { kind, isTransient, retryAfterMs, ...rest } = judge(status, answer);
  assertEquals(rest.status, status);
  return [kind, isTransient && "transient", retryAfterMs ?? ""]
    .filter(Boolean).join(", ");
}

Deno.test("a 2xx with an id is delivered", () => {
  for (const status of [200, 201, 202, 207, 299]) {
    const outcome = judge(status, { body: '{"id":"x"}' });
    assertEquals(outcome, {
      kind: "delivered",
      captureId: "x",
      error: null,
      reason: null,
      isTransient: false,
      retryAfterMs: null,
      status,
    });
  }
});

Deno.test("an id that repeats the token is a delivery, and is kept without it", () => {
  const token = "s3cret-token";
  const ids: [string, string][] = [
    [token, "[token]"],
    [`Bearer ${token}`, "Bearer [token]"],
    [btoa(token), "[token]"],
    // The capture's own name for itself, and whatever else, stays as it is.
    ["big", "big"],
    ["a  b ", "a  b "],
    ["x".repeat(1024), "x".repeat(1024)],
  ];
  for (const [id, kept] of ids) {
    for (const status of [201, 409]) {
      const outcome = judge(status, { body: JSON.stringify({ id }) }, {
        token,
      });
      assertEquals([outcome.kind, outcome.captureId], ["delivered", kept]);
    }
  }
});

Deno.test("a 2xx that proves nothing is not the capture server, and says what came instead", () => {
  const answers: [Partial<Answer>, string][] = [
    [
      { type: "text/html", body: "<html><body>OK</body></html>" },
      "with text/html instead of a JSON object with an id: this is not the capture server",
    ],
    [{ body: "" }, "with an empty body instead of a JSON object"],
    [{ body: " \r\n" }, "with an empty body instead of a JSON object"],
    [{ body: '{"id":' }, "with broken JSON instead of a JSON object"],
    [{ type: "", body: "OK" }, "with no JSON instead of a JSON object"],
    [{ body: "[1]" }, "with JSON that is no object instead of"],
    [{ body: '"id"' }, "with JSON that is no object instead of"],
    [
      { body: '{"success":false,"error":"quota"}' },
      'with an object that says it failed: {"success":false,"error":"quota"}',
    ],
    [
      { body: '{"id":null,"detail":"quota"}' },
      'with an object with an unusable id instead of a JSON object with an id: {"id":null,"detail":"quota"}',
    ],
    [
      {
        defect: "an answer that broke off, or took longer than the timeout",
        body: '{"id":"x"}',
      },
      "with an answer that broke off, or took longer than the timeout instead of",
    ],
    [
      { type: "text/\u001b[31mred", body: "x" },
      "with text/\\u001b[31mred instead of",
    ],
  ];
  for (const status of [200, 202, 204, 207]) {
    for (const [answer, expected] of answers) {
      const { kind, isTransient, error, captureId } = judge(status, answer);
      assertEquals([kind, isTransient], ["unavailable", false]);
      assertEquals(captureId, null);
      assertStringIncludes(error!, `HTTP ${status} ${expected}`);
    }
  }
});

Deno.test("a 2xx that came before the whole capture had left proves nothing", () => {
  for (const proof of ["id", "status"] as const) {
    const answer = { body: '{"id":"x"}', isEarly: true };
    const { kind, captureId, error } = judge(201, answer, { proof });
    assertEquals([kind, captureId], ["unavailable", null]);
    const expected = "HTTP 201 before the whole capture was sent";
    assertStringIncludes(error!, expected);
  }
});

Deno.test("a 2xx from a cache proves nothing, whatever it has", () => {
  const body = `{"id":"x","sha256":"${SENT.sha256}"}`;
  for (const proof of ["id", "status"] as const) {
    const answer = { body, isCached: true };
    const { kind, captureId, error } = judge(201, answer, { proof });
    assertEquals([kind, captureId], ["unavailable", null]);
    assertEquals(error, "HTTP 201 with an answer from a cache");
  }
});

Deno.test("an answer that names another size or hash proves that something else arrived", () => {
  const same = [
    `{"id":1,"size":3,"sha256":"${SENT.sha256.toUpperCase()}"}`,
    '{"id":1,"size":"big","sha256":null}',
    '{"id":1,"size":null}',
    '{"id":1,"size":"3"}',
    `{"id":1,"sha256":"sha256:${SENT.sha256}"}`,
  ];
  for (const body of same) {
    assertEquals(judge(200, { body }).kind, "delivered", body);
  }
  const repeated = { ...SENT, metadata: '{"size":7}' };
  const body = '{"id":1,"size":7}';
  assertEquals(judge(200, { body }, { sent: repeated }).kind, "delivered");

  const others: [string, string][] = [
    ['{"id":1,"size":4}', "4 bytes, expected 3"],
    ['{"id":1,"size":0}', "0 bytes, expected 3"],
    [`{"id":1,"sha256":"${"00".repeat(32)}"}`, "another sha256"],
    ['{"id":1,"sha256":""}', "another sha256"],
    ['{"id":1,"sha256":0}', "another sha256"],
    ['{"id":1,"sha256":["00"]}', "another sha256"],
    ['{"id":1,"size":"4"}', "4 bytes, expected 3"],
    ['{"id":1,"size":[0]}', "0 bytes, expected 3"],
  ];
  for (const [body, expected] of others) {
    for (const proof of ["id", "status"] as const) {
      const { kind, error } = judge(200, { body }, { proof });
      assertEquals(kind, "unavailable");
      const what = "HTTP 200 for something else than was sent: ";
      assertEquals(error, what + expected);
    }
    assertEquals(judge(409, { body }).kind, "in_progress");
  }
});

Deno.test("a 2xx that says itself that it failed is no delivery, whatever id it has", () => {
  const failures = [
    '{"id":"r-1","success":false}',
    '{"id":7,"ok":false}',
    '{"id":"r-1","error":"quota"}',
    '{"jsonrpc":"2.0","id":1,"error":{"code":-32601}}',
    '{"id":"r-1","success":"false"}',
    '{"id":"r-1","errors":[{"message":"quota"}]}',
    '{"id":"r-1","status":"error"}',
    '{"id":"r-1","status":"Failed"}',
    '{"id":"r-1","status":"rejected"}',
    '{"id":"r-1","success":0}',
    '{"id":"r-1","ok":"no"}',
    '{"id":"r-1","Success":false}',
    '{"id":"r-1","stored":false}',
    '{"id":"r-1","status":500,"message":"quota"}',
    '{"id":"r-1","statusCode":"403"}',
    '{"id":"r-1","status_code":403}',
    '{"id":1,"code":500}',
    '{"id":1,"isError":true}',
    '{"id":1,"has_errors":true}',
    '{"id":1,"exception":"QuotaException"}',
    '{"id":1,"failed":1}',
    '{"id":"r-1","result":"error"}',
  ];
  for (const body of failures) {
    for (const proof of ["id", "status"] as const) {
      const { kind, captureId, error } = judge(200, { body }, { proof });
      assertEquals([kind, captureId], ["unavailable", null], body);
      const expected = "HTTP 200 with an object that says it failed";
      assertStringIncludes(error!, expected);
      assertStringIncludes(error!, body);
    }
    // There it says why the key was refused: it is stored already.
    assertEquals(judge(409, { body }).kind, "delivered", body);
  }
  for (
    const error of [
      "null",
      '""',
      "false",
      "{}",
      "[]",
      "[null]",
      '"none"',
      '"0"',
      '{"code":0,"message":""}',
    ]
  ) {
    for (const said of [`"error":${error}`, `"errors":${error}`]) {
      const body = `{"id":1,"success":true,"status":"stored",${said}}`;
      assertEquals(judge(200, { body }).kind, "delivered", body);
    }
  }
  for (const said of ['"code":0', '"code":201', '"failed":[]', '"failed":0']) {
    const body = `{"id":1,${said}}`;
    assertEquals(judge(200, { body }).kind, "delivered", body);
  }
  const names = '{"id":1,"constructor":0,"__proto__":0,"toString":0}';
  assertEquals(judge(200, { body: names }).kind, "delivered");
  // As a server answers that repeats the metadata.
  const metadata = '{"result":"failed","success":false}';
  const body = `{"id":1,${metadata.slice(1)}`;
  const sent = { ...SENT, metadata };
  assertEquals(judge(200, { body }, { sent }).kind, "delivered");
});

Deno.test("with the status for a proof any 2xx is delivered, with its id if it has one", () => {
  const bodies: [string, string | null][] = [
    ["", null],
    ["<html>", null],
    ['{"id":true}', null],
    ['{"id":5}', "5"],
  ];
  for (const [body, id] of bodies) {
    const outcome = judge(204, { body }, { proof: "status" });
    assertEquals([outcome.kind, outcome.captureId], ["delivered", id]);
  }
  const refused = judge(302, {}, { proof: "status" });
  assertEquals(refused.kind, "refused");
});

Deno.test("a 409 with an id is delivered, even before the capture had left, and in progress without", () => {
  for (const isEarly of [true, false]) {
    const body = '{"id":"there"}';
    const { kind, captureId } = judge(409, { body, isEarly });
    assertEquals([kind, captureId], ["delivered", "there"]);
  }
  const body = '{"detail":"conflict"}';
  assertEquals(brief(409, { body }), "in_progress");
  assertEquals(
    brief(409, { body, retryAfterMs: 5000 }),
    "in_progress, 5000",
  );
});

Deno.test("a 5xx may do better at once, unless it names a time", () => {
  for (const status of [500, 501, 502, 503, 504, 507, 599]) {
    assertEquals(brief(status), "server_error, transient");
  }
  assertEquals(
    brief(500, { retryAfterMs: 7000 }),
    "server_error, transient, 7000",
  );
  assertEquals(brief(503, { retryAfterMs: 7000 }), "busy, 7000");
});

Deno.test("a server that asks to come back later is busy", () => {
  for (const status of [402, 408, 423, 425, 429, 499]) {
    assertEquals(brief(status), "busy", `HTTP ${status}`);
    assertEquals(brief(status, { retryAfterMs: 120_000 }), "busy, 120000");
  }
});

Deno.test("what says something of the host or its settings is refused", () => {
  const statuses = [
    ...[401, 403, 404, 405, 407, 421, 426, 440, 495, 496, 498],
    ...[300, 301, 302, 304, 307, 308],
  ];
  for (const status of statuses) {
    const said = brief(status, { retryAfterMs: 120_000 });
    assertEquals(said, "refused", `HTTP ${status}`);
  }
});

Deno.test("every other 4xx rejects the capture", () => {
  for (const status of [400, 406, 410, 411, 413, 415, 418, 422, 451]) {
    assertEquals(brief(status), "rejected", `HTTP ${status}`);
  }
});

Deno.test("the server's words stand behind the status", () => {
  assertEquals(judge(422, { body: "no\nsize" }).error, "HTTP 422: no size");
  assertEquals(judge(422).error, "HTTP 422");
  assertEquals(judge(422, { body: " \n " }).error, "HTTP 422");
});

Deno.test("the reason for the log is the status and what it means, without the server's words", () => {
  for (
    const [status, body, reason] of [
      [422, "no size", "HTTP 422 Unprocessable Content"],
      [413, "", "HTTP 413 Content Too Large"],
      [503, "db-1 is down", "HTTP 503 Service Unavailable"],
      [599, "odd", "HTTP 599"],
      [
        200,
        '{"detail": "no such user"}',
        "HTTP 200 with an object without an id instead of a JSON object with an id: this is not the capture server",
      ],
      [
        200,
        '{"error": "no such user"}',
        "HTTP 200 with an object that says it failed",
      ],
    ] as const
  ) assertEquals(judge(status, { body }).reason, reason);
});

Deno.test("a capture's file that will not do is rejected, one that cannot be read now is not", () => {
  assertEquals(outcomeOfError(new CaptureFileError('Cannot read "a": gone')), {
    kind: "rejected",
    captureId: null,
    error: 'Cannot read "a": gone',
    reason: 'Cannot read "a": gone',
    isTransient: false,
    retryAfterMs: null,
    status: null,
  });
  const { kind, isTransient } = outcomeOfError(new CaptureReadError("EIO"));
  assertEquals([kind, isTransient], ["unreadable", false]);
});

Deno.test("what fails because this process has too many files open says nothing of capture or server", () => {
  const noneLeft = Object.assign(new Error("too many files are open"), {
    code: "EMFILE",
  });
  const errors = [
    new CaptureReadError("Cannot read the capture", { cause: noneLeft }),
    new TypeError("error sending request", {
      cause: new Error("tcp open error: Too many open files (os error 24)"),
    }),
  ];
  for (const error of errors) {
    const { kind, isTransient } = outcomeOfError(error);
    assertEquals([kind, isTransient], ["exhausted", false]);
  }
});

Deno.test("without an answer the server is unavailable, and may be back at once", () => {
  const errors: unknown[] = [
    new DOMException("No progress for 30 s", "TimeoutError"),
    new TypeError("fetch failed"),
    new RangeError(""),
    "just\ntext",
    undefined,
  ];
  for (const error of errors) {
    const { kind, isTransient } = outcomeOfError(error);
    assertEquals([kind, isTransient], ["unavailable", true]);
  }
  const texts = errors.map((error) => outcomeOfError(error).error);
  assertEquals(texts, [
    "No progress for 30 s",
    "Cannot reach the server: fetch failed",
    "RangeError",
    "just text",
    "undefined",
  ]);
});

Deno.test("a failed connection's reason is found, in the cause or in the message", () => {
  const reason = "client error (Connect): Connection refused (os error 111)";
  const chain = `error sending request for url (http://h:1/a?b): ${reason}`;
  const errors = [
    new TypeError("fetch failed", { cause: new Error(chain) }),
    new TypeError(chain),
  ];
  for (const error of errors) {
    const expected = `Cannot reach the server: ${reason}`;
    assertEquals(outcomeOfError(error).error, expected);
  }
});

Deno.test("an answer that is not HTTP is told from a server that cannot be reached", () => {
  for (
    const [reason, expected] of [
      [
        "client error (SendRequest): invalid HTTP version parsed",
        /^The server was reached, and its answer is not HTTP: client error .*; see whether its address and port/,
      ],
      [
        "client error (SendRequest): invalid HTTP status-code parsed",
        /^The server was reached, and its answer is not HTTP/,
      ],
      [
        "client error (Connect): received corrupt message of type InvalidContentType",
        /does not speak TLS: see whether its address should begin with http:/,
      ],
      [
        "client error (SendRequest): connection closed before message completed",
        /^Cannot reach the server: client error .* message completed$/,
      ],
    ] as const
  ) {
    const before =
      "error sending request from 127.0.0.1:5 for http://h:1/a (127.0.0.1:1)";
    const cause = new Error(`${before}: ${reason}`);
    const { error } = outcomeOfError(new TypeError("fetch failed", { cause }));
    assertMatch(error!, expected);
    assert(!error!.includes("sending request"), error!);
  }
});

Deno.test("an error is one bounded line without the token, whatever was thrown", () => {
  const thrown = new Error("s3cret-token \u001b[2J" + "x".repeat(1000));
  const { error } = outcomeOfError(thrown, { token: "s3cret-token" });
  assertMatch(error!, /^\[token\] \\u001b\[2Jx+$/);
  assertEquals(error!.length, 500);
});
