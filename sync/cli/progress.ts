const WIDTH = 30;

/** Shows how far a `sync` is: a bar on a terminal, a line every tenth elsewhere. */
export class Progress {
  readonly #line: (text: string) => void;
  readonly #terminal = Deno.stderr.isTerminal();
  #total: number;
  #shown = "";

  constructor(line: (text: string) => void, total: number) {
    this.#line = line;
    this.#total = total;
  }

  /** So many are left. */
  left(left: number): void {
    // Others may be added meanwhile.
    this.#total = Math.max(this.#total, left);
    if (this.#total === 0) return;
    const done = this.#total - left;
    const share = done / this.#total;
    if (this.#terminal) this.#draw(done, share);
    else if (done > 0) this.#say(`${Math.floor(share * 10) * 10}%`, done);
  }

  /** No more is to come. */
  end(left: number): void {
    this.left(left);
    if (this.#terminal && this.#shown !== "") this.#write("\n");
  }

  #draw(done: number, share: number): void {
    const full = Math.floor(share * WIDTH);
    const bar = "#".repeat(full) + "-".repeat(WIDTH - full);
    const text = `\r[${bar}] ${done} of ${this.#total}`;
    if (text !== this.#shown) this.#write(text);
    this.#shown = text;
  }

  #say(tenth: string, done: number): void {
    if (tenth === this.#shown) return;
    this.#shown = tenth;
    this.#line(`${tenth}: ${done} of ${this.#total} captures`);
  }

  #write(text: string): void {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  }
}
