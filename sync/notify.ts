/** What {@linkcode Notifier} needs to know of its surroundings. */
export interface NotifierOptions {
  /**
   * The service manager's socket: `NOTIFY_SOCKET`.
   *
   * @default {nobody is told anything}
   */
  socket?: string | undefined;
  /** Folders for a socket of its own, of which the first that can be used is taken. */
  dirs: readonly string[];
  /** A clock that never jumps, in milliseconds. @default {performance.now} */
  now?: () => number;
}

/** Between two signs of life, in milliseconds: a busy loop has hundreds of turns a second. */
const BEAT_MS = 1_000;
/** What a start may take on top of what it took so far, in microseconds. */
const MORE_START_TIME_US = 120_000_000;

/**
 * Tells the service manager how the program is doing, in the protocol of
 * `sd_notify(3)`. Without a service manager it does nothing.
 *
 * Nothing here throws or waits: what cannot be told is left out, and messages
 * arrive in the order of the calls.
 */
export class Notifier implements AsyncDisposable {
  readonly #socket: string | undefined;
  readonly #connection: Deno.DatagramConn | undefined;
  readonly #now: () => number;
  #sent: Promise<unknown> = Promise.resolve();
  #ready = false;
  #beatAt = -Infinity;
  #status = "";

  constructor(options: NotifierOptions) {
    const { socket, dirs, now = () => performance.now() } = options;
    this.#socket = socket || undefined;
    this.#connection = this.#socket ? connect(dirs) : undefined;
    this.#now = now;
  }

  /** Whether there is somebody to tell. */
  get connected(): boolean {
    return this.#connection !== undefined;
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
   * @param status Says in one line what is going on.
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

  /** The program has been told to stop, and ends what is under way. */
  stopping(): void {
    this.#send("STOPPING=1");
  }

  /** The program cannot go on. */
  failed(reason: string): void {
    this.#send(...this.#changed(reason));
  }

  /** Waits until everything is told. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sent;
    this.#connection?.close();
  }

  #changed(status: string): string[] {
    if (status === this.#status) return [];
    this.#status = status;
    return [`STATUS=${status.replace(/\s+/g, " ")}`];
  }

  #send(...lines: string[]): void {
    const connection = this.#connection;
    if (!connection) return;
    const message = new TextEncoder().encode(lines.join("\n"));
    const to = { transport: "unixpacket", path: this.#socket! } as const;
    this.#sent = this.#sent
      .then(() => connection.send(message, to))
      // The manager is being restarted, for one: it will ask in its own way.
      .catch(() => {});
  }
}

/** Returns a socket to send from; Deno has only ones with a name, which goes at once. */
function connect(dirs: readonly string[]): Deno.DatagramConn | undefined {
  for (const dir of dirs) {
    const path = `${dir}/jarvis-agent-${crypto.randomUUID().slice(0, 8)}`;
    try {
      const connection = Deno.listenDatagram({ transport: "unixpacket", path });
      Deno.removeSync(path);
      return connection;
    } catch {
      // No such folder, not writable, or too long a name.
    }
  }
  return undefined;
}
