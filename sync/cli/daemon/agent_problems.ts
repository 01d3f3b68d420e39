import type { Log } from "../../host/log.ts";
import type { UploadQueue } from "../../queue/queue.ts";
import type { TokenSource } from "../settings/token.ts";

/** Problems that a person has to solve while the agent goes on. */
export class AgentProblems {
  readonly #found = new Map<string, string>();
  #told: { queue: UploadQueue; text: string | null } | undefined;

  /** All of them in one line; `null` if there is none. */
  get text(): string | null {
    return [...this.#found.values()].join("; ") || null;
  }

  found(cause: string, text: string): void {
    this.#found.set(cause, text);
  }

  resolved(...causes: string[]): void {
    causes.forEach((cause) => this.#found.delete(cause));
  }

  /** Tells `status`, through a queue whose agent this is; to be called at every turn. */
  tell(queue: UploadQueue): void {
    const { text } = this;
    if (this.#told?.queue === queue && this.#told.text === text) return;
    try {
      queue.setAgentState({ problem: text });
      this.#told = { queue, text };
    } catch {
      // The queue is locked, or the disk full: the agent logs that; the next turn tries again.
    }
  }
}

/** The time until a token is read again that could not be read, in milliseconds. */
const AGAIN_MS = 5_000;

export interface AwaitedTokenOptions {
  /** The token's source now: a reload may bring another one. */
  source: () => TokenSource;
  problems: AgentProblems;
  log: Log;
  /** Is called when one could be read that could not be before. */
  onRead: () => void;
}

/**
 * The token of a running agent, which goes on without one: its file may come, or be
 * mended, and captures are taken over meanwhile, and wait.
 */
export class AwaitedToken {
  readonly #options: AwaitedTokenOptions;
  #notBefore = -Infinity;

  constructor(options: AwaitedTokenOptions) {
    this.#options = options;
  }

  /** @throws {Error} as long as the token could not be read. */
  get(): string | undefined {
    const source = this.#options.source();
    if (source.problem !== undefined) throw new Error(source.problem);
    return source.get();
  }

  renew(refused: string | undefined): Promise<boolean> {
    return this.#options.source().renew(refused);
  }

  /**
   * Reads it for the first time, and says if that fails.
   *
   * @param signal Ends the waiting for it.
   */
  async read(signal?: AbortSignal): Promise<void> {
    const { source, problems, log, onRead } = this.#options;
    const token = source();
    const before = token.problem;
    this.#notBefore = Infinity;
    const stopped = new Promise<void>((resolve) =>
      signal?.addEventListener("abort", () => resolve(), { once: true })
    );
    await Promise.race([token.reload().catch(() => {}), stopped]);
    if (signal?.aborted) return;
    this.#notBefore = performance.now() + AGAIN_MS;
    const { problem } = token;
    if (problem === before) return;
    if (problem !== undefined) {
      const text = `${problem}; captures wait until it can be read`;
      log("error", text, { event: "token_unreadable" });
      return problems.found("token", text);
    }
    if (before === undefined) return;
    log("info", "The token could be read", { event: "token_read" });
    problems.resolved("token");
    onRead();
  }

  /** Reads it again if it could not be read; to be called at every turn. */
  turn(): void {
    if (this.#options.source().problem === undefined) return;
    if (performance.now() >= this.#notBefore) this.read();
  }
}
