/** What all measurements share: the server, a folder, the scale, the peers that are there. */
import { join } from "@std/path";
import { compileAgent, type Program, Receiver } from "./programs.ts";
import { findPeers, type Peers } from "./peers.ts";
import { formatNumber } from "./report.ts";
import type { Scale } from "./scale.ts";

/** One line of the table. */
export interface Finding {
  what: string;
  value: number;
  unit: string;
  /** What is to be reached, where something is. */
  atLeast?: number;
  atMost?: number;
  /** The figures that it comes from. */
  detail: string;
}

/** The surroundings of a run; ends the server and removes the folder. */
export class Bench implements AsyncDisposable {
  readonly scale: Scale;
  readonly peers: Peers;
  readonly receiver: Receiver;
  /** The agent as users get it; from source where it cannot be built. */
  readonly agent: Program;
  /** Says what is being done. */
  readonly tell: (line: string) => void;
  readonly #dir: string;
  #dirs = 0;

  private constructor(
    parts: Pick<Bench, "scale" | "peers" | "receiver" | "agent" | "tell">,
    dir: string,
  ) {
    this.scale = parts.scale;
    this.peers = parts.peers;
    this.receiver = parts.receiver;
    this.agent = parts.agent;
    this.tell = parts.tell;
    this.#dir = dir;
  }

  /**
   * @param options `python` is the interpreter of the first design.
   * @throws {Error} if there is no C compiler: the server is a C program, so
   * that it leaves the processors to what is measured.
   */
  static async open(
    scale: Scale,
    options: { python: string; tell: (line: string) => void },
  ): Promise<Bench> {
    // Not in memory: the disk belongs to what is measured.
    const dir = await Deno.makeTempDir({ prefix: "jarvis-bench-" });
    const receiver = await Receiver.start(dir);
    const peers = await findPeers(dir, options.python);
    // It takes a while, which the smallest scale has not.
    const agent = await compileAgent(dir, scale.name !== "tiny");
    const parts = { scale, peers, receiver, agent, tell: options.tell };
    return new Bench(parts, dir);
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.receiver[Symbol.asyncDispose]();
    await Deno.remove(this.#dir, { recursive: true });
  }
}

/** Some captures of a size, in words. */
export function sizeOf(bytes: number): string {
  return bytes < 1024 ** 2 ? `${bytes / 1024} KiB` : `${bytes / 1024 ** 2} MiB`;
}

/** One figure beside another, with what their ratio is to reach. */
export function ratio(
  what: string,
  [value, other]: [number | undefined, number | undefined],
  rest: { unit: string; atLeast?: number; atMost?: number },
): Finding[] {
  // A peer that is not installed has none.
  if (value === undefined || other === undefined) return [];
  const { unit, ...target } = rest;
  return [{
    what,
    value: value / other,
    unit: "×",
    ...target,
    detail: `${formatNumber(value)} / ${formatNumber(other)} ${unit}`,
  }];
}
