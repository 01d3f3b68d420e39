/** What all measurements share: the server, a folder, the scale, the peers that are there. */
import { join } from "@std/path";
import { Receiver } from "./children.ts";
import { compileAgent } from "./executable.ts";
import { findPeers, type Peers } from "./peers.ts";
import type { Scale } from "./scale.ts";

/** One line of the table. */
export interface Finding {
  /** Which of the eight points it belongs to. */
  point: number;
  what: string;
  value: number;
  unit: string;
  /** What is to be reached, where something is. */
  atLeast?: number;
  atMost?: number;
  /** The figures behind it. */
  detail: string;
}

/** A group of figures for a chart. */
export interface Series {
  name: string;
  points: readonly { x: number | string; y: number }[];
}

/** What one point has measured. */
export interface Measured {
  findings: Finding[];
  /** By the name of the chart. */
  charts?: Record<string, Series[]>;
}

/** The surroundings of a run; ends the server and removes the folder. */
export class Bench implements AsyncDisposable {
  readonly scale: Scale;
  readonly receiver: Receiver;
  readonly peers: Peers;
  readonly #dir: string;
  readonly #tell: (line: string) => void;
  #dirs = 0;
  #executable: Promise<string | undefined> | undefined;

  private constructor(
    scale: Scale,
    parts: {
      receiver: Receiver;
      peers: Peers;
      dir: string;
      tell: (line: string) => void;
    },
  ) {
    this.scale = scale;
    this.receiver = parts.receiver;
    this.peers = parts.peers;
    this.#dir = parts.dir;
    this.#tell = parts.tell;
  }

  /** @param options `python` is the interpreter of the first design; `tell` says what is done. */
  static async open(
    scale: Scale,
    options: { python: string; tell: (line: string) => void },
  ): Promise<Bench> {
    // Not in memory: the disk belongs to what is measured.
    const dir = await Deno.makeTempDir({ prefix: "jarvis-bench-" });
    const peers = await findPeers(dir, options.python);
    const receiver = await Receiver.start(peers.receiver);
    return new Bench(scale, { receiver, peers, dir, tell: options.tell });
  }

  tell(line: string): void {
    this.#tell(line);
  }

  /** The agent as users get it; `undefined` where it cannot be built. */
  executable(): Promise<string | undefined> {
    // Some 10 s, which the smallest scale has no time for.
    if (this.scale.name === "tiny") return Promise.resolve(undefined);
    const path = join(this.newDir(), "jarvis-agent");
    return this.#executable ??= compileAgent(path)
      .then((isBuilt) => isBuilt ? path : undefined);
  }

  /** A new, empty folder. */
  newDir(): string {
    const path = join(this.#dir, `d${this.#dirs++}`);
    Deno.mkdirSync(path);
    return path;
  }

  /** Uses a new, empty folder and removes it. */
  async inDir<T>(body: (dir: string) => Promise<T>): Promise<T> {
    const dir = this.newDir();
    try {
      return await body(dir);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  }

  /** Files of random bytes, in a new folder. */
  makeFiles(count: number, bytes: number): string[] {
    const dir = this.newDir();
    const content = new Uint8Array(bytes);
    for (let at = 0; at < bytes; at += 65_536) {
      crypto.getRandomValues(content.subarray(at, at + 65_536));
    }
    return Array.from({ length: count }, (_, i) => {
      const path = join(dir, `capture-${i}.png`);
      Deno.writeFileSync(path, content);
      return path;
    });
  }

  /** A file of zeros that takes no room. */
  makeHugeFile(bytes: number): string {
    const path = join(this.newDir(), "recording.mkv");
    Deno.createSync(path).close();
    Deno.truncateSync(path, bytes);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.receiver[Symbol.asyncDispose]();
    await Deno.remove(this.#dir, { recursive: true });
  }
}
