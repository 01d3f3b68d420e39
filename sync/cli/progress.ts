import { sizeText, span } from "./table.ts";

/** How many captures, of how many bytes. */
export interface Amount {
  captures: number;
  bytes: number;
}

/** The widest and the narrowest bar, in columns. */
const MAX_WIDTH = 30;
const MIN_WIDTH = 5;
/** Over how much time the rate is taken, in milliseconds. */
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
      Deno.env.get("TERM") !== "dumb";
  }

  /** So much is left; more may have come since the last time. */
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

  /** Returns what writes lines above it. */
  above(write: (line: string) => void): (line: string) => void {
    return (line) => {
      if (this.#drawn !== "") writeError("\r\x1b[K");
      this.#drawn = "";
      write(line);
    };
  }

  /** No more is to come: what is written next begins a line. */
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
    const columns = (Deno.consoleSize().columns || 80) - 1;
    const width = Math.min(MAX_WIDTH, columns - words.length - 3);
    const full = Math.floor(share * width);
    const text = width < MIN_WIDTH
      ? words.slice(0, columns)
      : `[${"#".repeat(full)}${"-".repeat(width - full)}] ${words}`;
    if (text !== this.#drawn) writeError(`\r${text}\x1b[K`);
    this.#drawn = text;
  }

  /** How fast bytes have left of late, and how long the rest takes at that. */
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
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}
