import type { UploadQueue } from "../queue/queue.ts";

/** What a running agent cannot do as it was told. */
type Cause = "reload" | "token";

/** What a person has to mend while the agent goes on. */
export class AgentProblems {
  readonly #found = new Map<Cause, string>();
  #told: { queue: UploadQueue; text: string | null } | undefined;

  /** All of them in one line; `null` if there is none. */
  get text(): string | null {
    return [...this.#found.values()].join("; ") || null;
  }

  found(cause: Cause, text: string): void {
    this.#found.set(cause, text);
  }

  mended(...causes: Cause[]): void {
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
      // The queue is locked, or the disk full: the agent says so, and the next turn comes.
    }
  }
}
