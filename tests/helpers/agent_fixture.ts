import { SyncAgent } from "../../sync/agent/agent.ts";
import type { SyncAgentOptions } from "../../sync/agent/agent_options.ts";
import { Throttle } from "../../sync/agent/throttle.ts";
import type { Log } from "../../sync/host/log.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { CaptureUploader } from "../../sync/upload/uploader.ts";
import { TempDir } from "./temp_dir.ts";

/** A real queue, a real uploader, and files to send, in a folder of their own. */
export class AgentFixture implements AsyncDisposable {
  readonly dir = new TempDir();
  /** How far the queue's wall clock is ahead, in milliseconds. */
  aheadMs = 0;
  readonly queue = new UploadQueue(this.dir.join("queue.db"), {
    now: () => Date.now() + this.aheadMs,
    busyTimeoutMs: 20,
  });
  readonly uploader: CaptureUploader;
  /** Waits from 10 ms to 200 ms. */
  readonly throttle = new Throttle({ minWaitMs: 10, maxWaitMs: 200 });
  readonly logged: string[] = [];
  readonly log: Log = (level, message) => {
    this.logged.push(`${level} ${message}`);
  };

  constructor(serverUrl: string, { timeout = 5000 } = {}) {
    this.uploader = new CaptureUploader(serverUrl, { maxRetries: 1, timeout });
  }

  /** Puts captures into the queue, one for each name, and returns their ids. */
  enqueue(...names: string[]): string[] {
    return names.map((name) =>
      this.queue.enqueue(this.dir.write(name, `bytes of ${name}`))
    );
  }

  /** How often each of these captures was charged. */
  attempts(ids: string[]): number[] {
    return ids.map((id) => this.queue.get(id)!.attempts);
  }

  /** An agent on them. */
  agent(options: Partial<SyncAgentOptions> = {}): SyncAgent {
    const { concurrency } = options;
    return new SyncAgent({
      queue: this.queue,
      uploader: this.uploader,
      throttle: concurrency === undefined
        ? this.throttle
        : new Throttle({ minWaitMs: 10, maxWaitMs: 200, concurrency }),
      log: this.log,
      ...options,
    });
  }

  /** An agent that runs until it is disposed of. */
  running(
    options: Partial<SyncAgentOptions> = {},
  ): RunningAgent {
    const agent = this.agent({ snoozeMs: 100, ...options });
    const stopping = new AbortController();
    const ended = agent.run(stopping.signal);
    ended.catch(() => {});
    const stop = async () => {
      stopping.abort();
      await ended;
    };
    const end = () => stop().catch(() => {});
    return { agent, ended, stop, [Symbol.asyncDispose]: end };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.uploader.close();
    this.queue.close();
    await this.dir[Symbol.asyncDispose]();
  }
}

/** An agent under way. */
export interface RunningAgent extends AsyncDisposable {
  agent: SyncAgent;
  /** Rejects if the agent ends with an error. */
  ended: Promise<void>;
  /** Stops it, and throws what it ends with. */
  stop(): Promise<void>;
}
