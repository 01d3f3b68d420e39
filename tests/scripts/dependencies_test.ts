/**
 * What the project expects of its dependencies, held against whichever binding
 * the tests run on: the packages of JSR, or the adapters in scripts/npm/.
 */
import { Busboy } from "@fastify/busboy";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  AssertionError,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";
import { deadline } from "@std/async/deadline";
import { delay } from "@std/async/delay";
import { retry, RetryError, type RetryOptions } from "@std/async/retry";
import { parseArgs } from "@std/cli/parse-args";
import { format as formatBytes } from "@std/fmt/bytes";
import { format as formatDuration } from "@std/fmt/duration";
import { typeByExtension } from "@std/media-types/type-by-extension";
import * as path from "@std/path";
import { FakeTime } from "@std/testing/time";
import fc from "fast-check";
import { pipeline } from "node:stream/promises";
import { runningBinding } from "../../scripts/task/bindings.ts";

function failing(fn: () => unknown): Error {
  return assertThrows(fn, AssertionError);
}

Deno.test("assertions pass for what they say", async () => {
  assert(1);
  assertNotEquals([1], [2]);
  assertStringIncludes("capture", "apt");
  assertMatch("capture", /^c.*e$/);
  assertInstanceOf(new RangeError("x"), Error);
  const thrown: TypeError = assertThrows(
    () => {
      throw new TypeError("a bad thing");
    },
    TypeError,
    "bad",
  );
  assertEquals(thrown.message, "a bad thing");
  const rejected: RangeError = await assertRejects(
    () => Promise.reject(new RangeError("a bad thing")),
    RangeError,
    "bad",
  );
  assertEquals(rejected.message, "a bad thing");
  assertEquals(await assertRejects(() => Promise.reject("text")), "text");
});

Deno.test("assertions fail for the opposite, with the caller's message", async () => {
  assertStringIncludes(failing(() => assert(0, "why")).message, "why");
  assertStringIncludes(failing(() => fail("why")).message, "why");
  assertStringIncludes(failing(() => assertEquals(1, 2, "why")).message, "why");
  failing(() => assertNotEquals([1], [1]));
  failing(() => assertStringIncludes("capture", "x"));
  failing(() => assertMatch("capture", /x/));
  failing(() => assertInstanceOf("x", Error));
  failing(() => assertThrows(() => {}));
  await assertRejects(
    () => assertRejects(() => Promise.resolve()),
    AssertionError,
    "reject",
  );
});

Deno.test("assertThrows() and assertRejects() fail for another class or text", async () => {
  const reject = () => Promise.reject(new TypeError("a bad thing"));
  await assertRejects(() => assertRejects(reject, RangeError), AssertionError);
  await assertRejects(
    () => assertRejects(reject, TypeError, "good"),
    AssertionError,
  );
  const raise = () => {
    throw new TypeError("a bad thing");
  };
  failing(() => assertThrows(raise, RangeError));
  failing(() => assertThrows(raise, TypeError, "good"));
});

Deno.test("assertRejects() fails for a function that throws at once", async () => {
  const raise = () => {
    throw new Error("at once");
  };
  await assertRejects(() => assertRejects(raise), AssertionError, "throws");
});

Deno.test("assertEquals() compares by value and by kind", () => {
  assertEquals({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] });
  assertEquals(new Map([["a", new Set([1])]]), new Map([["a", new Set([1])]]));
  assertEquals(new Uint8Array([1, 2]), new Uint8Array([1, 2]));
  assertEquals(new Date(5), new Date(5));
  assertEquals(NaN, NaN);
  assertEquals<number[]>([0], [-0]);
  assertEquals<object>(Object.assign(Object.create(null), { a: 1 }), { a: 1 });
  failing(() => assertEquals<unknown>({ a: undefined }, {}));
  failing(() => assertEquals<unknown>("1", 1));
  failing(() => assertEquals<unknown>([1], { 0: 1 }));
  failing(() => assertEquals<unknown>(new Date(5), {}));
  failing(() => assertEquals(new Uint8Array([1]), new Uint8Array([2])));
});

