import type { StatusReport } from "../../sync/monitor/status_report.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { openDatabase } from "../../sync/queue/sqlite.ts";
import { type Ended, runCli, type RunningCli, startCli } from "./cli.ts";
import { eventually } from "./eventually.ts";
import { runInProcess } from "./in_process.ts";
import { TempDir } from "./temp_dir.ts";

/** `script` takes the whole command as one text. */
const ON_TERMINAL = `for arg; do all="$all '$arg'"; done
  exec script -qec "exec $all" /dev/null`;

/** A capture host of a test's own: files, a data directory, and the program on it. */
export class Host implements AsyncDisposable {
  readonly #dir = new TempDir();
  readonly dataDir: string = this.#dir.join("data");
  readonly env: Record<string, string>;
  /** A program, with its arguments, that starts it; see `AS_PLAIN_USER`. */
  through: readonly string[] = [];

  /** @param serverUrl Where its captures go. */
  constructor(serverUrl?: string, env: Record<string, string> = {}) {
    this.env = {
      JARVIS_DATA_DIR: this.dataDir,
      ...(serverUrl && { JARVIS_SERVER_URL: serverUrl }),
      ...env,
    };
  }

  /** A path outside the data directory. */
  join(...names: string[]): string {
    return this.#dir.join(...names);
  }

  /** Writes a file and returns its path. */
  write(name: string, content: string | Uint8Array = name): string {
    return this.#dir.write(name, content);
  }

  /** Writes so many files and returns their paths. */
  writeMany(count: number): string[] {
    return Array.from({ length: count }, (_, i) => this.write(`${i}.png`));
  }

  /** Makes a folder and returns its path. */
  makeDir(name: string): string {
    Deno.mkdirSync(this.join(name), { recursive: true });
    return this.join(name);
  }

  /** Runs the program and waits for its end. */
  run(...args: string[]): Promise<Ended> {
    return runCli(args, { env: this.env, through: this.through });
  }

  /** Runs a piece of shell in which the program is `"$@"`. */
  inShell(script: string, ...args: string[]): Promise<Ended> {
    return runCli(args, {
      env: this.env,
      through: [...this.through, "sh", "-c", script, "sh"],
    });
  }

  /** Runs the program on a terminal; what it writes is all in `stdout`. */
  onTerminal(...args: string[]): Promise<Ended> {
    return this.inShell(ON_TERMINAL, ...args);
  }

  /** Starts the program on a terminal, which is what is killed at the end of the scope. */
  startOnTerminal(...args: string[]): RunningCli {
    const through = ["sh", "-c", ON_TERMINAL, "sh"];
    return startCli(args, { env: this.env, through });
  }

  /** Starts the program; it is killed at the end of the scope. */
  start(...args: string[]): RunningCli {
    return startCli(args, { env: this.env, through: this.through });
  }

  /** Starts the agent and waits until it is one. */
  async startAgent(...args: string[]): Promise<RunningCli> {
    const agent = this.start("run", ...args);
    await agent.said("Delivering to");
    return agent;
  }

  /** Starts an agent on the folder `in`, and waits until it has looked through it. */
  async watch(...args: string[]): Promise<RunningCli> {
    const dir = this.makeDir("in");
    const agent = await this.startAgent(
      ...["--watch", dir, "--settle=0.1", ...args],
    );
    await agent.said(`Watching "${dir}"`);
    return agent;
  }

  /** Stops an agent between two of its transactions: else the queue stays locked. */
  suspend(agent: RunningCli): Promise<unknown> {
    return eventually("it is stopped", () => {
      agent.kill("SIGSTOP");
      try {
        const path = `${this.env.JARVIS_DATA_DIR}/queue.db`;
        using database = openDatabase(path, { busyTimeoutMs: 0 });
        database.exec("BEGIN IMMEDIATE; ROLLBACK");
        return true;
      } catch {
        agent.kill("SIGCONT");
        return false;
      }
    });
  }

  /** Queues files and returns their ids. */
  async enqueue(...paths: string[]): Promise<string[]> {
    const { code, stdout, stderr } = await this.run("enqueue", ...paths);
    if (code !== 0) throw new Error(`enqueue exited ${code}: ${stderr}`);
    return stdout.trimEnd().split("\n");
  }

  /** Runs a command that answers in JSON, and returns that. */
  async json<T>(...args: string[]): Promise<T> {
    const { stdout, stderr } = await this.run(...args, "--json");
    try {
      return JSON.parse(stdout);
    } catch {
      throw new Error(`${args.join(" ")} printed no JSON: ${stdout}${stderr}`);
    }
  }

  /**
   * What `status --json` says, by the program in this process: whoever asks again and
   * again would else keep the machine busy with starts.
   */
  async status(): Promise<StatusReport> {
    const args = ["status", "--json"];
    const { stdout, stderr } = await runInProcess(args, this.env);
    if (stdout === "") throw new Error(`status printed no JSON: ${stderr}`);
    return JSON.parse(stdout);
  }

  /** Opens the queue past the program. */
  queue(): UploadQueue {
    return new UploadQueue(this.#dir.join("data", "queue.db"));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#dir[Symbol.asyncDispose]();
  }
}
