import type { Folder } from "../host/folder.ts";
import type { OnceLog } from "../host/log.ts";
import { fileSystemOf } from "./file_system.ts";
import type { FolderEvents } from "./folder_events.ts";
import { type CaptureFilter, IS_OWN } from "./capture_filter.ts";
import type { UnreadablePlace } from "./folder_state.ts";
import { type FoundFiles, inBatches } from "./found_files.ts";
import { type WatchedRoot } from "./watched_root.ts";
import type { FolderWatcherOptions, SkipReason } from "./watcher_options.ts";
import { pathOf, type Place, within } from "./place.ts";

export interface WalkOptions {
  /** Whether folders are listed whose names have not changed since. @default {false} */
  unchanged?: boolean;
  /** Whether only those folders below are entered that were not known. @default {false} */
  flat?: boolean;
}

export interface FolderTreeOptions
  extends Pick<FolderWatcherOptions, "maxFolders" | "onSkipped"> {
  filter: CaptureFilter;
  log: OnceLog;
}

/** A folder that was met. */
interface KnownFolder {
  place: Place;
  /** When its names had last changed when they were listed. */
  listedMs?: number | undefined;
  /** The names of the folders in it. */
  folders: string[];
  watch: number | undefined;
}

/** Two changes within this time may leave one modification time, in milliseconds. */
const GRAIN_MS = 2_000;
/** The most names that are held and sorted at a time. */
const SORTED = 10_000;
/** The most folders that are held in memory; others are left, which is reported. */
const MAX_FOLDERS = 200_000;

/**
 * The folders below the watched ones, at any depth: looks through them for files, and
 * listens to each before it lists it, so that nothing comes in between. Links are not
 * followed. A folder that cannot be looked through is reported once, and holds up
 * nothing else. A folder is read in pieces, however many names it has, and after each
 * folder others get their turn, however many there are.
 */
export class FolderTree {
  readonly #options: FolderTreeOptions;
  /** By path. */
  readonly #known = new Map<string, KnownFolder>();
  readonly #polled = new Map<string, Place>();
  /** By the path of the folder. */
  readonly #unreadable = new Map<string, UnreadablePlace>();

  /** The source of events; without it all folders have to be polled. */
  events: FolderEvents | undefined;

  constructor(options: FolderTreeOptions) {
    this.#options = options;
  }

  /** Whether there is a folder for which not all events come. */
  get hasPolled(): boolean {
    return this.#polled.size > 0;
  }

