import { setImmediate } from "node:timers";
import { extname } from "@std/path";
import { CaptureFileError } from "../capture/errors.ts";
import { messageOf } from "../host/message_of.ts";
import { type FileIdentity, isSameVersion } from "../host/opened_file.ts";
import { readHashed } from "../host/sha256.ts";
import type { SeenFile, WatchedState } from "../queue/queue.ts";
import type { WatchedFile } from "../spool/copies.ts";
import { type CaptureFilter, IS_OWN } from "./capture_filter.ts";
import { fileSystemOf } from "./file_system.ts";
import type { Candidate } from "./candidate.ts";
import { FinishedFiles } from "./finished_files.ts";
import {
  Finishing,
  type FinishingOptions,
  UNREADABLE_MS,
} from "./finishing.ts";
import type { FoundFiles } from "./found_files.ts";
import type { MountChanges } from "./mount_changes.ts";
import { captureOf, sidecarOf } from "./sidecar.ts";
import type { HeldFile } from "./stability.ts";
import { SidecarOwners } from "./sidecar_owners.ts";
import { fileAt, pathOf, type Place, within } from "./place.ts";
import type { SkipReason, Taker } from "./watcher_options.ts";

/** How many files in doubt are collected. */
const MAX_DOUBTFUL = 500;

type Options = Taker & Omit<FinishingOptions, "owners"> & {
  /** @default {none has changed} */
  mounts?: Pick<MountChanges, "isUnsure">;
};

/** Finds the files that are new and finished, and hands them over. */
export class Candidates {
  readonly #options: Options;
  readonly #finishing: Finishing;
  readonly #finished: FinishedFiles;
  readonly #owners = new SidecarOwners();
  #doubtful: (WatchedFile & { place: Place })[] = [];

  /** For how long others were waited for, in milliseconds. */
  waitedMs = 0;

  constructor(options: Options) {
    this.#options = options;
    this.#finishing = new Finishing({ ...options, owners: this.#owners });
    this.#finished = new FinishedFiles(options);
  }

  /**
   * Considers files in an open folder. Those that are not finished yet are
   * remembered by `stability`.
   *
   * @param renamed Those that were renamed into place, of files that events name.
   */
  async consider(found: FoundFiles, renamed?: Set<string>): Promise<void> {
    const candidates = this.#candidatesIn(found, renamed);
    for (const candidate of candidates) await this.#takeReplaced(candidate);
    let states = this.#options.known(candidates);
    for (const [n, candidate] of candidates.entries()) {
      const state = states[n];
      if (state !== undefined && state !== "in doubt") {
        this.#options.stability.forget(candidate.place);
        this.#finishing.learn(candidate);
        await this.#pass(candidate, state);
        continue;
      }
      const isNew = state === undefined;
      const file = this.#finishing.finish(candidate, { isNew });
      if (typeof file === "string") {
        this.#skip(candidate, { kind: "later", reason: file });
        continue;
      }
      if (isNew) this.#finished.add(file);
      else this.#doubtful.push({ ...file, place: candidate.place });
      const isFull = this.#finished.isFull ||
        this.#doubtful.length >= MAX_DOUBTFUL;
      if (!isFull) continue;
      await this.#handOver();
      states = this.#options.known(candidates);
    }
    // Uploads and events go on in the midst of many files.
    await this.#waitFor(new Promise<void>((resolve) => setImmediate(resolve)));
  }

  /**
   * Hands over the finished files.
   *
   * @returns whether no file had changed since it was found.
   * @throws {Error} if some files could not be taken over since the last time.
   */
  async flush(): Promise<boolean> {
    await this.#handOver();
    return this.#finished.takeResult();
  }

