import { deadline } from "@std/async/deadline";
import { delay } from "@std/async/delay";
import type { Child } from "./child.ts";

/** How long an agent may take to end that was told to, in milliseconds. */
const END_MS = 30_000;
/** How long the service manager waits before it starts one that ended, in milliseconds. */
const RESTART_MS = 200;

/** Options for {@linkcode AgentHost}. */
export interface AgentHostOptions {
  /** Is told when the agent ends by itself, or does not end in order. */
  onFault: (fault: string) => void;
  /** Whether there is a reason now for which it may end by itself. */
  mayFail: () => boolean;
}

/** The agent as a service manager runs it: started again whenever it ends. */
export class AgentHost implements AsyncDisposable {
  readonly #spawn: () => Child;
  readonly #options: AgentHostOptions;
  #child: Child | undefined;
  #closed = false;

  constructor(spawn: () => Child, options: AgentHostOptions) {
    this.#spawn = spawn;
    this.#options = options;
  }

  start(): void {
    const child = this.#spawn();
    this.#child = child;
    child.ended().then((code) => this.#ended(child, code));
  }

  /** Ends it, and starts it again after a while. Returns whether it was running. */
  async kill(signal: Deno.Signal, downMs: number): Promise<boolean> {
    const child = this.#child;
    if (!child?.kill(signal)) return false;
    this.#child = undefined;
    await this.#waitForEnd(child, signal);
    await delay(downMs);
    if (!this.#closed) this.start();
    return true;
  }

  /** Stops it for a while, as if the machine were suspended. */
  async stop(forMs: number): Promise<void> {
    await this.#child?.stop(forMs);
  }

  /** Has it read its settings again, once it works. */
  reload(): void {
    const child = this.#child;
    if (child?.stderr.includes("Delivering to")) child.signal("SIGHUP");
  }

  /** Ends it in order, for good. */
  async close(): Promise<void> {
    this.#closed = true;
    const child = this.#child;
    if (child?.kill("SIGTERM")) await this.#waitForEnd(child, "SIGTERM");
  }

  /** What the agent last said. */
  get stderr(): string {
    return this.#child?.stderr ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#child?.kill("SIGKILL");
    await this.#child?.ended();
  }

  async #waitForEnd(child: Child, signal: Deno.Signal): Promise<void> {
    try {
      const code = await deadline(child.ended(), END_MS);
      // 143 where the program was only just starting.
      // What it could not record while others held the queue it sends again.
      const isLockedOut = child.stderr.includes(": database is locked");
      const isInOrder = [0, 143].includes(code) || isSecond(child) ||
        isLockedOut;
      if (signal === "SIGTERM" && !isInOrder) {
        this.#fault(
          `the agent ended with code ${code} when told to end:\n${child.stderr}`,
        );
      }
    } catch {
      this.#fault(
        `the agent did not end within ${END_MS} ms of ${signal}:\n${child.stderr}`,
      );
      child.kill("SIGKILL");
      await child.ended();
    }
  }

  async #ended(child: Child, code: number): Promise<void> {
    if (child.wasKilled || this.#closed) return;
    if (!isSecond(child)) {
      this.#fault(
        `the agent ended by itself with code ${code}:\n${child.stderr}`,
      );
    }
    await delay(RESTART_MS);
    if (this.#child === child && !this.#closed) this.start();
  }

  #fault(fault: string): void {
    if (!this.#options.mayFail()) this.#options.onFault(fault);
  }
}

/** Whether it ended for there was an agent: a `sync` that found none is it for a moment. */
function isSecond(child: Child): boolean {
  return child.stderr.includes("is its agent already");
}
