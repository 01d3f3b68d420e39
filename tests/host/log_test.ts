import { assert, assertEquals, assertMatch } from "@std/assert";
import { isJournal } from "../../sync/host/systemd_journal.ts";
import { createLog, OnceLog, oneLine } from "../../sync/host/log.ts";

Deno.test("createLog() writes a line with time and level for each message, debug ones only if asked to", () => {
  const lines: string[] = [];
  const log = createLog({ write: (line) => lines.push(line) });
  log("warn", "one\ntwo");
  log("debug", "nobody reads this");
  createLog({ write: (line) => lines.push(line), level: "debug" })(
    "debug",
    "x",
  );
  assertEquals(lines.length, 2);
  assertMatch(lines[0]!, /^\d{4}-\d\d-\d\dT[\d:.]+Z warn {2}one\\ntwo$/);
  assertMatch(lines[1]!, / debug x$/);
});

Deno.test("createLog() writes a JSON object a line, with stable keys, for programs", () => {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line);
  const log = createLog({ write, format: "json", level: "warn" });
  const fields = { event: "failed", captureId: "1", status: 422, ms: 3 };
  log("error", "a\u202eb\nc", fields);
  log("warn", "d");
  log("info", "left out");
  assertEquals(lines.length, 2);
  const [{ time, ...rest }, other] = lines.map((line) => JSON.parse(line));
  assertMatch(time, /^\d{4}-.*Z$/);
  assertEquals(rest, { level: "error", ...fields, message: "a\u202eb\nc" });
  assertEquals([other.event, other.message], ["note", "d"]);
  assert(!lines[0]!.includes("\u202e"));
});

Deno.test("createLog() writes priorities instead for the journal, which has a clock", () => {
  const lines: string[] = [];
  const log = createLog({
    write: (line) => lines.push(line),
    journal: true,
    level: "debug",
  });
  for (const level of ["error", "warn", "info", "debug"] as const) {
    log(level, level);
  }
  assertEquals(lines, ["<3>error", "<4>warn", "<6>info", "<7>debug"]);
});

Deno.test("isJournal() tells a variable that was inherited from standard error being the journal", () => {
  assertEquals(isJournal(undefined), false);
  assertEquals(isJournal(""), false);
  assertEquals(isJournal("1:1"), false);
});

Deno.test("OnceLog says a thing once, until it is over", () => {
  const said: string[] = [];
  const log = new OnceLog((level, message) => said.push(`${level} ${message}`));
  log.warn("a", "first");
  log.warn("a", "second");
  log.warn("b", "third");
  log.forget("a");
  log.warn("a", "fourth");
  assertEquals(said, ["warn first", "warn third", "warn fourth"]);
});

Deno.test("oneLine() writes what a terminal would obey as in JSON, and leaves all else", () => {
  const plain = 'caf\u00e9 \u{1f4f7} "quoted" \\n \u05d0';
  assertEquals(oneLine(plain), plain);
  const text = '{"a":"\x7f\x9b\u2028\u202e\u200b\ufeff\u3164\u{e0041}"}';
  assertEquals(
    oneLine(text),
    '{"a":"\\u007f\\u009b\\u2028\\u202e\\u200b\\ufeff\\u3164\\udb40\\udc41"}',
  );
  assertEquals(JSON.parse(oneLine(text)), JSON.parse(text));
  assertEquals(oneLine("a\r\nb\tc\0"), "a\\u000d\\nb\\u0009c\\u0000");
});

Deno.test("what Deno says of a path is told without the system's call, and no path twice", () => {
  const cases = [
    [
      "Cannot read \"/x\": No such file or directory (os error 2): lstat '/x'",
      'Cannot read "/x": No such file or directory',
    ],
    [
      "Too many open files (os error 24): readdir '/x'",
      "Too many open files: /x",
    ],
    ["Connection refused (os error 111)", "Connection refused (os error 111)"],
  ];
  for (const [said, told] of cases) assertEquals(oneLine(said!), told);
});
