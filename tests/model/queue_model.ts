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
  snoozes: number;
  firstCharged: number | null;
  lastCharged: number | null;
  size: number;
  sha256: string;
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
  | "snoozes"
>;

/** A file of a watched folder, as it was last taken over. */
interface ModelFile {
  captureId: string;
  size: number;
  sha256: string;
  state: "queued" | "delivered" | "removed";
  since: number;
}

/** What a queue should do, in plain memory: its state machine, once more and differently. */
export class QueueModel {
  /** In the order in which they came. */
  captures: ModelCapture[] = [];
  /** Those in the ledger, by when they were delivered; and all that ever were. */
  readonly delivered = new Map<string, number>();
  #deliveredCount = 0;
  /** By path: here no file ever changes its name. */
  readonly files = new Map<string, ModelFile>();
  /** How many places were given since the last one for a snoozed capture. */
  #places = 0;

  find(id: string): ModelCapture | undefined {
    return this.captures.find((capture) => capture.id === id);
  }

  enqueue(capture: ModelCapture): void {
    if (this.find(capture.id) || this.delivered.has(capture.id)) return;
    this.captures.push(capture);
    const { id: captureId, filepath, size, sha256, createdAt: since } = capture;
    if (!capture.watched) return;
    const file = { captureId, size, sha256, since };
    this.files.set(filepath, { ...file, state: "queued" });
  }