Deno.test("delay() waits, and ends with the signal's reason", async () => {
  await delay(1);
  const controller = new AbortController();
  const reason = new Error("enough");
  const waiting = delay(60_000, { signal: controller.signal });
  controller.abort(reason);
  assertEquals(await assertRejects(() => waiting), reason);
  const again = delay(60_000, { signal: controller.signal });
  assertEquals(await assertRejects(() => again), reason);
});

Deno.test("delay() leaves no timer behind when it is ended", async () => {
  using time = new FakeTime();
  const controller = new AbortController();
  const waiting = delay(60_000, { signal: controller.signal });
  controller.abort();
  await assertRejects(() => waiting);
  assertEquals(time.next(), false);
});

Deno.test("deadline() settles with the promise, or with a TimeoutError", async () => {
  assertEquals(await deadline(Promise.resolve(7), 60_000), 7);
  await assertRejects(
    () => deadline(Promise.reject(new RangeError("own")), 60_000),
    RangeError,
    "own",
  );
  const { promise, resolve } = Promise.withResolvers<void>();
  const late = await assertRejects(() => deadline(promise, 1), DOMException);
  assertEquals(late.name, "TimeoutError");
  resolve();
});

/** Calls retry() with a function that always fails; tells when it was called. */
async function callTimes(options: RetryOptions): Promise<number[]> {
  using time = new FakeTime(0);
  const times: number[] = [];
  let isDone = false;
  const done = retry(() => {
    times.push(time.now);
    throw new Error("no");
  }, options).catch(() => {}).finally(() => isDone = true);
  while (!isDone) {
    await time.runMicrotasks();
    time.next();
  }
  await done;
  return times;
}

Deno.test("retry() waits twice as long each time, up to the cap", async () => {
  const options = { maxAttempts: 5, jitter: 0, maxTimeout: 5_000 };
  assertEquals(await callTimes(options), [0, 1_000, 3_000, 7_000, 12_000]);
});

Deno.test("retry() takes its first wait and its growth from the options", async () => {
  const options = { maxAttempts: 3, jitter: 0, minTimeout: 10, multiplier: 3 };
  assertEquals(await callTimes(options), [0, 10, 40]);
});

Deno.test("retry() with jitter waits some part of the time", async () => {
  const waits: number[] = [];
  for (let i = 0; i < 30; i++) {
    const options = { maxAttempts: 2, jitter: 0.5, minTimeout: 1_000_000 };
    const [, wait] = await callTimes({ ...options, maxTimeout: 1_000_000 });
    waits.push(wait ?? 0);
  }
  assert(waits.every((ms) => ms >= 500_000 && ms <= 1_000_000));
  assert(Math.min(...waits) < 1_000_000);
});

Deno.test("retry() returns the first success", async () => {
  let calls = 0;
  const result: number = await retry(() => {
    calls++;
    if (calls < 3) throw new TypeError("not yet");
    return Promise.resolve(calls);
  }, { minTimeout: 0 });
  assertEquals(result, 3);
});

Deno.test("retry() throws a RetryError with the last failure as cause", async () => {
  let calls = 0;
  const error = await assertRejects(
    () =>
      retry(() => Promise.reject(`failure ${++calls}`), {
        maxAttempts: 2,
        minTimeout: 0,
      }),
    RetryError,
    "(2)",
  );
  assertEquals([error.cause, error.name], ["failure 2", "RetryError"]);
});

Deno.test("retry() throws what isRetriable refuses, as it is and at once", async () => {
  const refused = new TypeError("never again");
  let calls = 0;
  const error = await assertRejects(() =>
    retry(() => {
      calls++;
      throw refused;
    }, { isRetriable: (error) => error !== refused })
  );
  assertEquals([error, calls], [refused, 1]);
});

Deno.test("retry() ends a wait with the signal's reason", async () => {
  const controller = new AbortController();
  let calls = 0;
  const error = await assertRejects(() =>
    retry(() => {
      if (++calls === 1) queueMicrotask(() => controller.abort("enough"));
      throw new Error("no");
    }, { signal: controller.signal, minTimeout: 60_000, jitter: 0 })
  );
  assertEquals([error, calls], ["enough", 1]);
});

