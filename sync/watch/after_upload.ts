import { dirname } from "@std/path";
import type { Folder } from "../host/folder.ts";
import type { Log } from "../host/log.ts";
import type { FileIdentity } from "../host/opened_file.ts";
import { type DeliveredFile, identityNow } from "./delivered_file.ts";
import type { FolderState } from "./folder_state.ts";
import { type FileToMove, MoveTarget } from "./move_target.ts";
import { fileAt, lookAt, type Place, placeIn } from "./place.ts";
import { sidecarNow, sidecarOf } from "./sidecar.ts";
import type { WatchedRoot } from "./watched_root.ts";

/** The treatment of a watched file once it is delivered. */
export type AfterUpload =
  | { kind: "keep" }
  | { kind: "delete" }
  | { kind: "move"; dir: string };

export interface TidyUpOptions {
  /** The folders that are watched today: nothing else is touched. */
  roots: readonly WatchedRoot[];
  /** Is called with each delivered file that is gone, by this name or for good. */
  onGone: (file: DeliveredFile, options: { hasOtherNames: boolean }) => void;
  /** Returns the id of a capture that still needs the file that is at a path, if there is one. */
  neededBy: (
    path: string,
    file: FileIdentity | undefined,
  ) => string | undefined;
  /** Whether another disk may be at a place than was there at the start. @default {none is} */
  hasChanged?: ((place: Place) => boolean) | undefined;
  log: Log;
  /** A clock that never jumps, in milliseconds. @default {performance.now} */
  now?: () => number;
}

/** The wait until a folder's failures are tried again, in milliseconds; doubled each further time. */
const RETRY_MS = { first: 60_000, most: 3_600_000 };
/** With so many failures the folder itself is to blame: nothing else in it is tried meanwhile. */
const MANY = 10;
/** How often a file is looked at that changes meanwhile. */
const MAX_TRIES = 5;
/** How many files of a folder are remembered, and how many that are needed; the others are found again. */
const MAX_REMEMBERED = 1_000;

/** The files of a folder that could not be tidied up. */
interface Failed {
  /** By path. */
  files: Map<string, DeliveredFile>;
  /** The reason why the first one failed. */
  reason: string;
  waitMs: number;
  /** When it is tried again, by a clock that never jumps. */
  at: number;
}

/**
 * Deletes or moves delivered files with their sidecars, one at a time.
 *
 * A file goes only if it is still the one that was delivered, by its identity or,
 * where it was touched since, by its content, and nobody has it open for writing. A
 * sidecar goes only if it is the metadata that was delivered. Moving overwrites
 * nothing. Failures are tried again at lengthening times and logged once a folder. A
 * file that another capture still needs stays until that has gone.
 */
export class TidyUp {
  readonly #policy: AfterUpload;
  readonly #target: MoveTarget | undefined;
  readonly #options: TidyUpOptions;
  readonly #now: () => number;
  /** By the path of the folder. */
  readonly #failed = new Map<string, Failed>();
  /** The files that other captures need, by path. */
  readonly #needed = new Map<string, DeliveredFile>();
  #neededAt = 0;
  #last = Promise.resolve();