  getPending(limit: number, now: number): string[] {
    for (const capture of this.captures) {
      const { dueAt } = capture;
      if (dueAt === null) continue;
      if (dueAt <= now || dueAt > now + HOUR_MS) capture.dueAt = null;
    }
    return [...this.#ready(false), ...this.#ready(true)].slice(0, limit);
  }

  claim(limit: number, now: number): string[] {
    if (this.getPending(limit, now).length === 0) return [];
    const [fresh, snoozed] = [this.#ready(false), this.#ready(true)];
    this.#places += limit;
    const places = Math.floor(this.#places / 8);
    this.#places %= 8;
    const guests = snoozed.slice(0, Math.max(places, limit - fresh.length));
    const ids = [...fresh.slice(0, limit - guests.length), ...guests];
    ids.forEach((id) => this.markUploading(id, now));
    return ids;
  }

  /** Another process takes over: the state in memory is gone. */
  restart(): void {
    this.#places = 0;
  }

  markUploading(id: string, now: number): boolean {
    const capture = this.find(id);
    if (capture?.status !== "pending") return false;
    Object.assign(capture, { status: "uploading", dueAt: null });
    capture.lastAttempt = now;
    return true;
  }

  deliver(id: string, now: number): boolean {
    const capture = this.find(id);
    if (!capture) return false;
    this.delivered.set(id, now);
    this.#deliveredCount++;
    // The id may have been another capture's before, which was removed.
    if (capture.watched) this.#moveFile(id, "delivered", now);
    return this.#drop(id);
  }

  fail(
    id: string,
    error: string,
    { now, rule }: { now: number; rule: "charge" | "discard" | "at once" },
  ): boolean {
    const capture = this.find(id);
    if (!capture || capture.status === "failed") return false;
    if (capture.status === "pending") capture.lastAttempt = now;
    capture.lastError = error;
    capture.status = "pending";
    const { attempts, lastCharged: last } = capture;
    const due = last === null ? null : last + backoffMs(attempts);
    const begun = capture.lastAttempt!;
    const isEarly = attempts > 0 && due !== null && begun < due &&
      begun >= last!;
    if (rule === "charge" && isEarly) {
      capture.dueAt = due;
      return true;
    }
    capture.attempts++;
    capture.firstCharged = Math.min(capture.firstCharged ?? now, now);
    capture.lastCharged = now;
    const isOld = rule === "at once" || now - capture.firstCharged >= DAY_MS;
    const failed = rule === "discard" || (capture.attempts >= 10 && isOld);
    if (failed) capture.status = "failed";
    capture.dueAt = failed ? null : now + backoffMs(capture.attempts);
    return true;
  }

  snooze(id: string, error: string, dueAt: number): boolean {
    if (!this.release(id, error, dueAt)) return false;
    this.find(id)!.snoozes++;
    return true;
  }

  release(id: string, error: string | null, dueAt: number | null): boolean {
    const capture = this.find(id);
    if (capture?.status !== "uploading") return false;
    Object.assign(capture, { status: "pending", dueAt });
    capture.lastError = error ?? capture.lastError;
    return true;
  }

  recover(): number {
    const ids = this.#with("uploading");
    ids.forEach((id) => this.release(id, null, null));
    return ids.length;
  }

  retry(ids: string[]): string[] {
    return ids.filter((id) => {
      const capture = this.find(id);
      if (!capture || capture.status === "uploading") return false;
      Object.assign(capture, { status: "pending", dueAt: null, attempts: 0 });
      Object.assign(capture, { firstCharged: null, lastCharged: null });
      Object.assign(capture, { snoozes: 0, lastError: null });
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

  remove(id: string, now: number): boolean {
    if (this.find(id)) this.#moveFile(id, "removed", now);
    return this.#drop(id);
  }

  oldFailed(days: number, now: number): string[] {
    return this.#byAge().filter(({ status, lastAttempt, createdAt }) =>
      status === "failed" &&
      (lastAttempt ?? createdAt) < now - days * DAY_MS
    ).map(({ id }) => id);
  }

  knownWatched(filepath: string, size: number): string | undefined {
    const file = this.files.get(filepath);
    return file?.size === size ? file.state : undefined;
  }

  /** Whoever has the content is this file from then on. */
  knownContent(
    filepath: string,
    { size, sha256 }: { size: number; sha256: string },
  ): string | undefined {
    const file = this.files.get(filepath);
    if (file?.sha256 !== sha256) return undefined;
    file.size = size;
    return file.state;
  }

  pruneHistory(before: number, isStillThere: (path: string) => boolean) {
    const deliveries = [...this.delivered].filter(([, at]) => at < before);
    const files = [...this.files].filter(([path, { state, since }]) =>
      state !== "queued" && since < before && !isStillThere(path)
    );
    deliveries.forEach(([id]) => this.delivered.delete(id));
    files.forEach(([path]) => this.files.delete(path));
    return deliveries.length + files.length;
  }

  markRemoved(id: string): void {
    for (const [path, { captureId }] of this.files) {
      if (captureId === id) this.files.delete(path);
    }
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
      snoozes: capture.snoozes,
    }));
  }

  stats(): Record<string, number> {
    return {
      pending: this.#with("pending").length,
      uploading: this.#with("uploading").length,
      failed: this.#with("failed").length,
      delivered: this.#deliveredCount,
    };
  }

  spooledBytes(): number {
    return this.captures.filter(({ spooled }) => spooled)
      .reduce((sum, { size }) => sum + size, 0);
  }

  oldestPendingMs(): number | null {
    const times = this.captures.filter(({ status }) => status !== "failed")
      .map(({ createdAt }) => createdAt);
    return times.length === 0 ? null : Math.min(...times);
  }

  nextDueMs(now: number): number | null {
    const times = this.captures.map(({ dueAt }) => dueAt)
      .filter((dueAt) => dueAt !== null);
    if (times.length === 0) return null;
    return Math.min(Math.max(Math.min(...times) - now, 0), HOUR_MS);
  }

  #moveFile(id: string, state: "delivered" | "removed", since: number): void {
    for (const file of this.files.values()) {
      if (file.captureId === id) Object.assign(file, { state, since });
    }
  }

  #ready(snoozed: boolean): string[] {
    return this.#byAge()
      .filter(({ status, dueAt }) => status === "pending" && dueAt === null)
      .filter(({ snoozes }) => snoozes > 0 === snoozed)
      .map(({ id }) => id);
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

function backoffMs(attempts: number): number {
  return Math.min(60_000 * 2 ** (attempts - 1), HOUR_MS);
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
