import { dirname, extname } from "@std/path";
import type { OnceLog } from "../host/log.ts";
import { messageOf } from "../host/message_of.ts";
import { type FileIdentity, isNotRegular } from "../host/opened_file.ts";
import { tryTo } from "../host/try_to.ts";
import type { WatchedFile } from "../spool/copies.ts";
import { type Candidate, isInUse, mayBeWhole } from "./candidate.ts";
import type { CaptureFilter } from "./capture_filter.ts";
import { awaitControlFile } from "./control_file.ts";
import { captureOf, sidecarOf } from "./sidecar.ts";
import type { SidecarOwners } from "./sidecar_owners.ts";
import { changedAt, type HeldFile, type Stability } from "./stability.ts";
import { lookAt, openSame } from "./place.ts";
import { type FoundSidecar, SidecarReader } from "./sidecar_reader.ts";
import { ALONE_MS, type Taker } from "./watcher_options.ts";

/** Options for {@linkcode Finishing}. */
export interface FinishingOptions extends Pick<Taker, "isLateSidecar"> {
  filter: CaptureFilter;
  stability: Stability;
  owners: SidecarOwners;
  log: OnceLog;
  /** By default as the file system needs it. */
  settleMs?: number | undefined;
  /** How long a file waits for another one before that is reported. @default {60000} */
  aloneMs?: number | undefined;
}

const SETTLE_MS = 2_000;
/** The default where writers cannot be detected. */
const BLIND_SETTLE_MS = 10_000;
/** The most that the clock of another host, which its files get their times from, may be off. */
const CLOCKS_APART_MS = 60_000;
/** How long to wait after a file could not be read, in milliseconds. */
export const UNREADABLE_MS = 30_000;
/** The largest metadata that is held in memory with a file that waits. */
const MAX_HELD_BYTES = 64 * 1024;

/** Decides when a file is finished, and reads its sidecar. */
export class Finishing {
  readonly #options: FinishingOptions;
  readonly #sidecars: SidecarReader;

  constructor(options: FinishingOptions) {
    this.#options = options;
    this.#sidecars = new SidecarReader(options);
  }

  /**
   * Returns a file with its metadata if it is finished; else why it is waited for.
   *
   * Finished is one that nobody writes to, as far as that can be detected, and that has
   * been quiet, with its sidecar, for so long (`settleMs`: 2 s; 10 s without detection):
   *
   * | file                                   | quiet for                               |
   * | -------------------------------------- | --------------------------------------- |
   * | named by an event                      | `settleMs`                              |
   * | found by looking                       | `settleMs`, its own times count as well |
   * | renamed into a folder without sidecars | 0; `settleMs` without detection         |
   * | `event.json` without an `event`        | a minute: then it is a capture itself   |
   * | `a.png.json` without an `a.png`        | for ever: it waits for its capture      |
   * | `a.png` beside an `a.png.part`         | for ever: it waits for that to go       |
   * | whose sidecar alone changes on and on  | a minute: it goes with that as it is    |
   */
  finish(
    candidate: Candidate,
    options: { isNew: boolean },
  ): WatchedFile | string {
    const { place, name, identity } = candidate;
    const captureName = this.#options.filter.takesJson(place.name)
      ? undefined
      : captureOf(name);
    const found = this.#sidecars.find(candidate);
    const { sidecar } = found;
    const mayBeSidecar = captureName !== undefined;
    const isSidecar = mayBeSidecar && extname(captureName) !== "";
    const waitsFor = `waits for its capture "${captureName}"`;
    const isQuiet = this.#isQuiet(candidate, { sidecar, mayBeSidecar });
    const isOverdue = !isQuiet && sidecar !== undefined &&
      this.#isOverdue(candidate);
    if (!isQuiet && !isOverdue) {
      if (!mayBeSidecar) this.#hold(candidate, { ...options, sidecar });
      if (isSidecar) return waitsFor;
      const isOld = Date.now() - changedAt(identity) >=
        this.#settleTimes(candidate).trustMs;
      return `${sidecar && isOld ? "its sidecar" : "it"} has changed just now`;
    }
    if (isSidecar) {
      this.#sayWaitsForCapture(candidate, waitsFor);
      return waitsFor;
    }
    return awaitControlFile(candidate, { ...this.#options, sidecar }) ??
      this.#read(candidate, { ...found, isOverdue });
  }

  /** Returns a file with its metadata, unless somebody writes to it; else why it is waited for. */
  #read(
    candidate: Candidate,
    { sidecar, wrong, isOverdue }: FoundSidecar & { isOverdue: boolean },
  ): WatchedFile | string {
    const { place, path, identity, isUnsure } = candidate;
    const { stability } = this.#options;
    try {
      const isBusy = isInUse(candidate);
      const metadataJson = sidecar && !isBusy
        ? this.#sidecars.read(candidate, { isOverdue })
        : "{}";
      if (isBusy || metadataJson === undefined) {
        stability.again(place, this.#settleTimes(candidate).waitMs);
        const what = isBusy ? "it" : "its metadata";
        return `somebody has ${what} open for writing`;
      }
      stability.forget(place);
      if (wrong) this.#sidecars.sayUnusable(candidate, wrong);
      this.#noteTaken(candidate, sidecar);
      const open = () => openSame(place, identity);
      return { path, identity, metadataJson, isUnsure, open };
    } catch (error) {
      this.#sayUnreadable(candidate, error as Error);
      return messageOf(error);
    }
  }

  /** Learns from a file that is known whether those of its folder have sidecars. */
  learn({ place: { root }, folder, name }: Candidate): void {
    root.usesSidecars ??= lookAt(folder, sidecarOf(name)) !== undefined;
  }

  /**
   * Returns a file that was held when this one took its name: it has waited for
   * nothing but its sidecar.
   */
  finishReplaced(
    candidate: Candidate,
    held: HeldFile,
  ): WatchedFile | undefined {
    const { file, sidecar } = held;
    if (file.isOpenForWriting()) return undefined;
    const replaced = { ...candidate, identity: file.stat() };
    const now = sidecar ? undefined : this.#sidecars.find(replaced).sidecar;
    this.#noteTaken(replaced, sidecar ?? now);
    const metadataJson = now ? this.#readNow(replaced) : held.metadataJson;
    if (metadataJson === undefined) {
      const reason = "its capture was replaced before it could be read";
      this.#sidecars.sayUnusable(candidate, reason);
    }
    return {
      path: candidate.path,
      identity: replaced.identity,
      metadataJson: metadataJson ?? "{}",
      open: () => file.again(),
    };
  }

  /** Keeps a file that waits from being lost when another one takes its name. */
  #hold(
    candidate: Candidate,
    { sidecar, isNew }: { sidecar: FileIdentity | undefined; isNew: boolean },
  ): void {
    const { place, path, folder, name } = candidate;
    const { stability, owners } = this.#options;
    // The first sidecar that comes is its own; the next one may be its successor's.
    const isComplete = stability.heldAt(place)?.sidecar !== undefined;
    const isHeld = stability.heldAt(place) || mayBeWhole(candidate, { isNew });
    if (isComplete || !isHeld) return;
    const isOwn = sidecar && sidecar.size <= MAX_HELD_BYTES &&
      !owners.wasUsed(path, sidecar);
    const json = isOwn ? this.#readNow(candidate) : undefined;
    const own = json === undefined
      ? { sidecar: undefined, metadataJson: "{}" }
      : { sidecar, metadataJson: json };
    // If it is gone, or cannot be read, whoever looks next says so.
    tryTo(() => stability.hold(place, own, () => folder.openFile(name)));
  }

  /** Reads the metadata of a file that cannot wait for them. */
  #readNow(candidate: Candidate): string | undefined {
    try {
      return this.#sidecars.read(candidate);
    } catch {
      return undefined;
    }
  }