  constructor(policy: AfterUpload, options: TidyUpOptions) {
    this.#policy = policy;
    this.#target = policy.kind === "move"
      ? new MoveTarget(policy.dir)
      : undefined;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Tidies a file up after those before it; never throws. */
  async tidy(file: DeliveredFile): Promise<void> {
    const failed = this.#failed.get(dirname(file.path));
    const mustWait = failed && this.#now() < failed.at &&
      (failed.files.has(file.path) || failed.files.size >= MANY);
    if (!mustWait) await this.#tidyNext(file);
    else if (failed.files.size < MAX_REMEMBERED) {
      failed.files.set(file.path, file);
    }
  }

  /** How many delivered files in a watched folder could not be deleted or moved. */
  remaining(
    root: WatchedRoot,
  ): Pick<FolderState, "remaining" | "firstRemaining"> {
    let remaining = 0;
    let firstRemaining: FolderState["firstRemaining"] = null;
    for (const { files, reason } of this.#failed.values()) {
      const [path] = files.keys();
      if (path === undefined || root.nameOf(path) === undefined) continue;
      remaining += files.size;
      firstRemaining ??= { path, reason };
    }
    return { remaining, firstRemaining };
  }

  /** Makes the next {@linkcode retry} look at the files that other captures needed. */
  released(): void {
    this.#neededAt = 0;
  }

  /** Tries the failed files again whose time has come; to be called now and then. */
  async retry(): Promise<void> {
    await this.#retryNeeded();
    for (const failed of [...this.#failed.values()]) {
      if (this.#now() < failed.at) continue;
      failed.waitMs = Math.min(failed.waitMs * 2, RETRY_MS.most);
      failed.at = this.#now() + failed.waitMs;
      let failures = 0;
      for (const file of [...failed.files.values()]) {
        failed.files.delete(file.path);
        await this.#tidyNext(file);
        if (failed.files.has(file.path)) failures++;
        if (failures === MANY) break;
      }
    }
  }

  async #retryNeeded(): Promise<void> {
    if (this.#now() < this.#neededAt) return;
    this.#neededAt = this.#now() + RETRY_MS.first;
    for (const file of [...this.#needed.values()]) await this.#tidyNext(file);
  }

  #tidyNext(file: DeliveredFile): Promise<void> {
    const place = placeIn(this.#options.roots, file.path);
    if (this.#policy.kind === "keep" || !place) return Promise.resolve();
    this.#last = this.#last.then(() => this.#tidy(file, place));
    return this.#last;
  }

  async #tidy(file: DeliveredFile, place: Place): Promise<void> {
    const folder = dirname(file.path);
    try {
      using root = place.root.open();
      let tries = 0;
      // A name of it that comes or goes meanwhile changes the file.
      while (root && !await this.#tidyIn(root, place, file)) {
        if (++tries === MAX_TRIES) {
          throw new Error("it is changed all the time");
        }
      }
      if (this.#failed.get(folder)?.files.size === 0) {
        this.#failed.delete(folder);
      }
    } catch (error) {
      this.#fail(folder, file, error as Error);
    }
  }

  #fail(folder: string, file: DeliveredFile, { message: reason }: Error): void {
    const failed = this.#failed.get(folder);
    if (failed) return void failed.files.set(file.path, file);
    this.#failed.set(folder, {
      files: new Map([[file.path, file]]),
      reason,
      waitMs: RETRY_MS.first,
      at: this.#now() + RETRY_MS.first,
    });
    this.#options.log(
      "warn",
      `Cannot ${this.#policy.kind} "${file.path}", which is delivered, will try again with whatever else fails in its folder: ${reason}`,
    );
  }

  /** Returns whether nothing is left to do at once: not if the file changed meanwhile. */
  async #tidyIn(
    root: Folder,
    place: Place,
    file: DeliveredFile,
  ): Promise<boolean> {
    const { name } = place;
    if (this.#isNeeded(root, name, file)) return true;
    const found = sidecarNow(root, name, file);
    const sidecar = found?.isSent ? found.identity : undefined;
    // The metadata of this name were never sent.
    const isUnsent = !sidecar && lookAt(root, sidecarOf(name)) !== undefined;
    if (file.isOtherName && isUnsent) return true;
    if (sidecar && !root.look(name)) {
      // Whoever took the capture away left it; it would go with the next of that name.
      const alone = { name: sidecarOf(name), identity: sidecar };
      await this.#take(root, { ...alone, sidecar: undefined });
      return true;
    }
    const isUnsure = this.#options.hasChanged?.(place) ?? false;
    const identity = await identityNow(root, name, file, { isUnsure });
    if (!identity) return true;
    const isAnew = identity.mtimeMs !== file.identity.mtimeMs;
    // With other metadata it is another capture, though its content is the same.
    if (isAnew && isUnsent) return true;
    const hasOtherNames = identity.links > 1;
    const isGone = await this.#take(root, { name, identity, sidecar });
    if (isGone) this.#options.onGone(file, { hasOtherNames });
    return isGone;
  }

  /** Whether another capture is still to be sent from this file, or from its sidecar. */
  #isNeeded(root: Folder, name: string, file: DeliveredFile): boolean {
    const { path } = file;
    const wasNeeded = this.#needed.delete(path);
    const neededBy = (path: string, name: string) =>
      this.#options.neededBy(path, fileAt(root, name));
    const id = neededBy(path, name) ??
      neededBy(sidecarOf(path), sidecarOf(name));
    if (id === undefined) return false;
    if (this.#needed.size >= MAX_REMEMBERED) return true;
    this.#needed.set(path, file);
    if (!wasNeeded) {
      this.#options.log(
        "info",
        `Cannot ${this.#policy.kind} "${path}" yet, which is delivered: the capture "${id}" has no copy of it and still needs it, until it is delivered or removed`,
      );
    }
    return true;
  }

  async #take(root: Folder, file: FileToMove): Promise<boolean> {
    if (this.#target) return await this.#target.take(root, file);
    // The sidecar goes first: alone it would wait for its capture for ever.
    if (file.sidecar) root.remove(sidecarOf(file.name), file.sidecar);
    return root.remove(file.name, file.identity);
  }
}