  /** Whether a watched folder, or one below it, has to be looked through again and again. */
  isPolled(root: WatchedRoot): boolean {
    return this.#polled.entries().some(([path, place]) =>
      place.root === root && this.#known.has(path)
    );
  }

  /**
   * The folders that could not be looked through the last time, and files whose names
   * cannot be used.
   */
  unreadable(): Iterable<UnreadablePlace> {
    return this.#unreadable.values();
  }

  /** The folders that have to be polled, each by itself (`flat`) or with those below it. */
  polled(): { place: Place; flat: boolean }[] {
    return [...this.#polled.values()]
      .filter(({ root, name }) => name === "" || !this.#polled.has(root.path))
      .map((place) => ({ place, flat: place.name !== "" }));
  }

  /** Looks through a folder and those below it, for as long as it is asked to. */
  *walk(start: Place, options: WalkOptions = {}): Generator<FoundFiles> {
    using root = start.root.open();
    if (!root) return this.drop(start.root.place);
    const waiting = [start.name];
    for (let name; (name = waiting.pop()) !== undefined;) {
      const place = { root: start.root, name };
      using folder = this.#open(root, place);
      if (!folder || this.#isTooMany(place)) continue;
      const known = this.#meet(place, folder);
      const { mtimeMs } = folder.look(".")!;
      if (options.unchanged || known.listedMs !== mtimeMs) {
        const isWhole = yield* this.#list(known, folder);
        // A folder changed within the clock's grain may change again unnoticed.
        const isSure = isWhole && Date.now() - mtimeMs > GRAIN_MS;
        known.listedMs = isSure ? mtimeMs : undefined;
      } else yield { place, folder, names: [] };
      for (const name of known.folders.toReversed()) {
        const inside = within(place, name);
        const isKnown = this.#known.has(pathOf(inside));
        if (!options.flat || !isKnown) waiting.push(inside.name);
      }
    }
  }

  /** Lists every folder the next time, whether it has changed or not. */
  forget(): void {
    for (const known of this.#known.values()) known.listedMs = undefined;
  }

  /** Forgets a folder and those below it. */
  drop(place: Place): void {
    const path = pathOf(place);
    const known = this.#known.get(path);
    this.#unreadable.delete(path);
    this.#polled.delete(path);
    if (!known) return;
    this.#known.delete(path);
    if (known.watch !== undefined) this.events?.unwatch(known.watch, place);
    for (const name of known.folders) this.drop(within(place, name));
  }

  #open(root: Folder, place: Place): Folder | undefined {
    const path = pathOf(place);
    try {
      // One that may be listed need not be one that may be entered.
      root.look(`${place.name || "."}/.`);
      const folder = this.#openOthers(root, place);
      this.#options.log.forget(path);
      return folder;
    } catch (error) {
      this.drop(place);
      if (error instanceof Deno.errors.NotFound) return undefined;
      // No event says that it is gone, or may be looked through.
      this.#polled.set(path, place);
      return void this.#cannotRead(place, error as Error);
    }
  }

  /** @throws {Error} if it cannot be opened, or is the agent's own. */
  #openOthers(root: Folder, { name }: Place): Folder {
    const folder = root.openFolder(name || ".");
    const ownIds = this.#options.filter.ownIds();
    if (!ownIds.has(folder.identity.folderId)) return folder;
    folder[Symbol.dispose]();
    throw new Error(`it is ${IS_OWN}`);
  }

  #isTooMany(place: Place): boolean {
    const { maxFolders = MAX_FOLDERS } = this.#options;
    const path = pathOf(place);
    if (this.#known.size < maxFolders || this.#known.has(path)) return false;
    this.#options.log.warn(
      `folders of ${place.root.path}`,
      `Cannot look through all folders in "${place.root.path}": there are more than ${maxFolders}, "${path}" is one of the others; remove some`,
    );
    this.#skip(place, { kind: "pass", reason: "there are too many folders" });
    return true;
  }

  /** Listens to a folder, which may be another one than had its name before. */
  #meet(place: Place, folder: Folder): KnownFolder {
    const path = pathOf(place);
    const watch = this.events?.watch(place, folder);
    if (this.#known.get(path)?.watch !== watch) this.drop(place);
    const known = this.#known.get(path) ?? { place, folders: [], watch };
    this.#known.set(path, known);
    const isToldAll = watch !== undefined && fileSystemOf(folder).tellsEvents;
    if (isToldAll) this.#polled.delete(path);
    else this.#polled.set(path, place);
    return known;
  }

  #meetOddName(folder: Place, place: Place): void {
    const path = pathOf(folder);
    const reason = "its name is not valid UTF-8";
    const first = this.#unreadable.get(path) ?? { place, reason, count: 0 };
    this.#unreadable.set(path, { ...first, count: first.count + 1 });
    this.#options.log.warn(
      pathOf(place),
      `Cannot read "${
        pathOf(place)
      }": ${reason}; rename it to have it delivered`,
    );
    this.#skip(place, { kind: "pass", reason });
  }

  /** Finds the files in a folder, and takes note of the folders in it. */
  *#list(known: KnownFolder, folder: Folder): Generator<FoundFiles, boolean> {
    const { place } = known;
    const folders: string[] = [];
    let names: string[] = [];
    this.#unreadable.delete(pathOf(place));
    try {
      for (const entries of folder.list()) {
        for (const { name, kind, isUtf8 } of entries) {
          const inside = within(place, name);
          const objection = this.#options.filter.objection(inside.name, kind);
          if (objection !== undefined) {
            this.#skip(inside, { kind: "pass", reason: objection });
          } else if (!isUtf8) this.#meetOddName(place, inside);
          else (kind === "folder" ? folders : names).push(name);
        }
        if (names.length < SORTED) continue;
        yield* inBatches({ place, folder, names });
        names = [];
      }
    } catch (error) {
      this.#cannotRead(place, error as Error, "all of ");
      return false;
    }
    yield* inBatches({ place, folder, names });
    const gone = new Set(known.folders).difference(new Set(folders));
    for (const name of gone) this.drop(within(place, name));
    known.folders = folders.sort();
    return true;
  }

  #cannotRead(place: Place, { message: reason }: Error, what = ""): void {
    const path = pathOf(place);
    this.#unreadable.set(path, { place, reason, count: 1 });
    this.#options.log.warn(
      path,
      `Cannot look through ${what}"${path}": ${reason}`,
    );
    this.#skip(place, { kind: "later", reason });
  }

  #skip(place: Place, why: SkipReason): void {
    this.#options.onSkipped?.(pathOf(place), why);
  }
}
