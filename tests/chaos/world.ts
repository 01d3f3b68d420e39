import {
  readReceived,
  type StoredCapture,
} from "../../scripts/server/received_store.ts";
import { eventually } from "../helpers/eventually.ts";
import { AgentHost } from "./agent_host.ts";
import { Child } from "./child.ts";
import type { Clock } from "./clock.ts";
import { Network } from "./network.ts";
import { HostDisks } from "./host_disks.ts";
import { Maker } from "./maker.ts";
import { Oracle } from "./oracle.ts";
import type { Program } from "./program.ts";
import type { Schedule } from "./schedule.ts";
import { ServerHost } from "./server_host.ts";

/** How long a watched file must be unchanged, in milliseconds. */
export const SETTLE_MS = 300;

/** What rounds are played with. */
export interface Stage {
  program: Program;
  clock: Clock | undefined;
  /** Is told what happens. */
  trace?: ((line: string) => void) | undefined;
  /** Ends a round before its time, without a verdict. */
  signal?: AbortSignal;
  /**
   * How long the backlog may take to be delivered once nothing is wrong any
   * more, in milliseconds.
   *
   * @default {60000}
   */
  drainMs?: number;
}

/** What has happened in a round. */
export interface Tally {
  acknowledged: number;
  dropped: number;
  delivered: number;
  deliveredBytes: number;
  agentKills: number;
  serverKills: number;
  enqueueKills: number;
  commandKills: number;
  diskFills: number;
  clockChanges: number;
}

/** A tally of nothing. */
export const NO_TALLY: Readonly<Tally> = {
  acknowledged: 0,
  dropped: 0,
  delivered: 0,
  deliveredBytes: 0,
  agentKills: 0,
  serverKills: 0,
  enqueueKills: 0,
  commandKills: 0,
  diskFills: 0,
  clockChanges: 0,
};

/** How a command ended. */
export interface Ended {
  code: number;
  stdout: string[];
  stderr: string;
  wasKilled: boolean;
}

/** A host with an agent, a network and a server, all real, and the truth about them. */
export class World implements AsyncDisposable {
  readonly oracle = new Oracle();
  readonly tally: Tally = { ...NO_TALLY };
  /** What went wrong so far, in words. */
  readonly faults: string[] = [];
  readonly network = new Network();
  readonly maker: Maker;
  readonly server: ServerHost;
  readonly agent: AgentHost;
  readonly disks: HostDisks;
  readonly clock: Clock | undefined;
  readonly drainMs: number;
  readonly afterUpload: Schedule["afterUpload"];
  /** From when on the queue may be locked again (`performance.now`). */
  mayLockAtMs = 0;
  readonly #program: Program;

  private constructor(schedule: Schedule, stage: Stage, disks: HostDisks) {
    this.#program = stage.program;
    this.clock = stage.clock;
    this.drainMs = stage.drainMs ?? 60_000;
    this.afterUpload = schedule.afterUpload;
    this.disks = disks;
    this.maker = new Maker(schedule.seed);
    this.server = new ServerHost(disks.received, schedule.seed, this.network);
    this.agent = new AgentHost(
      () => this.spawn(this.#agentArgs(schedule.afterUpload)),
      {
        onFault: (fault) => this.faults.push(fault),
        mayFail: () => disks.small?.isShortOfRoom ?? false,
      },
    );
  }

  /** Makes one, in which the server runs and the agent watches its folder. */
  static async make(schedule: Schedule, stage: Stage): Promise<World> {
    const disks = await HostDisks.make(schedule.smallDisk);
    const world = new World(schedule, stage, disks);
    stage.clock?.set(0);
    await world.server.start();
    world.agent.start();
    await eventually(
      "the agent watches",
      () => world.agent.stderr.includes("Watching"),
    );
    return world;
  }

  /** Starts the program with a command on this world's data directory. */
  spawn(args: string[], onLine?: (line: string, child: Child) => void): Child {
    const [command = "", ...rest] = args;
    return new Child(
      this.#program.command(
        [command, "--data-dir", this.disks.data, ...rest],
        this.clock?.env,
      ),
      onLine,
    );
  }

  /** Runs a command to its end, or kills it after a while. */
  async run(
    args: string[],
    options: {
      killAfterMs?: number | undefined;
      onLine?: (line: string, child: Child) => void;
    } = {},
  ): Promise<Ended> {
    const stdout: string[] = [];
    await using child = this.spawn(args, (line, child) => {
      stdout.push(line);
      options.onLine?.(line, child);
    });
    const { killAfterMs } = options;
    const timer = killAfterMs === undefined
      ? undefined
      : setTimeout(() => child.kill("SIGKILL"), killAfterMs);
    const code = await child.ended();
    clearTimeout(timer);
    const { stderr } = child;
    // A kill may come after the end and before anybody has noticed it.
    const wasKilled = child.wasKilled && code >= 128;
    return { code, stdout, stderr, wasKilled };
  }

  /** Everything that the server has stored so far; a kill of it leaves nothing else. */
  received(): StoredCapture[] {
    return readReceived(this.disks.received).stored;
  }

  /** What `enqueue` and the agent are told about the disk. */
  get roomArgs(): string[] {
    return this.disks.small ? ["--min-free-bytes", "8M"] : [];
  }

  /** Whether want of room may be why something was refused. */
  get mayLackRoom(): boolean {
    return this.disks.small !== undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
    await this.disks[Symbol.asyncDispose]();
  }

  #agentArgs(afterUpload: Schedule["afterUpload"]): string[] {
    return [
      "run",
      "--server",
      `http://127.0.0.1:${this.network.port}`,
      "--watch",
      this.disks.watched,
      "--settle",
      String(SETTLE_MS / 1000),
      "--after-upload",
      afterUpload,
      "--timeout",
      "5",
      "--grace",
      "1",
      ...this.roomArgs,
    ];
  }
}
