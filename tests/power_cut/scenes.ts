import { join } from "@std/path";
import { ReferenceServer } from "../../scripts/server/reference_server.ts";
import { Child } from "../chaos/child.ts";
import { Maker } from "../chaos/maker.ts";
import { type Capture, Oracle } from "../chaos/oracle.ts";
import type { Program } from "../chaos/program.ts";
import { readReceived } from "../../scripts/server/received_store.ts";
import { removeIfThere } from "../../sync/host/files.ts";
import { eventually } from "../helpers/eventually.ts";
import { runInProcess } from "../helpers/in_process.ts";
import { sha256Of } from "../../sync/host/sha256.ts";
import { TempDir } from "../helpers/temp_dir.ts";
import { ShadowedDisk, type Survival } from "./shadowed_disk.ts";
import { copyTree } from "../helpers/folders.ts";

/** What scenes are played with. */
export interface Props {
  program: Program;
  /** The compiled shadow. */
  library: string;
}

/**
 * A host whose power is cut, and the oracle of its captures. Commands during which it
 * is not cut run in this process, which takes less time.
 */
export class Scene implements AsyncDisposable {
  readonly oracle = new Oracle();
  readonly maker = new Maker(1);
  /** The whole disk of the host. */
  readonly root: string;
  readonly makers: string;
  readonly watched: string;
  readonly data: string;
  /** Whether the power cut costs the host its queue, so that only the spool is left. */
  queueIsLost = false;
  readonly #props: Props;
  readonly #dir = new TempDir();
  readonly #tried = new Set<string>();
  #disk: ShadowedDisk | undefined;

