import { SyncAgent, type SyncAgentOptions } from "../../sync/agent/agent.ts";
import { Breaker } from "../../sync/agent/breaker.ts";
import type { Log } from "../../sync/host/log.ts";
import "../../sync/queue/native_sqlite.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { CaptureUploader } from "../../sync/upload/uploader.ts";
import { TempDir } from "./temp_dir.ts";

/** A real queue, a real uploader, and files to send, in a folder of their own. */
export class AgentFixture implements AsyncDisposable {
  readonly dir = new TempDir();
  readonly queue = new UploadQueue(this.dir.join("queue.db"));
  readonly uploader: CaptureUploader;
  /** A clock that only the test moves, in milliseconds. */
  nowMs = 0;
  readonly breaker = new Breaker({ now: () => this.nowMs, random: () => 0 });
  readonly logged: string[] = [];
  readonly log: Log = (level, message) => {
    this.logged.push(`${level} ${message}`);
  };

  constructor(serverUrl: string) {
    this.uploader = new CaptureUploader(serverUrl, {
      maxRetries: 1,
      timeout: 5000,
    });
  }

  /** Puts captures into the queue, one for each name, and returns their ids. */
  enqueue(...names: string[]): string[] {
    return names.map((name) =>
      this.queue.enqueue(this.dir.write(name, `bytes of ${name}`))
    );
  }

  /** An agent on them. */
  agent(options: Partial<SyncAgentOptions> = {}): SyncAgent {
    return new SyncAgent({
      queue: this.queue,
      uploader: this.uploader,
      breaker: this.breaker,
      log: this.log,
      now: () => this.nowMs,
      ...options,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.uploader.close();
    this.queue.close();
    await this.dir[Symbol.asyncDispose]();
  }
}
