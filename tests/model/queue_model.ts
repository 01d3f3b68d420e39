import type { CaptureStatus, QueuedCapture } from "../../sync/queue/queue.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A capture as the model keeps it; times are milliseconds since 1970. */
interface ModelCapture {
  id: string;
  filepath: string;
  createdAt: number;
  attempts: number;
  lastAttempt: number | null;
  status: CaptureStatus;
  dueAt: number | null;
  lastError: string | null;
  size: number;
  spooled: boolean;
  watched: boolean;
}

/** What of a queued capture the model foretells. */
export type ModelState = Pick<
  QueuedCapture,
  | "id"
  | "createdAt"
  | "attempts"
  | "lastAttempt"
  | "status"
  | "nextAttemptAt"
  | "lastError"
>;

/** What a queue should do, in plain memory: its state machine, once more and differently. */
export class QueueModel {
  /** In the order in which they came. */
  captures: ModelCapture[] = [];
  readonly delivered = new Map<string, ModelCapture>();
  readonly dismissed = new Map<string, number>();

  find(id: string): ModelCapture | undefined {
    return this.captures.find((capture) => capture.id === id);
  }

  enqueue(capture: ModelCapture): void {
    const known = this.find(capture.id) ?? this.delivered.get(capture.id);
    if (!known) this.captures.push(capture);
  }

  getPending(limit: number, now: number): string[] {
    for (const capture of this.captures) {
      const { dueAt } = capture;
      if (dueAt === null) continue;
      if (dueAt <= now || dueAt > now + HOUR_MS) capture.dueAt = null;
    }
    return this.#byAge()
      .filter(({ status, dueAt }) => status === "pending" && dueAt === null)
      .slice(0, limit).map(({ id }) => id);
  }

  claim(limit: number, now: number): string[] {
    const ids = this.getPending(limit, now);
    ids.forEach((id) => this.markUploading(id, now));
    return ids;
  }

  markUploading(id: string, now: number): boolean {
    const capture = this.find(id);
    if (capture?.status !== "pending") return false;
    Object.assign(capture, { status: "uploading", dueAt: null });
    capture.lastAttempt = now;
    return true;
  }

  deliver(id: string): boolean {
    const capture = this.find(id);
    if (capture) this.delivered.set(id, capture);
    return this.#drop(id);
  }

  fail(id: string, error: string, now: number, isFinal: boolean): boolean {
    const capture = this.find(id);
    if (!capture || capture.status === "failed") return false;
    if (capture.status === "pending") capture.lastAttempt = now;
    const waitMs = 60_000 * 2 ** capture.attempts;
    capture.attempts++;
    capture.lastError = error;
    const failed = isFinal || capture.attempts >= 10;
    capture.status = failed ? "failed" : "pending";
    capture.dueAt = failed ? null : now + Math.min(waitMs, HOUR_MS);
    return true;
  }

  putBack(id: string, error: string | null, dueAt: number | null): boolean {
    const capture = this.find(id);
    if (capture?.status !== "uploading") return false;
    Object.assign(capture, { status: "pending", dueAt });
    capture.lastError = error ?? capture.lastError;
    return true;
  }

  recover(): number {
    const ids = this.#with("uploading");
    ids.forEach((id) => this.putBack(id, null, null));
    return ids.length;
  }

  retry(ids: string[]): string[] {
    return ids.filter((id) => {
      const capture = this.find(id);
      if (!capture || capture.status === "uploading") return false;
      Object.assign(capture, { status: "pending", dueAt: null, attempts: 0 });
      capture.lastError = null;
      return true;
    });
  }

  retryable(which: "failed" | "all"): string[] {
    const failed = this.#with("failed");
    return which === "failed" ? failed : [...failed, ...this.#with("pending")];
  }

  makeAllDue(): void {
    this.captures.forEach((capture) => capture.dueAt = null);
  }

  remove(id: string): boolean {
    const capture = this.find(id);
    if (capture?.watched) this.dismissed.set(capture.filepath, capture.size);
    return this.#drop(id);
  }

  oldFailed(days: number, now: number): string[] {
    return this.#byAge().filter(({ status, lastAttempt, createdAt }) =>
      status === "failed" &&
      (lastAttempt ?? createdAt) < now - days * DAY_MS
    ).map(({ id }) => id);
  }

  knowsWatched(filepath: string, size: number): string | undefined {
    const isIt = (capture: ModelCapture) =>
      capture.watched && capture.filepath === filepath && capture.size === size;
    if (this.captures.some(isIt)) return "queued";
    if ([...this.delivered.values()].some(isIt)) return "delivered";
    return this.dismissed.get(filepath) === size ? "removed" : undefined;
  }

  /** What `list()` should return of each, oldest first. */
  list(): ModelState[] {
    return this.#byAge().map((capture) => ({
      id: capture.id,
      createdAt: iso(capture.createdAt)!,
      attempts: capture.attempts,
      lastAttempt: iso(capture.lastAttempt),
      status: capture.status,
      nextAttemptAt: iso(capture.dueAt),
      lastError: capture.lastError,
    }));
  }

  stats(): Record<string, number> {
    return {
      pending: this.#with("pending").length,
      uploading: this.#with("uploading").length,
      failed: this.#with("failed").length,
      delivered: this.delivered.size,
    };
  }

  spooledBytes(): number {
    return this.captures.filter(({ spooled }) => spooled)
      .reduce((sum, { size }) => sum + size, 0);
  }

  oldestPendingMs(): number | null {
    const times = this.captures.filter(({ status }) => status === "pending")
      .map(({ createdAt }) => createdAt);
    return times.length === 0 ? null : Math.min(...times);
  }

  nextDueMs(now: number): number | null {
    const times = this.captures.map(({ dueAt }) => dueAt)
      .filter((dueAt) => dueAt !== null);
    if (times.length === 0) return null;
    return Math.min(Math.max(Math.min(...times) - now, 0), HOUR_MS);
  }

  #with(status: CaptureStatus): string[] {
    return this.captures.filter((capture) => capture.status === status)
      .map(({ id }) => id);
  }

  /** Those of one moment stay in the order in which they came. */
  #byAge(): ModelCapture[] {
    return this.captures.toSorted((a, b) => a.createdAt - b.createdAt);
  }

  #drop(id: string): boolean {
    const before = this.captures.length;
    this.captures = this.captures.filter((capture) => capture.id !== id);
    return this.captures.length < before;
  }
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