  constructor(props: Props) {
    this.#props = props;
    this.root = this.#dir.join("root");
    this.makers = join(this.root, "makers");
    this.watched = join(this.root, "watched");
    // Its parents are made by the program as well.
    this.data = join(this.root, "home", "share", "data");
    for (const dir of [this.root, this.makers, this.watched, this.#received]) {
      Deno.mkdirSync(dir);
    }
  }

  /** Makes a capture in a folder. */
  make(dir: string): Capture {
    return this.maker.make(dir, 2000, { n: 1 });
  }

  /** Everything on the disk by now survives; data that come later only if they are synced. */
  async begin(): Promise<void> {
    this.#disk = await ShadowedDisk.begin(this.root, {
      library: this.#props.library,
      shadow: this.#dir.join("shadow"),
      keep: this.watched,
    });
  }

  /** Enqueues captures, to the end or to the power cut; returns whether there was one. */
  async enqueue(
    captures: Capture[],
    options: { args?: string[]; cutAt?: number } = {},
  ): Promise<boolean> {
    const { args = [], cutAt } = options;
    for (const capture of captures) this.oracle.note(capture, "in doubt");
    const onLine = (line: string) => {
      const { id, filepath } = JSON.parse(line);
      const capture = captures.find(({ path }) => path === filepath)!;
      this.oracle.note(capture, "owed", id);
    };
    const command = this.#command("enqueue", "--json")
      .concat("--metadata-json", '{"n":1}', args)
      .concat(captures.map(({ path }) => path));
    if (cutAt === undefined) {
      const { stdout } = await runInProcess(command);
      stdout.trimEnd().split("\n").forEach(onLine);
      return false;
    }
    await using child = this.#spawn(command, this.#disk?.env(cutAt), onLine);
    return this.#wasCut(await child.ended(), child);
  }

  /** Runs an agent until all is delivered, or to the power cut; returns whether there was one. */
  async deliver(cutAt?: number): Promise<boolean> {
    await using server = this.#startServer();
    await using agent = this.#spawn(
      this.#command("run", "--server", server.url, "--watch", this.watched)
        .concat("--settle", "0.05", "--after-upload", "delete"),
      cutAt === undefined ? {} : this.#disk?.env(cutAt),
    );
    await eventually("everything is delivered", async () => {
      if (!agent.isRunning) return true;
      // By then it has looked through the spool as well.
      if (!agent.stderr.includes("Watching")) return false;
      return await this.#isEmpty(
        cutAt === undefined ? undefined : this.#disk?.env(),
      );
    });
    agent.signal("SIGTERM");
    return this.#wasCut(await agent.ended(), agent);
  }

  /** Cuts the power: data on the disk by now may survive. The server goes on. */
  async cut(): Promise<void> {
    await this.#disk!.cut();
    copyTree(this.#received, this.#dir.join("received-before"));
  }

  /**
   * Starts the host again with the data that have survived, and returns the faults in
   * its deliveries, in words. Data that were tried before are not tried again.
   */
  async restart(survival: Survival): Promise<string[]> {
    this.#disk!.survive(survival);
    if (this.queueIsLost) this.#loseQueue();
    const left = fingerprint(this.root);
    if (this.#tried.has(left)) return [];
    this.#tried.add(left);
    Deno.removeSync(this.#received, { recursive: true });
    copyTree(this.#dir.join("received-before"), this.#received);
    const faults: string[] = [];
    const isWatching = [...Deno.readDirSync(this.watched)].length > 0;
    const delivered = isWatching ? this.deliver() : this.#sync();
    await delivered.catch((error) => faults.push(error.message));
    const received = readReceived(this.#received).stored;
    const missing = this.oracle.missing(received);
    if (missing.length > 0) faults.push(`lost: ${missing.join(", ")}`);
    faults.push(...this.oracle.faults(received));
    return faults.map((fault) => `After ${JSON.stringify(survival)}: ${fault}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#dir[Symbol.asyncDispose]();
  }

  /** @throws {Error} if not all is delivered. */
  async #sync(): Promise<void> {
    await using server = this.#startServer();
    const { code, stdout, stderr } = await runInProcess(
      this.#command("sync", "--server", server.url),
    );
    if (code !== 0) throw new Error(`${stdout}${stderr}`);
  }

  #startServer(): ReferenceServer {
    return new ReferenceServer({ dir: this.#received, fsync: false });
  }

  get #received(): string {
    return this.#dir.join("received");
  }

  /**
   * Whether nothing is left to do.
   *
   * @throws {Error} if a capture has failed: it stays so.
   */
  async #isEmpty(env?: Record<string, string>): Promise<boolean> {
    const command = this.#command("status", "--json");
    let status = "";
    if (env) {
      await using child = this.#spawn(command, env, (line) => status = line);
      await child.ended();
    } else status = (await runInProcess(command)).stdout;
    const { pending, uploading, failed } = JSON.parse(status || "{}");
    if (failed > 0) throw new Error(`${failed} captures failed`);
    const watched = [...Deno.readDirSync(this.watched)].length;
    return pending === 0 && uploading === 0 && watched === 0;
  }

  #loseQueue(): void {
    for (const end of ["", "-wal", "-shm"]) {
      removeIfThere(join(this.data, `queue.db${end}`));
    }
  }

  #command(name: string, ...args: string[]): string[] {
    return [name, "--data-dir", this.data, ...args];
  }

  #spawn(
    command: string[],
    env: Record<string, string> = {},
    onLine?: (line: string) => void,
  ): Child {
    return new Child(this.#props.program.command(command, env), onLine);
  }

  /** @throws {Error} if the program ended in another way than in order or by the cut. */
  #wasCut(code: number, child: Child): boolean {
    if (code === 0) return false;
    if (code === 128 + 9) return true;
    throw new Error(`The program ended with code ${code}:\n${child.stderr}`);
  }
}

/** Returns a text that is the same for folders with the same names and bytes. */
function fingerprint(dir: string): string {
  return [...Deno.readDirSync(dir)].map(({ name, isDirectory }) => {
    const path = join(dir, name);
    const content = isDirectory
      ? fingerprint(path)
      : sha256Of(Deno.readFileSync(path));
    return `${name}=${content}`;
  }).sort().join(" ");
}
