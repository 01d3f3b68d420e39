import { OnceLog } from "../host/log.ts";
import { Wakeup } from "../host/wakeup.ts";
import { Agenda } from "./agenda.ts";
import { Candidates } from "./candidates.ts";
import { CaptureFilter } from "./capture_filter.ts";
import { controlledBy } from "./control_file.ts";
import { type FolderWatchState, folderWatchState } from "./folder_state.ts";
import { type FolderListener, listenToFolders } from "./folder_events.ts";
import { FolderTree } from "./folder_tree.ts";
import { HandOver } from "./hand_over.ts";
import { MountChanges } from "./mount_changes.ts";
import { Rescans } from "./rescans.ts";
import { Stability } from "./stability.ts";
import type { WatchedRoot } from "./watched_root.ts";
import type { FolderWatcherOptions } from "./watcher_options.ts";
import { pathOf, type Place, placeIn } from "./place.ts";

/** The time between looks at the watched folders themselves: no event says for sure that one went. */
const CHECK_MS = 2_000;
/** How long after lost events the folders are looked through, in milliseconds. */
const MISSED_MS = 1_000;

/**
 * Finds finished files in capture folders, at any depth.
 *
 * A file is finished when nobody has it open for writing and its size and modification
 * time have not changed for the settle time; at once when it was renamed into place where
 * files have no sidecars. Where nobody knows who writes, the settle time alone decides.
 * `NAME.json` beside `NAME` is its metadata, and has to be finished as well. Hidden names,
 * those of unfinished files and of systems, links, pipes and devices are passed over.
 *
 * Events are hints: files that they miss are found when the folders are looked through.
 * Memory grows with the number of folders and of unfinished files, not of all files.
 *
 * ```text
 *   events, rescans ─▶ Agenda ─▶ FolderTree.walk ─▶ Candidates.consider ─┐ not known
 *                  again ▲─── Stability ◀─ not yet ─── Finishing.finish ◀──┤
 *      TidyUp ◀─ delivered ◀─ Intake.addWatched ◀─ FinishedFiles.flush ◀───┘ finished
 * ```
 */
export class FolderWatcher {
  readonly roots: readonly WatchedRoot[];
  readonly mounts: MountChanges;
  readonly #options: Pick<FolderWatcherOptions, "onTurn" | "onBack">;
  readonly #log: OnceLog;
  readonly #filter: CaptureFilter;
  readonly #tree: FolderTree;
  readonly #agenda = new Agenda();
  readonly #stability = new Stability();
  readonly #candidates: Candidates;
  readonly #wakeup = new Wakeup();
  readonly #rescans: Rescans;
  readonly #handOver: HandOver;
  #checkAt = 0;

