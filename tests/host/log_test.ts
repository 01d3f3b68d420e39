import { assertEquals, assertMatch } from "@std/assert";
import { isJournal } from "../../sync/host/systemd_journal.ts";
import { createLog, OnceLog, oneLine } from "../../sync/host/log.ts";

Deno.test("createLog() writes a line with time and level for each message, debug ones only if asked to", () => {
  const lines: string[] = [];
  const log = createLog({ write: (line) => lines.push(line) });
  log("warn", "one\ntwo");
  log("debug", "nobody reads this");
  createLog({ write: (line) => lines.push(line), verbose: true })("debug", "x");
  assertEquals(lines.length, 2);
  assertMatch(lines[0]!, /^\d{4}-\d\d-\d\dT[\d:.]+Z warn {2}one\\ntwo$/);
  assertMatch(lines[1]!, / debug x$/);
});

Deno.test("createLog() writes priorities instead for the journal, which has a clock", () => {
  const lines: string[] = [];
  const log = createLog({
    write: (line) => lines.push(line),
    journal: true,
    verbose: true,
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
