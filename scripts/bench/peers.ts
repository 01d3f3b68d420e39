/** The programs that a user might take instead, as far as they are installed. */
import { join } from "@std/path";
import { projectPath } from "../task/bindings.ts";
import { compileC, run } from "./programs.ts";

/** What is installed, to compare with. */
export interface Peers {
  /** The interpreter for the first design. */
  python?: string;
  curl?: string;
  /** The compiled program that copies files as `enqueue` does. */
  copier?: string;
  /** What is not there. */
  missing: string[];
}

/** Finds the peers; compiles what is to be compiled into a folder. */
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

/** What the first design is to do: enqueue paths, then deliver all that it has, or not. */
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

/** Captures per second of one `curl` for each file. */
export async function curlPerFile(
  curl: string,
  input: { server: string; paths: string[]; concurrency: number },
): Promise<number> {
  const start = performance.now();
  let next = 0;
  await Promise.all(Array.from({ length: input.concurrency }, async () => {
    while (next < input.paths.length) {
      const form = curlForm(input.server, input.paths[next++]!);
      await run(curl, ["-q", "-sf", ...form]);
    }
  }));
  return input.paths.length / (performance.now() - start) * 1000;
}

/** Bytes per second of one large upload with `curl`. */
export async function curlSpeed(
  curl: string,
  server: string,
  path: string,
): Promise<number> {
  const form = curlForm(server, path);
  const text = await run(curl, ["-q", "-sf", "-w", "%{time_total}", ...form]);
  return Deno.statSync(path).size / Number(text.split("}").at(-1));
}

function curlForm(server: string, path: string): string[] {
  const url = `${server}/api/captures`;
  return ["-F", 'metadata={"door":3}', "-F", `file=@${path}`, url];
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
