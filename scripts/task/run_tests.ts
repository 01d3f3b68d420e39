/** The task `test`: runs the tests and counts them. */
import { runDeno } from "./process.ts";

/** What the runner's summary says. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const SUMMARY =
  /^(?:ok|FAILED) \| (\d+) passed[^|]*\| (\d+) failed[^|]*(?:\| (\d+) ignored)?/;
// deno-lint-ignore no-control-regex -- a colour begins with a control character
const COLOR = /\x1b\[[0-9;]*m/g;
const TAIL_CHARS = 64 * 1024;

/**
 * Runs the tests in `tests/`, or the files and folders that the arguments
 * name, and ends standard output with a line `N passed, N failed`, to which
 * `, N skipped` is added where there are any.
 *
 * @returns the runner's exit code, and 1 where no test ran
 */
export async function runTests(
  flags: string[],
  args: string[],
): Promise<number> {
  const own = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  const folder = own.some(isPath) ? [] : ["tests/"];
  const tail = new Tail();
  const code = await runDeno(["test", "-A", ...flags, ...folder, ...args], {
    output: new WritableStream(tail),
  });
  const { passed, failed, skipped } = countTests(tail.text);
  const ran = passed + failed;
  if (ran === 0) console.error("No test ran");
  const more = skipped > 0 ? `, ${skipped} skipped` : "";
  const start = tail.text === "" || tail.text.endsWith("\n") ? "" : "\n";
  const line = `${start}${passed} passed, ${failed} failed${more}\n`;
  await tail.write(new TextEncoder().encode(line));
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

function isPath(arg: string): boolean {
  try {
    return !arg.startsWith("-") && Boolean(Deno.statSync(arg));
  } catch {
    return false;
  }
}

/** Passes everything on to standard output at once, and keeps the end of it. */
class Tail implements UnderlyingSink<Uint8Array> {
  text = "";
  readonly #decoder = new TextDecoder();
  #hasReader = true;

  async write(chunk: Uint8Array): Promise<void> {
    const more = this.#decoder.decode(chunk, { stream: true });
    this.text = (this.text + more).slice(-TAIL_CHARS);
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