  #noteTaken(candidate: Candidate, sidecar: FileIdentity | undefined): void {
    const { waitMs: lateMs } = this.#settleTimes(candidate);
    candidate.place.root.usesSidecars ??= sidecar !== undefined;
    this.#options.owners.taken(candidate, { sidecar, lateMs });
  }

  /** Whether a file and its sidecar have been as they are for long enough. */
  #isQuiet(
    candidate: Candidate,
    { sidecar, mayBeSidecar }: {
      sidecar: FileIdentity | undefined;
      mayBeSidecar: boolean;
    },
  ): boolean {
    const { place, identity, isRenamed, isNamed } = candidate;
    const { stability, aloneMs = ALONE_MS } = this.#options;
    const files = sidecar ? [identity, sidecar] : [identity];
    const { waitMs, trustMs } = this.#settleTimes(candidate);
    const atLeastMs = mayBeSidecar ? aloneMs : 0;
    // A sidecar may follow a file that is renamed into place, where files have any.
    const isDone = isRenamed && !mayBeSidecar && !sidecar &&
      place.root.usesSidecars === false;
    return stability.isStable(place, files, {
      unproven: isDone ? [] : files,
      waitMs: Math.max(waitMs, atLeastMs),
      // An event tells of something new, even if the clock says otherwise.
      trustMs: isNamed ? Infinity : Math.max(trustMs, atLeastMs),
    });
  }

  /** Whether only the sidecar of a file has kept it from being quiet, for too long. */
  #isOverdue(candidate: Candidate): boolean {
    const { stability, aloneMs = ALONE_MS } = this.#options;
    const { waitMs } = this.#settleTimes(candidate);
    return stability.restlessMs(candidate.place) >= Math.max(waitMs, aloneMs);
  }

  /** How long files must stay as they are, and when their own times say that they have. */
  #settleTimes({ fileSystem }: Candidate): { waitMs: number; trustMs: number } {
    const { settleMs } = this.#options;
    const { tellsWriters } = fileSystem;
    const waitMs = settleMs ?? (tellsWriters ? SETTLE_MS : BLIND_SETTLE_MS);
    return { waitMs, trustMs: waitMs + (tellsWriters ? 0 : CLOCKS_APART_MS) };
  }

  #sayWaitsForCapture({ place, path }: Candidate, waitsFor: string): void {
    this.#options.stability.forget(place);
    this.#options.log.warn(
      `alone in ${dirname(path)}`,
      `"${path}" ${waitsFor}, as others in its folder may: that is still to come, or was delivered without it; JSON files that a glob of --include names are captures themselves`,
    );
  }

  #sayUnreadable({ place, path }: Candidate, error: Error): void {
    const { stability, log } = this.#options;
    const isGone = error instanceof Deno.errors.NotFound ||
      isNotRegular(error);
    if (isGone) return stability.forget(place);
    stability.cannotRead(place, error.message, UNREADABLE_MS);
    log.warn(
      `unreadable in ${dirname(path)}`,
      `Cannot read "${path}" or its metadata, will try again: ${error.message}`,
    );
  }
}
