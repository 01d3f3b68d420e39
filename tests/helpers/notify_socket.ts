import { eventually } from "./eventually.ts";
import { TempDir } from "./temp_dir.ts";

/** A service manager's end of `sd_notify(3)`: keeps what it is told. */
export class NotifySocket implements AsyncDisposable {
  readonly #dir = new TempDir();
  readonly #connection: Deno.DatagramConn;
  readonly #reading: Promise<void>;
  /** Messages in the order of arrival, each as its lines. */
  readonly messages: string[][] = [];

  constructor() {
    this.#connection = Deno.listenDatagram({
      transport: "unixpacket",
      path: this.path,
    });
    this.#reading = this.#read();
  }

  get path(): string {
    return this.#dir.join("notify");
  }

  /** Every line that was sent, in the order of arrival. */
  get lines(): string[] {
    return this.messages.flat();
  }

  /** Waits for a line. */
  async told(line: string | RegExp): Promise<string> {
    const isIt = (told: string) =>
      typeof line === "string" ? told === line : line.test(told);
    return await eventually(
      `${line} among\n${this.lines.join("\n")}`,
      () => this.lines.find(isIt),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.close();
    await this.#reading;
    await this.#dir[Symbol.asyncDispose]();
  }

  async #read(): Promise<void> {
    for await (const [bytes] of this.#connection) {
      this.messages.push(new TextDecoder().decode(bytes).split("\n"));
    }
  }
}
