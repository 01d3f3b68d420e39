import type { Log } from "../../sync/host/log.ts";
import type { WatchedFile } from "../../sync/spool/copies.ts";
import { type IsAt, UploadQueue } from "../../sync/queue/queue.ts";
import { isAt } from "../../sync/watch/place.ts";
import { WatchedRoot } from "../../sync/watch/watched_root.ts";
import { FolderWatcher } from "../../sync/watch/watcher.ts";
import type { FolderWatcherOptions } from "../../sync/watch/watcher_options.ts";
import { eventually } from "./eventually.ts";
import { sha256Of } from "../../sync/host/sha256.ts";
import { TempDir } from "./temp_dir.ts";

/** A folder, and the files in it that a watcher hands over. */
export class WatchedFolder implements AsyncDisposable {
  readonly #temp: TempDir;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];
  /** What was taken over, in that order. */
  readonly taken: WatchedFile[] = [];
  readonly logged: string[] = [];
  /** How often the watcher has looked at each file that may be a capture, by path. */
  readonly #looks = new Map<string, number>();
  /** Stands in for whatever takes files over; may throw. */
  onFinished: (files: WatchedFile[]) => void | Promise<void> = () => {};

  readonly queue: UploadQueue;
  readonly #log: Log = (level, message) =>
    this.logged.push(`${level} ${message}`);

  /** @param options `dir` is where it is; by default where the system keeps such folders. */
  constructor(options: { dir?: string } = {}) {
    this.#temp = new TempDir(options.dir);
    Deno.mkdirSync(this.path);
    this.queue = new UploadQueue(this.#temp.join("queue.db"));
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

  /** The names of the files taken over, sorted, relative to the folder. */
  get names(): string[] {
    return this.taken.map(({ path }) => path.slice(this.path.length + 1))
      .sort();
  }

  /** Takes files over, as they are: they are known then. */
  take(files: WatchedFile[]): void {
    this.queue.enqueueMany(files.map((file) => {
      const { path: filepath, metadataJson, identity } = file;
      const sha256 = hashOf(file);
      return { filepath, metadataJson, identity, sha256, watched: true };
    }));
    this.taken.push(...files);
  }

  /** A watcher that takes each file once, as the queue remembers. */
  watcher(options: Partial<FolderWatcherOptions> = {}): FolderWatcher {
    const { log = this.#log } = options;
    const roots = [new WatchedRoot(this.path, log)];
    const isStillAt: IsAt = (path, fileId) => isAt(roots, path, fileId);
    return new FolderWatcher(roots, {
      settleMs: 50,
      known: (files) => {
        for (const { path } of files) {
          this.#looks.set(path, (this.#looks.get(path) ?? 0) + 1);
        }
        return this.queue.knownWatched(files, isStillAt);
      },
      wasTaken: (file) => this.queue.wasTaken(file),
      knownContent: (file, sha256) =>
        this.queue.knownContent(file, sha256, isStillAt),
      onFinished: async (files) => {
        await this.onFinished(files);
        this.take(files);
        return [];
      },
      ...options,
      log,
    });
  }

  /** Starts a watcher, and waits until it has looked through the folder once. */
  async start(options: Partial<FolderWatcherOptions> = {}): Promise<void> {
    const { promise: ready, resolve } = Promise.withResolvers<void>();
    const running = this.watcher(options).run(this.#stop.signal, resolve);
    this.#running.push(running);
    await Promise.race([ready, running]);
  }

  /** Waits until the watcher has looked at a file, whose name or sidecar `change` gives it, since then. */
  async looked(name: string, change: () => void): Promise<void> {
    const path = this.join(name);
    const before = this.#looks.get(path) ?? 0;
    change();
    await eventually(
      `${name} is looked at`,
      () => (this.#looks.get(path) ?? 0) > before,
    );
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
    this.queue.close();
    await this.#temp[Symbol.asyncDispose]();
  }
}

function hashOf({ open }: WatchedFile): string {
  using file = open();
  const bytes = new Uint8Array(file.identity.size);
  file.readSync(bytes, 0);
  return sha256Of(bytes);
}
