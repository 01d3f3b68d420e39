import { dirname, extname } from "@std/path";
import { setImmediate } from "node:timers";
import { CaptureFileError } from "../capture/errors.ts";
import type { Folder } from "../host/folder.ts";
import type { OnceLog } from "../host/log.ts";
import {
  type FileIdentity,
  isSameVersion,
  NotRegularFileError,
  type OpenedFile,
} from "../host/opened_file.ts";
import { readHashed } from "../host/sha256.ts";
import type { WatchedState } from "../queue/queue.ts";
import type { CaptureFilter } from "./capture_filter.ts";
import { type FileSystem, fileSystemOf } from "./file_system.ts";
import type { WatchedFile } from "../spool/intake.ts";
import { FinishedFiles, type SeenFile } from "./finished_files.ts";
import type { FoundFiles } from "./folder_tree.ts";
import {
  captureOf,
  fileAt,
  readSidecar,
  SidecarError,
  sidecarOf,
} from "./sidecar.ts";
import type { Stability } from "./stability.ts";
import { pathOf, type Place, within } from "./watched_root.ts";

/** Who knows files, and takes finished ones over. */
export interface Taker {
  /** Tells of each whether it was taken over before, or could have been. */
  known: (files: SeenFile[]) => (WatchedState | "in doubt" | undefined)[];
  /** Tells of a file in doubt whether it was taken over with this content. */
  knownContent: (file: SeenFile, sha256: string) => WatchedState | undefined;
  /** Takes files over, or throws: some of them may be known then all the same. */
  onFinished: (files: WatchedFile[]) => Promise<void>;
  /** Is told of each file that was delivered and is still there, and waited for. */
  onDelivered?: (file: SeenFile) => void | Promise<void>;
}

/** Options for {@linkcode Candidates}. */
export interface CandidatesOptions extends Taker {
  filter: CaptureFilter;
  stability: Stability;
  log: OnceLog;
  /** By default as the file system needs it. */
  settleMs: number | undefined;
  aloneMs: number;
}

/** A file that may be a capture, in an open folder. */
interface Candidate extends SeenFile {
  place: Place;
  folder: Folder;
  /** Relative to the open folder. */
  name: string;
  fileSystem: FileSystem;
  isRenamed: boolean;
  isDoubtful: boolean;
}

const SETTLE_MS = 2_000;
/** Where who writes cannot be known. */
const BLIND_SETTLE_MS = 10_000;
/** How far the clock of another host may be off that stamps the files. */
const CLOCKS_APART_MS = 60_000;
/** How long to wait after a file could not be read. */
const UNREADABLE_MS = 30_000;
/** How many files in doubt are collected. */
const MAX_DOUBTFUL = 500;

/** Finds the files that are new and finished, and hands them over. */
export class Candidates {
  readonly #options: CandidatesOptions;
  readonly #finished: FinishedFiles;
  #doubtful: Candidate[] = [];

  /** For how long others were waited for, in milliseconds. */
  waitedMs = 0;

