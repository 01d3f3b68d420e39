import type { WatchedFile } from "../../sync/spool/intake.ts";
import type { SeenFile } from "../../sync/watch/finished_files.ts";
import {
  FolderWatcher,
  type FolderWatcherOptions,
} from "../../sync/watch/watcher.ts";
import { eventually } from "./eventually.ts";
import { TempDir } from "./temp_dir.ts";

/** A folder, and what a watcher hands over of it. */
export class WatchedFolder implements AsyncDisposable {
  readonly #temp = new TempDir();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];
  /** Their hashes, by version. */
  readonly #known = new Set<string>();
  /** What was taken over, in that order. */
  readonly taken: WatchedFile[] = [];
  readonly logged: string[] = [];
  /** Stands in for whatever takes files over; may throw. */
  onFinished: (files: WatchedFile[]) => void | Promise<void> = () => {};

  constructor() {
    Deno.mkdirSync(this.path);
  }

  get path(): string {
    return this.#temp.join("watched");
  }

  /** A path inside the folder. */
  join(...names: string[]): string {
    return this.#temp.join("watched", ...names);
  }

  /** A path beside the folder, on the same file system. */
  outside(...names: string[]): string {
    return this.#temp.join("outside", ...names);
  }

  /** Writes a file inside the folder and returns its path. */
  write(name: string, content: string | Uint8Array = name): string {
    return this.#temp.write(`watched/${name}`, content);
  }

  /** Writes a file beside the folder and returns its path. */
  writeOutside(name: string, content = name): string {
    return this.#temp.write(`outside/${name}`, content);
  }

  /** The names of what was taken over, sorted, relative to the folder. */
  get names(): string[] {
    return this.taken.map(({ path }) => path.slice(this.path.length + 1))
      .sort();
  }

  /** Takes files over: they are known then. */
  take(files: WatchedFile[]): void {
    for (const file of files) {
      this.#known.add(versionOf(file));
      this.taken.push(file);
    }
  }

  /** A watcher that takes each file once, as a queue's ledger makes it. */
  watcher(options: Partial<FolderWatcherOptions> = {}): FolderWatcher {
    return new FolderWatcher([this.path], {
      settleMs: 50,
      known: (files) =>
        files.map((file) =>
          this.#known.has(versionOf(file)) ? "queued" : undefined
        ),
      knownContent: () => undefined,
      onFinished: async (files) => {
        await this.onFinished(files);
        this.take(files);
      },
      log: (level, message) => this.logged.push(`${level} ${message}`),
      ...options,
    });
  }

  /** Starts a watcher, and waits until it has looked through the folder once. */
  async start(options: Partial<FolderWatcherOptions> = {}): Promise<void> {
    const { promise: ready, resolve } = Promise.withResolvers<void>();
    const running = this.watcher(options).run(this.#stop.signal, resolve);
    this.#running.push(running);
    await Promise.race([ready, running]);
  }

  /** Waits until these were taken over, and nothing else was. */
  async took(...names: string[]): Promise<void> {
    const wanted = [...names].sort();
    await eventually(
      `${wanted.join(", ")} taken over`,
      () => wanted.every((name) => this.names.includes(name)),
    );
    if (this.names.length !== wanted.length) {
      throw new Error(`Taken over as well: ${this.names.join(", ")}`);
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#temp[Symbol.asyncDispose]();
  }
}

function versionOf({ identity }: SeenFile): string {
  const { fileId, size, mtimeMs } = identity;
  return `${fileId} ${size} ${mtimeMs}`;
}
