/** The programs that a user might take instead, as far as they are installed. */
import { join } from "@std/path";
import { projectPath } from "../task/bindings.ts";
import { compileC, run } from "./programs.ts";

export interface Peers {
  /** The interpreter for the first design. */
  python?: string;
  curl?: string;
  /** The compiled program that copies files as `enqueue` does. */
  copier?: string;
  /** The names of those that are not installed. */
  missing: string[];
}

/** Finds the peers, and compiles the C program into a folder. */
export async function findPeers(dir: string, python: string): Promise<Peers> {
  const peers: Peers = { missing: [] };
  const look = async <K extends "python" | "curl" | "copier">(
    name: K,
    lacks: string,
    find: () => Promise<string>,
  ) => {
    try {
      peers[name] = await find();
    } catch {
      peers.missing.push(lacks);
    }
  };
  await look("python", `"${python}" with httpx`, async () => {
    await run(python, ["-c", "import httpx"]);
    return python;
  });
  await look("curl", '"curl"', async () => {
    await run("curl", ["--version"]);
    return "curl";
  });
  await look("copier", "SQLite's library for C", async () => {
    const program = await compileC(dir, "peers/copier.c");
    await copiesInC(program, [program], dir);
    return program;
  });
  return peers;
}

/** The first design's task: to enqueue paths, then to deliver its whole queue, or not. */
export interface FirstDesignInput {
  database: string;
  /** Enqueued; the first `warmUp` of them are delivered before the clock starts. */
  paths: string[];
  warmUp?: number;
  /** Without one nothing is delivered. */
  server?: string;
  concurrency?: number;
}

/** Runs the first design, and returns how long it delivered, in milliseconds. */
export async function firstDesign(
  python: string,
  input: FirstDesignInput,
): Promise<number> {
  const program = projectPath("scripts/bench/peers/first_design.py");
  return Number(await run(python, [program], JSON.stringify(input)));
}

/** How long `curl` takes for one upload, in milliseconds. */
export async function curlMs(
  curl: string,
  server: string,
  path: string,
): Promise<number> {
  const form = ["-F", 'metadata={"door":3}', "-F", `file=@${path}`];
  const url = `${server}/api/captures`;
  const args = ["-q", "-sf", "-w", "%{time_total}", ...form, url];
  return Number((await run(curl, args)).split("}").at(-1)) * 1000;
}

/** Files per second that a C program copies into a folder, each durable with its row. */
export async function copiesInC(
  program: string,
  paths: string[],
  dir: string,
): Promise<number> {
  const database = join(dir, "copies.db");
  return Number(await run(program, [database, dir], paths.join("\n") + "\n"));
}