  constructor(options: CandidatesOptions) {
    this.#options = options;
    this.#finished = new FinishedFiles(options.onFinished, (file) => {
      const [state] = options.known([file]);
      return state !== undefined && state !== "in doubt";
    });
  }

  /**
   * Considers files in an open folder. Those that are not finished yet are
   * remembered by `stability`.
   *
   * @param renamed Those that were renamed into place.
   */
  async consider(
    { place, folder, names }: FoundFiles,
    renamed: Set<string> = new Set(),
  ): Promise<void> {
    const fileSystem = fileSystemOf(folder);
    const candidates = names.flatMap((name): Candidate[] => {
      const at = { place: within(place, name), folder, name };
      const identity = this.#see(at);
      if (!identity) return [];
      const flags = { isRenamed: renamed.has(name), isDoubtful: false };
      return [{
        ...at,
        path: pathOf(at.place),
        identity,
        fileSystem,
        ...flags,
      }];
    });
    const states = this.#options.known(candidates);
    for (const [n, candidate] of candidates.entries()) {
      const state = states[n];
      candidate.isDoubtful = state === "in doubt";
      if (state === undefined || state === "in doubt") this.#wait(candidate);
      else await this.#pass(candidate, state);
    }
    // Not in between: what is handed over would have to be asked for again.
    if (this.#finished.isFull) await this.#waitFor(this.#finished.flush());
    if (this.#doubtful.length >= MAX_DOUBTFUL) await this.#decideDoubts();
    // Uploads and events go on in the midst of many files.
    await this.#waitFor(new Promise<void>((resolve) => setImmediate(resolve)));
  }

  /**
   * Hands over what was found to be finished.
   *
   * @throws {Error} if some files could not be taken over since the last time.
   */
  async flush(): Promise<void> {
    await this.#waitFor(this.#finished.flush());
    await this.#decideDoubts();
    await this.#waitFor(this.#finished.flush());
    this.#finished.throwFailure();
  }

  async #waitFor<T>(work: Promise<T>): Promise<T> {
    const begunAt = performance.now();
    return await work.finally(() => {
      this.waitedMs += performance.now() - begunAt;
    });
  }

  /** Looks at a file; `undefined` if it is no capture. */
  #see(
    at: Pick<Candidate, "place" | "folder" | "name">,
  ): FileIdentity | undefined {
    const { filter, stability } = this.#options;
    const identity = fileAt(at.folder, at.name);
    const isCapture = identity !== undefined &&
      filter.objection(at.place.name, "file") === undefined &&
      filter.sizeObjection(identity.size) === undefined &&
      !isSidecar(at, filter);
    if (!isCapture) stability.forget(at.place);
    return isCapture ? identity : undefined;
  }

  /** Nothing has to be done with a file that is known, except that it may have to go. */
  async #pass(candidate: Candidate, state: WatchedState): Promise<void> {
    const { stability, onDelivered } = this.#options;
    stability.forget(candidate.place);
    if (state !== "delivered" || !onDelivered) return;
    await this.#waitFor(Promise.resolve(onDelivered(candidate)));
  }

  /** Takes a new file up if it has been as it is for long enough. */
  #wait(candidate: Candidate): void {
    const { place, folder, name, identity, isRenamed } = candidate;
    const { stability, filter, log, aloneMs } = this.#options;
    const sidecar = fileAt(folder, sidecarOf(name));
    const files = sidecar ? [identity, sidecar] : [identity];
    const alone = filter.takesJson(place.name) ? undefined : captureOf(name);
    const { waitMs, trustMs } = this.#patience(candidate.fileSystem);
    const atLeastMs = alone === undefined ? 0 : aloneMs;
    const isStable = stability.isStable(place, files, {
      unproven: isRenamed && alone === undefined ? files.slice(1) : files,
      waitMs: Math.max(waitMs, atLeastMs),
      trustMs: Math.max(trustMs, atLeastMs),
    });
    if (!isStable) return;
    if (alone !== undefined && extname(alone) !== "") {
      stability.forget(place);
      return log.warn(
        `alone in ${dirname(candidate.path)}`,
        `"${candidate.path}" waits for its capture "${alone}", as others in its folder may; --include "*.json" makes JSON files captures`,
      );
    }
    this.#finish(candidate, waitMs);
  }

  /** How long files on a file system must stay as they are, and when their own times say so. */
  #patience(
    { tellsWriters }: FileSystem,
  ): { waitMs: number; trustMs: number } {
    const { settleMs } = this.#options;
    if (tellsWriters) {
      const waitMs = settleMs ?? SETTLE_MS;
      return { waitMs, trustMs: waitMs };
    }
    const waitMs = settleMs ?? BLIND_SETTLE_MS;
    return { waitMs, trustMs: waitMs + CLOCKS_APART_MS };
  }

  /** Collects a file, unless somebody is writing to it. */
  #finish(candidate: Candidate, waitMs: number): void {
    const { folder, name, place, identity, isRenamed } = candidate;
    const { stability } = this.#options;
    try {
      using file = folder.openFile(name);
      const isWritten = candidate.fileSystem.tellsWriters
        ? file.isOpenForWriting()
        : undefined;
      if (
        isWritten || isWritten === undefined && isRenamed ||
        !isSameVersion(file.identity, identity)
      ) return stability.again(place, waitMs);
      if (!candidate.isDoubtful) return this.#collect(candidate, waitMs);
      stability.forget(place);
      this.#doubtful.push(candidate);
    } catch (error) {
      this.#sayUnreadable(candidate, error as Error);
    }
  }

  /** Lets the content decide about files that were known, but not as they are now. */
  async #decideDoubts(): Promise<void> {
    for (const candidate of this.#doubtful.splice(0)) {
      const { root, name } = candidate.place;
      using folder = root.open();
      if (!folder) continue;
      try {
        using file = folder.openFile(name);
        const { sha256 } = await this.#waitFor(readHashed(file));
        const isSame = isSameVersion(file.stat(), candidate.identity);
        const state = isSame
          ? this.#options.knownContent(candidate, sha256)
          : undefined;
        if (state) await this.#pass(candidate, state);
        else this.#collect({ ...candidate, folder, name }, 0);
      } catch (error) {
        this.#sayUnreadable(candidate, error as Error);
      }
    }
  }

  #collect(candidate: Candidate, waitMs: number): void {
    const { path, identity, place } = candidate;
    const metadataJson = this.#metadataOf(candidate);
    if (metadataJson === undefined) {
      return this.#options.stability.again(place, waitMs);
    }
    this.#options.stability.forget(place);
    const open = () => openSame(place, identity);
    this.#finished.add({ path, identity, metadataJson, open });
  }

  /** Reads the metadata of a file; `undefined` while somebody writes it. */
  #metadataOf({ folder, name, path }: Candidate): string | undefined {
    if (!fileAt(folder, sidecarOf(name))) return "{}";
    try {
      return readSidecar(folder, sidecarOf(name))?.metadataJson;
    } catch (error) {
      if (!(error instanceof SidecarError)) throw error;
      this.#options.log.warn(
        sidecarOf(path),
        `Cannot use "${
          sidecarOf(path)
        }", the capture goes without it: ${error.message}`,
      );
      return "{}";
    }
  }

  #sayUnreadable({ place, path }: Candidate, error: Error): void {
    const { stability, log } = this.#options;
    const isGone = error instanceof Deno.errors.NotFound ||
      error instanceof NotRegularFileError ||
      (error as { code?: string }).code === "ELOOP";
    if (isGone) return stability.forget(place);
    stability.again(place, UNREADABLE_MS);
    log.warn(
      `unreadable in ${dirname(path)}`,
      `Cannot read "${path}" or its metadata, will try again: ${error.message}`,
    );
  }
}

function openSame({ root, name }: Place, identity: FileIdentity): OpenedFile {
  const file = root.openFile(name);
  if (isSameVersion(file.identity, identity)) return file;
  file[Symbol.dispose]();
  throw new CaptureFileError(
    `Cannot take "${file.path}": it changed meanwhile, expected a finished file`,
  );
}

/** Whether a file is the metadata of a capture that is there. */
function isSidecar(
  { place, folder, name }: Pick<Candidate, "place" | "folder" | "name">,
  filter: CaptureFilter,
): boolean {
  const capture = captureOf(name);
  return capture !== undefined && fileAt(folder, capture) !== undefined &&
    filter.objection(captureOf(place.name)!, "file") === undefined;
}