  async #handOver(): Promise<void> {
    await this.#decideDoubts();
    await this.#waitFor(this.#finished.flush());
  }

  /** Looks at files, and leaves those out that are no captures. */
  #candidatesIn(
    { place: parent, folder, names }: FoundFiles,
    renamed?: Set<string>,
  ): Candidate[] {
    const { filter, stability, log, mounts } = this.#options;
    const fileSystem = fileSystemOf(folder);
    const ownIds = filter.ownIds();
    return names.flatMap((name) => {
      const place = within(parent, name);
      const path = pathOf(place);
      const identity = fileAt(folder, name);
      const isRenamed = renamed?.has(name) ?? false;
      const isNamed = renamed !== undefined;
      if (identity) {
        const file = { path, identity, place, folder, name };
        const reason = ownIds.has(identity.fileId)
          ? IS_OWN
          : this.#isSidecar(file)
          ? `the metadata of "${captureOf(name)}"`
          : filter.objection(place.name, "file") ??
            filter.sizeObjection(identity.size);
        if (reason === undefined) {
          const hasMetadata = () =>
            fileAt(folder, sidecarOf(name)) !== undefined;
          const isUnsure = mounts?.isUnsure(place) ?? false;
          const how = { isUnsure, isRenamed, isNamed };
          return [{ ...file, hasMetadata, fileSystem, ...how }];
        }
        if (reason === IS_OWN) {
          const advice = "remove it from the watched folder";
          log.warn(path, `"${path}" is ${IS_OWN}, and not sent: ${advice}`);
        }
        this.#skip(file, { kind: "pass", reason });
      }
      stability.forget(place);
      return [];
    });
  }

  /** Whether a file is the metadata of a capture that is there, or was taken over without it. */
  #isSidecar(
    file: Pick<Candidate, "path" | "identity" | "place" | "folder" | "name">,
  ): boolean {
    const { filter, stability } = this.#options;
    const { onSidecar, onLateSidecar, isLateSidecar } = this.#options;
    const capture = captureFor(file, filter);
    if (!capture) return false;
    const { path, place, identity } = capture;
    if (identity || extname(path) !== "") place.root.usesSidecars = true;
    const late = this.#owners.lateFor(capture, file.identity);
    if (late) onLateSidecar?.({ path, identity: late }, file.identity);
    else stability.again(place, 0);
    if (identity) onSidecar?.({ path, identity }, file.identity);
    return identity !== undefined || late !== undefined ||
      isLateSidecar?.(file.path, file.identity) === true;
  }

  /** Takes over the version that has waited for its sidecar until this one took its name. */
  async #takeReplaced(candidate: Candidate): Promise<void> {
    const { place, identity } = candidate;
    const held = this.#options.stability.takeReplaced(place, identity);
    if (!held) return;
    using _file = held.file;
    if (this.#wasTaken(candidate, held)) return;
    const file = this.#finishing.finishReplaced(candidate, held);
    if (!file) return;
    this.#finished.add(file);
    await this.#handOver();
  }

  /** Whether a file that was held is one that was renamed after it was taken over. */
  #wasTaken({ path }: Candidate, { file, metadataJson }: HeldFile): boolean {
    const { known, wasTaken } = this.#options;
    const seen = { path, identity: file.stat(), metadataJson };
    // With other metadata it is a capture of its own.
    return known([seen])[0] !== undefined && wasTaken?.(seen) === true;
  }

  /** Nothing has to be done with a file that is known, but it may have to go. */
  async #pass(file: SeenFile, state: WatchedState): Promise<void> {
    this.#skip(file, { kind: "pass", reason: `${state} before` });
    const { onDelivered } = this.#options;
    if (state !== "delivered" || !onDelivered) return;
    await this.#waitFor(Promise.resolve(onDelivered(file)));
  }

  /** The state of a file that was known, but not as it is now. */
  async #byContent(file: WatchedFile): Promise<WatchedState | undefined> {
    using opened = file.open();
    const { sha256 } = await this.#waitFor(readHashed(opened));
    const isSame = isSameVersion(opened.stat(), file.identity);
    return isSame ? this.#options.knownContent(file, sha256) : undefined;
  }

  /** Decides about files of which more than their identity has to be known. */
  async #decideDoubts(): Promise<void> {
    for (const file of this.#doubtful.splice(0)) {
      try {
        // With its metadata it may be none any more.
        const [now] = this.#options.known([file]);
        const state = now === "in doubt" ? await this.#byContent(file) : now;
        if (state) await this.#pass(file, state);
        else this.#finished.add(file);
      } catch (error) {
        const reason = messageOf(error);
        this.#skip(file, { kind: "later", reason });
        // One that is another by now is told of again.
        if (error instanceof CaptureFileError) continue;
        const { stability, log } = this.#options;
        stability.cannotRead(file.place, reason, UNREADABLE_MS);
        log.warn(
          file.path,
          `Cannot read "${file.path}", will try again: ${reason}`,
        );
      }
    }
  }

  #skip({ path }: { path: string }, why: SkipReason): void {
    this.#options.onSkipped?.(path, why);
  }

  async #waitFor<T>(work: Promise<T>): Promise<T> {
    const begunAt = performance.now();
    return await work.finally(() => {
      this.waitedMs += performance.now() - begunAt;
    });
  }
}

/** The capture whose metadata a file may be, and whether that is there. */
function captureFor(
  { place: { root, name: sidecar }, folder, name }: Pick<
    Candidate,
    "place" | "folder" | "name"
  >,
  filter: CaptureFilter,
): { path: string; place: Place; identity?: FileIdentity } | undefined {
  const capture = captureOf(name);
  if (capture === undefined) return undefined;
  const place = { root, name: captureOf(sidecar)! };
  if (filter.objection(place.name, "file") !== undefined) return undefined;
  const identity = fileAt(folder, capture);
  const found = { path: pathOf(place), place };
  if (identity) return { ...found, identity };
  return filter.takesJson(sidecar) ? undefined : found;
}