Deno.test("retry() does not begin once its signal is aborted", async () => {
  let calls = 0;
  const retrying = retry(() => calls++, { signal: AbortSignal.abort("no") });
  assertEquals(await assertRejects(() => retrying), "no");
  assertEquals(calls, 0);
});

const OPTIONS = {
  string: ["_", "server", "watch"],
  boolean: ["json", "help"],
  collect: ["watch"],
  alias: { help: "h" },
} as const;

Deno.test("parseArgs() types what is declared", () => {
  const args = parseArgs(
    ["--server", "a", "--watch=b", "--json", "007"],
    OPTIONS,
  );
  const server: string | undefined = args.server;
  const watch: string[] = args.watch;
  const json: boolean = args.json;
  assertEquals([server, watch, json, args._], ["a", ["b"], true, ["007"]]);
});

Deno.test("parseArgs() gives options that are absent their empty value", () => {
  const { _, server, watch, json, help } = parseArgs([], OPTIONS);
  assertEquals({ _, server, watch, json, help }, {
    _: [],
    server: undefined,
    watch: [],
    json: false,
    help: false,
  });
});

Deno.test("parseArgs() takes values, repetitions and short names", () => {
  const cases: [string[], Record<string, unknown>][] = [
    [["--server=a=b"], { server: "a=b" }],
    [["--server", "a", "--server", "b"], { server: "b" }],
    [["--server=a\nb"], { server: "a\nb" }],
    [["--server="], { server: "" }],
    [["--server"], { server: "" }],
    [["--server", "--json"], { server: "", json: true }],
    [["--server", ""], { server: "", _: [""] }],
    [["--server", "-"], { server: "", _: ["-"] }],
    // Named like an option, and none.
    [["--server", "watch"], { server: "watch", _: [] }],
    [["watch", "--json"], { json: true, _: ["watch"] }],
    [["--watch", "a", "--watch", "b"], { watch: ["a", "b"] }],
    [["-h"], { help: true }],
    [["--json", "a"], { json: true, _: ["a"] }],
    [["--json=false"], { json: false }],
    [["a", "-", "1"], { _: ["a", "-", "1"] }],
    [["a", "--", "--json", "-h"], { json: false, _: ["a", "--json", "-h"] }],
  ];
  for (const [given, expected] of cases) {
    const args: Record<string, unknown> = parseArgs(given, OPTIONS);
    const found = Object.fromEntries(
      Object.keys(expected).map((name) => [name, args[name]]),
    );
    assertEquals(found, expected, given.join(" "));
  }
});

Deno.test("parseArgs() tells unknown options and positionals, and can drop them", () => {
  const told: [string, string | undefined][] = [];
  const args = parseArgs(
    ["a", "--sever", "-x", "--port=1", "--json", "-h", "--no-help"],
    {
      ...OPTIONS,
      unknown: (arg: string, name?: string) => {
        told.push([arg, name]);
        return name === undefined;
      },
    },
  );
  assertEquals(told, [
    ["a", undefined],
    ["--sever", "sever"],
    ["-x", "x"],
    ["--port=1", "port"],
    ["--no-help", "no-help"],
  ]);
  assertEquals([args._, args.json, args.help], [["a"], true, true]);
  assertEquals(["sever" in args, "port" in args], [false, false]);
});

Deno.test("Busboy reads a form, and tells of one that ends early", async () => {
  const form =
    '--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--edge--';
  const read = async (body: string) => {
    const fields: string[][] = [];
    const parser = new Busboy({
      headers: { "content-type": "multipart/form-data; boundary=edge" },
    });
    parser.on("field", (name, value) => fields.push([name, value]));
    await pipeline([body], parser);
    return fields;
  };
  assertEquals(await read(form), [["a", "b"]]);
  await assertRejects(() => read(form.slice(0, -3)), Error, "Unexpected end");
});

Deno.test("fast-check finds a counterexample, the smallest, and the same for a seed", () => {
  const isSmall = fc.property(fc.nat(), (n) => n < 1000);
  const { failed, counterexample } = fc.check(isSmall, { seed: 1 });
  assert(failed);
  assertEquals(counterexample, [1000]);
});

