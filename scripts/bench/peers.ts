/** The programs that a user might take instead, as far as they are installed. */
import { join } from "@std/path";
import { projectPath } from "../task/bindings.ts";
import { compileC, run } from "./children.ts";

/** What is installed: to compare with, and to measure against. */
export interface Peers {
  /** The interpreter for the first design. */
  python?: { command: string; client: string };
  curl?: string;
  /** The compiled program that commits rows. */
  commits?: string;
  /** The compiled receiver; no peer, but compiled as they are. */
  receiver?: string;
  /** What is not there, and why. */
  missing: string[];
}

/** Finds the peers; compiles what is to be compiled into a folder. */
export async function findPeers(dir: string, python: string): Promise<Peers> {
  const peers: Peers = { missing: [] };
  try {
    const client = await run(python, ["-c", CLIENT]);
    peers.python = { command: python, client: client.trim() };
    if (peers.python.client !== "httpx") {
      peers.missing.push(
        `httpx in "${python}": the first design sends with http.client instead`,
      );
    }
  } catch {
    peers.missing.push(`"${python}": no figures of the first design`);
  }
  try {
    await run("curl", ["--version"]);
    peers.curl = "curl";
  } catch {
    peers.missing.push('"curl": no figures of it');
  }
  try {
    peers.receiver = await compileC(dir, "receiver.c");
  } catch {
    peers.missing.push(
      '"cc": the server is one in TypeScript, which takes more of the ' +
        "processors from what is measured",
    );
  }
  try {
    const program = await compileC(dir, "peers/commits.c");
    await run(program, [join(dir, "trial.db"), "1", "1"]);
    peers.commits = program;
  } catch {
    peers.missing.push('"cc" or SQLite\'s library: no figures of a C program');
  }
  return peers;
}

const CLIENT = `
try:
    import httpx
    print("httpx")
except ImportError:
    print("http.client")
`;

/** Captures per second of the first design, with its queue. */
export async function firstDesign(
  python: string,
  input: {
    server: string;
    database: string;
    paths: string[];
    warmUp: number;
    concurrency: number;
  },
): Promise<number> {
  const program = projectPath("scripts/bench/peers/first_design.py");
  const { ms } = JSON.parse(
    await run(python, [program], JSON.stringify(input)),
  );
  return (input.paths.length - input.warmUp) / ms * 1000;
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
      await run(curl, [
        "-q",
        "-sf",
        ...curlForm(input.server, input.paths[next++]!),
      ]);
    }
  }));
  return input.paths.length / (performance.now() - start) * 1000;
}

/** Captures per second of one `curl` for all files. */
export async function curlAtOnce(
  curl: string,
  input: { server: string; paths: string[]; concurrency: number; dir: string },
): Promise<number> {
  const { server, paths, concurrency, dir } = input;
  const config = join(dir, "curl.conf");
  await Deno.writeTextFile(
    config,
    paths.map((path) =>
      `url = "${server}/api/captures"\nform = "metadata={\\"door\\":3}"\n` +
      `form = "file=@${path}"\noutput = "/dev/null"\n`
    ).join("next\n"),
  );
  const parallel = concurrency > 1
    ? ["--parallel", "--parallel-max", String(concurrency)]
    : [];
  const start = performance.now();
  await run(curl, ["-q", "-sf", ...parallel, "-K", config]);
  return paths.length / (performance.now() - start) * 1000;
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
  return [
    "-F",
    'metadata={"door":3}',
    "-F",
    `file=@${path}`,
    `${server}/api/captures`,
  ];
}

/** Rows per second that a C program commits, `batch` of them in a transaction. */
export async function commitsInC(
  program: string,
  input: { database: string; rows: number; batch: number },
): Promise<number> {
  const { database, rows, batch } = input;
  return Number(await run(program, [database, String(rows), String(batch)]));
}
