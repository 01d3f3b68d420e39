import { socketAddress } from "../../sync/host/notify.ts";
import { eventually } from "./eventually.ts";
import { TempDir } from "./temp_dir.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SHUT_RDWR = 2;
const MESSAGE_BYTES = 4096;

/** Deno's own sockets of this kind are unstable. */
const libc = Deno.build.os === "linux"
  ? Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    recv: {
      parameters: ["i32", "buffer", "usize", "i32"],
      result: "isize",
      nonblocking: true,
    },
    shutdown: { parameters: ["i32", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
  }).symbols
  : undefined;

/** A service manager's end of `sd_notify(3)`: keeps what it is told. */
export class NotifySocket implements AsyncDisposable {
  readonly #dir = new TempDir();
  readonly #fd: number;
  readonly #reading: Promise<void>;
  /** What `NOTIFY_SOCKET` is set to. */
  readonly path: string;
  /** Messages in the order of arrival, each as its lines. */
  readonly messages: string[][] = [];

  constructor(path?: string) {
    this.path = path ?? this.#dir.join("notify");
    const address = socketAddress(this.path)!;
    this.#fd = libc!.socket(AF_UNIX, SOCK_DGRAM, 0);
    if (libc!.bind(this.#fd, address, address.length) !== 0) {
      throw new Error(`Cannot listen at "${this.path}"`);
    }
    this.#reading = this.#read();
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
    libc!.shutdown(this.#fd, SHUT_RDWR);
    await this.#reading;
    libc!.close(this.#fd);
    await this.#dir[Symbol.asyncDispose]();
  }

  async #read(): Promise<void> {
    const room = new Uint8Array(MESSAGE_BYTES);
    const receive = () =>
      libc!.recv(this.#fd, room, BigInt(room.length), 0).then(Number);
    for (let n = await receive(); n > 0; n = await receive()) {
      const text = new TextDecoder().decode(room.subarray(0, n));
      this.messages.push(text.split("\n"));
    }
  }
}
