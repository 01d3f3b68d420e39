/** The surroundings of all measurements: the server, a folder, the scale, the peers. */
import { join } from "@std/path";
import { randomBytes } from "node:crypto";
import { findPeers } from "./peers.ts";
import { compileAgent, Receiver } from "./programs.ts";
import { type Finding, formatNumber } from "./report.ts";
import type { Scale } from "./scale.ts";

export type { Finding } from "./report.ts";

/** The surroundings of a run; disposing of it ends the server and removes the folder. */
export type Bench = Awaited<ReturnType<typeof openBench>>;

/**
 * @param options `python` is the interpreter of the first design; `tell` gets
 * a line for each step.
 * @throws {Error} if there is no C compiler: the server is a C program, so
 * that it leaves the processors to the contenders.
 */
export async function openBench(
  scale: Scale,
  options: { python: string; tell: (line: string) => void },
) {
  // Not in memory: the disk is part of the measurement.
  const root = await Deno.makeTempDir({ prefix: "jarvis-bench-" });
  const newDir = () => Deno.makeTempDirSync({ dir: root });
  const receiver = await Receiver.start(root);
  return {
    scale,
    tell: options.tell,
    receiver,
    peers: await findPeers(root, options.python),
    /** The agent as users get it; building takes a while, which the smallest scale has not. */
    agent: await compileAgent(root, scale.name !== "tiny"),
    /** Makes a new, empty folder. */
    newDir,
    /** Uses a new, empty folder and removes it. */
    async inDir<T>(body: (dir: string) => Promise<T>): Promise<T> {
      const dir = newDir();
      const result = await body(dir);
      await Deno.remove(dir, { recursive: true });
      return result;
    },
    /** Makes files of random bytes, in a new folder. */
    makeFiles(count: number, bytes: number): string[] {
      const dir = newDir();
      const content = new Uint8Array(randomBytes(bytes));
      return Array.from({ length: count }, (_, i) => {
        const path = join(dir, `capture-${i}.png`);
        Deno.writeFileSync(path, content);
        return path;
      });
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await receiver[Symbol.asyncDispose]();
      await Deno.remove(root, { recursive: true });
    },
  };
}

/** Some captures of a size, in words. */
export function sizeOf(bytes: number): string {
  return bytes < 1024 ** 2 ? `${bytes / 1024} KiB` : `${bytes / 1024 ** 2} MiB`;
}

/** One figure beside another, with the ratio that they are to reach. */
export function ratio(
  what: string,
  [value, other]: readonly [number | undefined, number | undefined],
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
