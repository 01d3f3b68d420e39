/** The task `test`: runs the tests and counts them. */
import { runDeno } from "./process.ts";
import { sourceFiles } from "./source_files.ts";

/** The figures of the runner's summary. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** The results of tests. */
interface Outcome extends Counts {
  code: number;
}

const SUMMARY =
  /^(?:ok|FAILED) \| (\d+) passed[^|]*\| (\d+) failed[^|]*(?:\| (\d+) ignored)?/;
// deno-lint-ignore no-control-regex -- a colour begins with a control character
const COLOR = /\x1b\[[0-9;]*m/g;
/** Before 2.9 Deno looks for leaks in tests unless it is told otherwise. */
const NO_LEAK_CHECKS = Number(Deno.version.deno.split(".")[1]) < 9
  ? ["--preload", `${import.meta.dirname}/older_deno.ts`]
  : [];
const TAIL_CHARS = 64 * 1024;
/** How many files run at a time: most tests wait, most of the time. */
export const PROCESSES = Math.min(3 * navigator.hardwareConcurrency, 16);
/** The exit codes of a process that was interrupted or terminated. */
const STOPPED = [130, 143];
/** The files that take longest begin first; those not named come last. */
const FIRST = [
  "tests/program/power_cut_test.ts",
  "tests/chaos/",
  "tests/cli/service/",
  "tests/scripts/",
  "tests/cli/",
  "tests/program/",
  "tests/agent/",
  "tests/queue/repair/",
  "tests/monitor/",
];

/**
 * Runs the tests in `tests/`, or the files and folders that the arguments
 * name, and ends standard output with a line `N passed, N failed`, to which
 * `, N skipped` is added where there are any.
 *
 * Several files run at a time, each in a process of its own, because tests change the
 * state of their process, such as its environment. The output of a file is shown when
 * it has ended. A single file, or all where there are arguments besides paths, is run
 * in one process, whose output is shown at once.
 *
 * @returns the runner's exit code, and 1 where no test ran
 */
export async function runTests(
  flags: string[],
  args: string[],
): Promise<number> {
  const output = new Output();
  const files = args.every(isPath) ? testFiles(args) : [];
  const { code, passed, failed, skipped } = files.length > 1
    ? await runEach(files, flags, output)
    : await runTogether(args, flags, output);
  const ran = passed + failed;
  if (ran === 0) console.error("No test ran");
  const more = skipped > 0 ? `, ${skipped} skipped` : "";
  await output.writeLine(`${passed} passed, ${failed} failed${more}`);
  return code === 0 && ran === 0 ? 1 : code;
}

/** Reads the last summary of `deno test` in its output; without one, no test ran. */
export function countTests(output: string): Counts {
  const summary = output.replaceAll(COLOR, "").split("\n")
    .map((line) => line.trim().match(SUMMARY))
    .findLast((match) => match !== null);
  const [passed = 0, failed = 0, skipped = 0] = (summary ?? []).slice(1)
    .map((digits) => Number(digits ?? 0));
  return { passed, failed, skipped };
}

/** Runs `deno test` once, and shows its output at once. */
async function runTogether(
  args: string[],
  flags: string[],
  output: Output,
): Promise<Outcome> {
  const own = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  const folder = own.some(isPath) ? [] : ["tests/"];
  const code = await runDeno([
    "test",
    "-A",
    ...NO_LEAK_CHECKS,
    ...flags,
    ...folder,
    ...args,
  ], {
    output: new WritableStream(output),
  });
  return { code, ...countTests(output.tail) };
}

/** Checks the types of the files, then runs each in a process of its own. */
async function runEach(
  files: string[],
  flags: string[],
  output: Output,
): Promise<Outcome> {
  const total = { code: 0, passed: 0, failed: 0, skipped: 0 };
  total.code = await runDeno(["check", "--quiet", ...flags, ...files]);
  if (total.code !== 0) return total;
  const failures: { file: string; text: string }[] = [];
  const runNext = async () => {
    for (let file; (file = files.shift()) !== undefined;) {
      const [code, text] = await runAside(["--no-check", ...flags, file]);
      await output.writeLine(text);
      const { passed, failed, skipped } = countTests(text);
      total.passed += passed;
      total.failed += failed;
      total.skipped += skipped;
      if (code === 0) continue;
      total.code ||= code;
      failures.push({ file, text });
      if (STOPPED.includes(code)) files.length = 0;
    }
  };
  await Promise.all(Array.from({ length: PROCESSES }, runNext));
  // Many lines may have followed them, and some logs keep only the last ones.
  for (const { file, text } of failures) {
    await output.writeLine(`Failed: ${file}\n${reasonsIn(text)}`);
  }
  return total;
}

/** What `deno test` says of its failures, or all that it printed if it came to no end. */
function reasonsIn(output: string): string {
  const plain = output.replaceAll(COLOR, "");
  const start = plain.indexOf("\n ERRORS ");
  return plain.slice(start < 0 ? 0 : start).trim();
}

/** Runs `deno test`, and returns its exit code and its output. */
async function runAside(args: string[]): Promise<[number, string]> {
  const output = new TransformStream<Uint8Array, Uint8Array>();
  const errors = new TransformStream<Uint8Array, Uint8Array>();
  const [code, ...texts] = await Promise.all([
    runDeno(["test", "-A", ...NO_LEAK_CHECKS, ...args], {
      output: output.writable,
      errors: errors.writable,
    }),
    new Response(output.readable).text(),
    new Response(errors.readable).text(),
  ]);
  return [code, texts.join("")];
}

/** The test files in `tests/` or those that are named, the slowest first. */
function testFiles(paths: string[]): string[] {
  const found = (paths.length > 0 ? paths : ["tests"])
    .flatMap((path) =>
      Deno.statSync(path).isFile
        ? [path]
        : [...sourceFiles(path)].filter((file) => file.endsWith("_test.ts"))
    );
  const rank = (file: string) => {
    const at = FIRST.findIndex((path) => file.startsWith(path));
    return at < 0 ? FIRST.length : at;
  };
  return found.sort().sort((a, b) => rank(a) - rank(b));
}

function isPath(arg: string): boolean {
  try {
    return !arg.startsWith("-") && Boolean(Deno.statSync(arg));
  } catch {
    return false;
  }
}

/** Passes everything on to standard output at once, and keeps the end of it. */
class Output implements UnderlyingSink<Uint8Array> {
  tail = "";
  readonly #decoder = new TextDecoder();
  readonly #encoder = new TextEncoder();
  #hasReader = true;
  #written = Promise.resolve();

  write(chunk: Uint8Array): Promise<void> {
    const more = this.#decoder.decode(chunk, { stream: true });
    this.tail = (this.tail + more).slice(-TAIL_CHARS);
    return this.#written = this.#written.then(() => this.#pass(chunk));
  }

  /** Writes whole lines. */
  async writeLine(text: string): Promise<void> {
    const start = this.tail === "" || this.tail.endsWith("\n") ? "" : "\n";
    const end = text.endsWith("\n") ? "" : "\n";
    await this.write(this.#encoder.encode(`${start}${text}${end}`));
  }

  async #pass(chunk: Uint8Array): Promise<void> {
    try {
      for (let done = 0; this.#hasReader && done < chunk.length;) {
        done += await Deno.stdout.write(chunk.subarray(done));
      }
    } catch {
      // Whoever read it has gone; the tests go on, and the exit code tells.
      this.#hasReader = false;
    }
  }
}
