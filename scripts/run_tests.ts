/** The task `test`: runs the tests and counts them. */
import { projectPath } from "./bindings.ts";
import { runProgram } from "./process.ts";

/** What the runner's summary says. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const SUMMARY =
  /^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed.*?(?: \| (\d+) ignored.*?)?(?: \||$)/;
// deno-lint-ignore no-control-regex -- the escape that begins a colour is a control character
const COLOR = /\x1b\[[0-9;]*m/g;

/** Finds the last summary of `deno test` in its output. */
export function countTests(output: string): Counts | undefined {
  const lines = output.replaceAll(COLOR, "").split("\n");
  const match = lines.map((line) => line.trim().match(SUMMARY)).findLast((
    found,
  ) => found);
  if (!match) return undefined;
  const [, passed, failed, skipped] = match;
  return {
    passed: Number(passed),
    failed: Number(failed),
    skipped: Number(skipped ?? 0),
  };
}

/**
 * Runs the tests in `tests/`, or those that the arguments name, and ends standard output with
 * `N passed, N failed`.
 *
 * @returns the runner's exit code, and 1 where no test ran
 */
export async function runTests(
  flags: string[],
  args: string[],
): Promise<number> {
  const names = args.slice(
    0,
    args.includes("--") ? args.indexOf("--") : args.length,
  );
  const folder = names.some(isPath) ? [] : ["tests/"];
  const tail = new Tail();
  const code = await runProgram(["test", "-A", ...flags, ...folder, ...args], {
    output: new WritableStream(tail),
  });
  const { passed, failed, skipped } = countTests(tail.text) ??
    { passed: 0, failed: 0, skipped: 0 };
  if (passed + failed === 0) console.error("No test ran");
  console.log(
    `${passed} passed, ${failed} failed${
      skipped ? `, ${skipped} skipped` : ""
    }`,
  );
  return code || (passed + failed === 0 ? 1 : 0);
}

function isPath(arg: string): boolean {
  try {
    return !arg.startsWith("-") && Boolean(Deno.statSync(projectPath(arg)));
  } catch {
    return false;
  }
}

/** Passes everything on to standard output at once, and keeps the end of it. */
class Tail implements UnderlyingSink<Uint8Array> {
  text = "";
  readonly #decoder = new TextDecoder();

  async write(chunk: Uint8Array): Promise<void> {
    this.text = (this.text + this.#decoder.decode(chunk, { stream: true }))
      .slice(-64 * 1024);
    const writer = Deno.stdout.writable.getWriter();
    await writer.write(chunk);
    writer.releaseLock();
  }
}