Deno.test("format() of bytes", () => {
  const said = [0, 999, 1_000, 1_337, 1_073_741_824].map((n) => formatBytes(n));
  assertEquals(said, ["0 B", "999 B", "1 kB", "1.34 kB", "1.07 GB"]);
});

Deno.test("format() of a duration", () => {
  const said = [65_000, 90_061_001, 29_427_542_577_625]
    .map((ms) => formatDuration(ms, { ignoreZero: true }));
  assertEquals(said, [
    "1m 5s",
    "1d 1h 1m 1s 1ms",
    "340596d 13h 22m 57s 625ms",
  ]);
});

Deno.test("typeByExtension() knows captures, with or without the dot", () => {
  const known = [
    "png",
    ".PNG",
    "jpg",
    "webp",
    "mp4",
    "webm",
    "json",
    "txt",
    "js",
  ];
  assertEquals(known.map(typeByExtension), [
    "image/png",
    "image/png",
    "image/jpeg",
    "image/webp",
    "video/mp4",
    "video/webm",
    "application/json",
    "text/plain",
    "text/javascript",
  ]);
  const unknown = ["", ".", "nonsense"];
  assertEquals(unknown.map(typeByExtension), unknown.map(() => undefined));
});

Deno.test("path functions take a path apart and put it together", () => {
  const file = path.join("a", "..", "b", "c.tar.gz");
  assertEquals(path.dirname(file), "b");
  assertEquals(path.basename(file), "c.tar.gz");
  assertEquals(path.basename(file, ".gz"), "c.tar");
  assertEquals(path.extname(file), ".gz");
  assertEquals(path.parse(file).name, "c.tar");
  assertEquals(path.normalize("b//./c"), path.join("b", "c"));
  const absolute = path.resolve("b");
  assert(path.isAbsolute(absolute));
  assertEquals(path.relative(Deno.cwd(), absolute), "b");
  assertEquals(path.SEPARATOR, Deno.build.os === "windows" ? "\\" : "/");
  assertEquals(path.DELIMITER, Deno.build.os === "windows" ? ";" : ":");
});

Deno.test("FakeTime runs timers in their order, at their time", () => {
  using time = new FakeTime("2026-01-02T03:04:05Z");
  const start = Date.now();
  const seen: [string, number][] = [];
  const note = (name: string) => seen.push([name, Date.now() - start]);
  setTimeout(note, 20, "late");
  setTimeout(note, 10, "early");
  clearTimeout(setTimeout(note, 5, "never"));
  const interval = setInterval(note, 15, "again");
  time.tick(30);
  clearInterval(interval);
  time.tick(30);
  assertEquals(seen, [["early", 10], ["again", 15], ["late", 20], [
    "again",
    30,
  ]]);
  assertEquals(new Date().toISOString(), "2026-01-02T03:04:05.060Z");
  assertEquals(time.now, start + 60);
});

Deno.test("FakeTime drives delay() and AbortSignal.timeout()", async () => {
  using time = new FakeTime();
  const signal = AbortSignal.timeout(1_000);
  const waiting = delay(1_000);
  time.tick(999);
  assertEquals(signal.aborted, false);
  time.tick(1);
  await waiting;
  assertEquals([signal.aborted, signal.reason?.name], [true, "TimeoutError"]);
});

Deno.test("FakeTime gives the real clock and timers back", async () => {
  const real = [Date, setTimeout, setInterval, AbortSignal.timeout];
  {
    using _time = new FakeTime(0);
    assertThrows(() => new FakeTime());
  }
  assertEquals([Date, setTimeout, setInterval, AbortSignal.timeout], real);
  assert(Date.now() > 1_700_000_000_000);
  await delay(1);
});

Deno.test({
  name: "@db/sqlite says on npm that it is not there",
  // On JSR it is, and database_test.ts opens databases with it.
  ignore: runningBinding() !== "npm",
  async fn() {
    await assertRejects(() => import("@db/sqlite"), Error, "Deno's own");
  },
});