  /** @param roots None inside another. */
  constructor(roots: readonly WatchedRoot[], options: FolderWatcherOptions) {
    this.#options = options;
    this.#log = new OnceLog(options.log);
    this.#handOver = new HandOver(this.#log);
    this.roots = roots;
    this.#filter = new CaptureFilter(options);
    const [filter, log, stability] = [this.#filter, this.#log, this.#stability];
    this.mounts = new MountChanges(roots, { ...options, filter });
    this.#tree = new FolderTree({ ...options, filter, log });
    const parts = { filter, stability, log, mounts: this.mounts };
    this.#candidates = new Candidates({ ...options, ...parts });
    const [tree, agenda] = [this.#tree, this.#agenda];
    this.#rescans = new Rescans({ ...options, roots, tree, agenda });
  }

  /**
   * Looks through all folders once, and hands over the finished files.
   *
   * @throws the error that prevents that for some files, after the others.
   */
  async scan(): Promise<void> {
    this.#rescans.walkRoots({ unchanged: true });
    await this.#look(new AbortController().signal);
  }

  /**
   * Watches until the signal aborts, and hands over each finished file. A folder that
   * goes is waited for.
   *
   * @param onReady Is called when all folders were looked through once.
   */
  async run(signal: AbortSignal, onReady?: () => void): Promise<void> {
    signal.addEventListener("abort", () => this.#wakeup.wake());
    this.#tree.events = listenToFolders(this.#listener(), this.#log);
    // Those that are there already are looked through with the folders.
    this.mounts.take();
    const listening = this.#tree.events?.run(signal);
    while (!signal.aborted) {
      const rescan = this.#rescans.begin();
      const begun = performance.now() - this.#candidates.waitedMs;
      try {
        if (performance.now() >= this.#checkAt) await this.#turn();
        await this.#look(signal);
        rescan?.(performance.now() - this.#candidates.waitedMs - begun);
        if (rescan) this.#handOver.succeeded();
      } catch (error) {
        // How long it took says nothing: a locked queue may have held it up.
        rescan?.(0);
        this.#tryAgain(error as Error, rescan !== undefined);
      }
      onReady?.();
      onReady = undefined;
      const nextAt = Math.min(
        this.#checkAt,
        this.#rescans.at,
        this.#stability.nextAt,
      );
      // Events get their turn in any case.
      await this.#wakeup.sleep(Math.max(nextAt - performance.now(), 1));
    }
    await listening;
    this.#stability[Symbol.dispose]();
  }

  /** Looks at a file again about which events may have come too early to decide. */
  lookAgain(path: string): void {
    const place = placeIn(this.roots, path);
    if (place) this.#agenda.look(place);
    this.#wakeup.wake();
  }

  /** Looks for other names of a file: beside it at once, elsewhere soon. */
  lookAround(path: string): void {
    const place = placeIn(this.roots, path);
    if (place) this.#agenda.lookAround(place);
    this.#rescans.soon(0);
    this.#wakeup.wake();
  }

  /** The state of each watched folder. */
  folderStates(): FolderWatchState[] {
    const [tree, stability] = [this.#tree, this.#stability];
    const unreadable = [
      ...[...tree.unreadable(), ...stability.unreadable()],
      ...this.roots.flatMap(({ away }) => [...away.values()]),
    ];
    return this.roots.map((root) =>
      folderWatchState(root, {
        isPolled: tree.isPolled(root),
        unreadable,
        obstacle: this.#handOver.obstacle,
      })
    );
  }

  /** Looks through those watched folders that were not there, or are others by now. */
  async #turn(): Promise<void> {
    this.#checkAt = performance.now() + CHECK_MS;
    for (const root of this.roots) {
      const change = root.check();
      if (!change) continue;
      if (change === "back") this.#options.onBack?.();
      this.#tree.drop(root.place);
      if (change !== "gone") this.#agenda.walk(root.place, { unchanged: true });
    }
    await this.#options.onTurn?.();
  }

  /** Has the files found again that were not taken, or not reached. */
  #tryAgain(error: Error, isRescan: boolean): void {
    this.#tree.forget();
    this.#rescans.soon(this.#handOver.failed(error, isRescan));
  }

  /** Looks through those places where another file system is than before. */
  #lookAtMounts(): void {
    for (const { place, isAutomatic } of this.mounts.take()) {
      this.#tree.drop(place);
      if (!isAutomatic) this.#agenda.walk(place, { unchanged: true });
      this.#options.onBack?.();
    }
    this.#wakeup.wake();
  }

  #listener(): FolderListener {
    const wake = () => this.#wakeup.wake();
    const isWanted = ({ name }: Place, kind: "file" | "folder") =>
      this.#filter.objection(name, kind) === undefined;
    return {
      onFile: (place, options) => {
        if (!isWanted(place, "file")) return;
        this.#agenda.look(place, options);
        wake();
      },
      onFileLeft: (place) => {
        const controlled = controlledBy(place);
        if (controlled) this.lookAgain(pathOf(controlled));
      },
      onFolder: (place) => {
        if (!isWanted(place, "folder")) return;
        this.#agenda.walk(place, { unchanged: true });
        wake();
      },
      onFolderLeft: (place) => this.#tree.drop(place),
      onRootUnsure: () => {
        this.#checkAt = 0;
        wake();
      },
      onMounts: () => this.#lookAtMounts(),
      onLost: () => {
        this.#rescans.soon(MISSED_MS);
        wake();
      },
    };
  }

  /** Works off the agenda, and hands over the finished files. */
  async #look(signal: AbortSignal): Promise<void> {
    await this.#lookAtNamed(signal);
    const ended: (() => void)[] = [];
    for (const { place, options } of this.#agenda.takeWalks()) {
      ended.push(this.mounts.beginLook(place));
      for (const found of this.#tree.walk(place, options)) {
        if (signal.aborted) return;
        await this.#candidates.consider(found);
        await this.#lookAtNamed(signal);
      }
    }
    await this.#flush();
    ended.forEach((end) => end());
  }

  /** Looks at single files, also in the midst of very many. */
  async #lookAtNamed(signal: AbortSignal): Promise<void> {
    this.#stability.due().forEach((place) => this.#agenda.look(place));
    let hasLooked = false;
    for (const { root, names, renamed } of this.#agenda.takeNamed()) {
      using folder = root.open();
      if (!folder) continue;
      if (signal.aborted) return;
      const found = { place: root.place, folder, names };
      await this.#candidates.consider(found, renamed);
      hasLooked = true;
    }
    if (hasLooked) await this.#flush();
  }

  async #flush(): Promise<void> {
    const isAllTaken = await this.#candidates.flush();
    const isMissed = this.#stability.takeMissed();
    if (isMissed || !isAllTaken) this.#rescans.soon(MISSED_MS);
  }
}
