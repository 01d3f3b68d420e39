import { variable } from "../host/environment.ts";
import { createLog, type Log } from "../host/log.ts";
import { sleep } from "../host/sleep.ts";
import { tryTo } from "../host/try_to.ts";
import type { UploadQueue } from "../queue/queue.ts";
import type { CommandContext } from "./command.ts";
import { sizeText, span } from "./table.ts";

/** The output of a command for a person who waits for it. */
export interface Talk {
  isQuiet: boolean;
  isJson: boolean;
  progress: Progress;
  /** As those of the command, above the progress. */
  out: (line: string) => void;
  err: (line: string) => void;
  /** Prints the result; with `--quiet` only if it went wrong. */
  say: (line: string, isWell: boolean) => void;
  /** Tells warnings and errors; with `--verbose` everything, with `--quiet` errors. */
  log: Log;
}

/** Reads from a command's options how it is to talk. */
export function talkOf({ settings, given, out, err }: CommandContext): Talk {
  const isQuiet = given.has("quiet");
  const progress = new Progress({ isQuiet });
  const level = settings.logLevel === "debug" ? "debug" : "warn";
  const [write, tell] = [progress.above(out), progress.above(err)];
  return {
    isQuiet,
    isJson: given.has("json"),
    progress,
    out: write,
    err: tell,
    say(line, isWell) {
      if (!isQuiet) write(line);
      else if (!isWell) tell(`jarvis-agent: ${line}`);
    },
    log: createLog({ write: tell, level: isQuiet ? "error" : level }),
  };
}

/** How many captures, of how many bytes. */
interface Amount {
  captures: number;
  bytes: number;
}

/** The widest and the narrowest bar, in columns. */
const MAX_WIDTH = 30;
const MIN_WIDTH = 5;
/** The time over which the rate is taken, in milliseconds. */
const RATE_MS = 10_000;

/** Shows on a terminal how much is done, with rate and time left, in a line that is written over. */
export class Progress {
  /** Whether there is a terminal to show it on. */
  readonly isShown: boolean;
  /** Bytes that have left of captures that are not delivered yet. */
  inFlight = 0;
  #total: Amount = { captures: 0, bytes: 0 };
  #left: Amount = { captures: 0, bytes: 0 };
  #sent = 0;
  #samples: { timeMs: number; bytes: number }[] = [];
  #drawn = "";

  /** @param options `isQuiet` shows nothing on a terminal either. */
  constructor({ isQuiet }: { isQuiet: boolean }) {
    this.isShown = !isQuiet && Deno.stderr.isTerminal() &&
      variable("TERM") !== "dumb";
  }

  /** Sets the amount that is left; more may have come since the last time. */
  left(left: Amount): void {
    const [total, before] = [this.#total, this.#left];
    for (const unit of ["captures", "bytes"] as const) {
      const done = total[unit] - before[unit];
      total[unit] = Math.max(total[unit], left[unit] + done);
    }
    this.#left = left;
    const sent = total.bytes - left.bytes + this.inFlight;
    // Between its last byte and the record of its delivery a capture is in neither.
    this.#sent = Math.max(this.#sent, Math.min(sent, total.bytes));
    if (this.isShown && total.captures > 0) this.#draw();
  }

  /** Returns a function that writes lines above it. */
  above(write: (line: string) => void): (line: string) => void {
    return (line) => {
      if (this.#drawn !== "") writeError("\r\x1b[K");
      this.#drawn = "";
      write(line);
    };
  }

  /** No more is to come: the next text begins a line. */
  end(): void {
    if (this.#drawn !== "") writeError("\n");
    this.#drawn = "";
  }

  #draw(): void {
    const { captures, bytes } = this.#total;
    const done = captures - this.#left.captures;
    const share = bytes > 0 ? this.#sent / bytes : done / captures;
    const words =
      `${done} of ${captures} captures, ${sizeText(this.#sent)} of ` +
      sizeText(bytes) + this.#pace();
    // The terminal may have gone.
    const columns = (tryTo(() => Deno.consoleSize().columns) || 80) - 1;
    const width = Math.min(MAX_WIDTH, columns - words.length - 3);
    const full = Math.floor(share * width);
    const text = width < MIN_WIDTH
      ? words.slice(0, columns)
      : `[${"#".repeat(full)}${"-".repeat(width - full)}] ${words}`;
    if (text !== this.#drawn) writeError(`\r${text}\x1b[K`);
    this.#drawn = text;
  }

  /** The recent speed, and the time that the rest takes at it. */
  #pace(): string {
    const now = { timeMs: performance.now(), bytes: this.#sent };
    const samples = this.#samples;
    samples.push(now);
    while (samples.length > 1 && samples[1]!.timeMs < now.timeMs - RATE_MS) {
      samples.shift();
    }
    const ms = now.timeMs - samples[0]!.timeMs;
    const bytesPerMs = (now.bytes - samples[0]!.bytes) / ms;
    if (!(bytesPerMs > 0)) return "";
    const leftMs = (this.#total.bytes - now.bytes) / bytesPerMs;
    const left = leftMs > 0 ? `, ${span(leftMs)} left` : "";
    return `, ${sizeText(bytesPerMs * 1000)}/s${left}`;
  }
}

function writeError(text: string): void {
  // If the terminal has gone, the work goes on.
  tryTo(() => Deno.stderr.writeSync(new TextEncoder().encode(text)));
}

/** The time between two looks at the queue, in milliseconds. */
const LOOK_MS = 200;

/**
 * Shows until the signal aborts how a queue is being delivered, by whichever process:
 * a line for each capture where there is no terminal.
 *
 * @param options `onPause` is called while a person has paused deliveries.
 */
export async function showQueue(
  queue: UploadQueue,
  { progress, isQuiet, err }: Talk,
  { signal, onPause }: { signal: AbortSignal; onPause: () => void },
): Promise<void> {
  const tellNew = isQuiet || progress.isShown
    ? () => {}
    : deliveryTeller(queue, err);
  const look = () => {
    progress.left({ captures: queue.waiting(), bytes: queue.waitingBytes() });
    tellNew();
  };
  while (!signal.aborted) {
    if (queue.getPause()) onPause();
    look();
    await sleep(LOOK_MS, signal);
  }
  look();
  progress.end();
}

/** Returns a function that tells of each delivery since its last call. */
function deliveryTeller(
  queue: UploadQueue,
  err: (line: string) => void,
): () => void {
  let [last] = queue.deliveries().take(1);
  return () => {
    const found = [];
    for (
      const entry of queue.deliveries(last && Date.parse(last.deliveredAt))
    ) {
      if (entry.id === last?.id) break;
      found.push(entry);
    }
    last = found[0] ?? last;
    for (const { filepath, serverId } of found.reverse()) {
      err(deliveredText(filepath, serverId));
    }
  };
}

/** Returns the line for a delivered file. */
export function deliveredText(filepath: string, id: string | null): string {
  return `${filepath}: delivered as ${id ?? "(no id given)"}`;
}
