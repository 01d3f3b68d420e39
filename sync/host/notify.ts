import { bytesOf, cString, libc } from "./libc.ts";

export interface NotifierOptions {
  /**
   * The service manager's socket: `NOTIFY_SOCKET`.
   *
   * @default {nobody is told anything}
   */
  socket?: string | undefined;
  /** A clock that never jumps, in milliseconds. @default {performance.now} */
  now?: () => number;
}

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
/** Nobody who reads is an answer, not a signal. */
const MSG_NOSIGNAL = 0x4000;
/** Between two signs of life, in milliseconds: a busy loop has hundreds of turns a second. */
const BEAT_MS = 1_000;
/** The time that a start may take from each message on, in microseconds. */
const MORE_START_TIME_US = 120_000_000;

/**
 * Tells the service manager how the program is doing, in the protocol of
 * `sd_notify(3)`. Without a service manager it does nothing.
 *
 * Nothing here throws or waits: a message that cannot be sent is dropped, and
 * messages arrive in the order of the calls.
 */
export class Notifier implements AsyncDisposable {
  /** A socket without a name of its own; -1 if there is nobody to tell. */
  readonly #fd: number = -1;
  readonly #address: Uint8Array<ArrayBuffer> | undefined;
  readonly #now: () => number;
  #sent: Promise<unknown> = Promise.resolve();
  #ready = false;
  #beatAt = -Infinity;
  #status = "";

  constructor(options: NotifierOptions) {
    const { socket, now = () => performance.now() } = options;
    this.#now = now;
    this.#address = socket ? socketAddress(socket) : undefined;
    if (!libc || !this.#address) return;
    this.#fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  }

  /** Whether there is somebody to tell. */
  get connected(): boolean {
    return this.#fd >= 0;
  }

  /** The program does its work from now on; ends a reload, too. */
  ready(): void {
    this.#ready = true;
    this.#send("READY=1");
  }

  /**
   * The loop that does the work has made a turn.
   *
   * Feeds the watchdog, and asks for more time while the program gets ready.
   * Called more often than once a second it does nothing.
   *
   * @param status Returns the state in one line.
   */
  beat(status: () => string): void {
    const now = this.#now();
    if (!this.connected || now - this.#beatAt < BEAT_MS) return;
    this.#beatAt = now;
    const more = this.#ready
      ? []
      : [`EXTEND_TIMEOUT_USEC=${MORE_START_TIME_US}`];
    this.#send("WATCHDOG=1", ...more, ...this.#changed(status()));
  }

  /** The settings are being read again. */
  reloading(): void {
    this.#ready = false;
    this.#send("RELOADING=1");
  }

  /** The program has been told to stop, and ends its work under way. */
  stopping(): void {
    this.#send("STOPPING=1");
  }

  /** Sends the state in one line, at once. */
  status(status: string): void {
    const lines = this.#changed(status);
    if (lines.length > 0) this.#send(...lines);
  }

  /** Waits until everything is told. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sent;
    if (this.connected) libc!.close(this.#fd);
  }

  #changed(status: string): string[] {
    if (status === this.#status) return [];
    this.#status = status;
    return [`STATUS=${status.replace(/\s+/g, " ")}`];
  }

  #send(...lines: string[]): void {
    if (!this.connected) return;
    const message = bytesOf(lines.join("\n"));
    const to = this.#address!;
    const how = [BigInt(message.length), MSG_NOSIGNAL, to, to.length] as const;
    // One that fails is left out: a manager that restarts asks in its own way.
    this.#sent = this.#sent
      .then(() => libc!.sendto(this.#fd, message, ...how));
  }
}

/** The room for a path in a `struct sockaddr_un`, in bytes. */
const MAX_PATH_BYTES = 108;

/**
 * Returns a `struct sockaddr_un`, or `undefined` if the path is too long for it.
 * `@NAME` names a socket without a file, as in `NOTIFY_SOCKET`.
 */
export function socketAddress(
  path: string,
): Uint8Array<ArrayBuffer> | undefined {
  const name = cString(path);
  if (name.length > MAX_PATH_BYTES) return undefined;
  const family = new Uint8Array(Uint16Array.of(AF_UNIX).buffer);
  if (!path.startsWith("@")) return Uint8Array.of(...family, ...name);
  // Such a name begins with a zero, and ends where the address does.
  return Uint8Array.of(...family, 0, ...name.subarray(1, -1));
}
