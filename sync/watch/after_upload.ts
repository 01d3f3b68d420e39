import { dirname } from "@std/path";
import { metadataHash } from "../capture/metadata_hash.ts";
import type { Folder } from "../host/folder.ts";
import type { Log } from "../host/log.ts";
import { type FileIdentity, isSameVersion } from "../host/opened_file.ts";
import { readHashed } from "../host/sha256.ts";
import type { DeliveredCapture } from "../queue/queue_records.ts";
import { MoveTarget } from "./move_target.ts";
import { fileAt, readSidecar, SidecarError, sidecarOf } from "./sidecar.ts";
import type { Place, WatchedRoot } from "./watched_root.ts";

/** What becomes of a watched file once it is delivered. */
export type AfterUpload =
  | { kind: "keep" }
  | { kind: "delete" }
  | { kind: "move"; dir: string };

/** A file of a watched folder that was delivered. */
export interface DeliveredFile extends DeliveredCapture {
  path: string;
  /** As it was taken over, as far as that is known. */
  identity: FileIdentity | Pick<FileIdentity, "size" | "mtimeMs">;
}

/** Options for {@linkcode TidyUp}. */
export interface TidyUpOptions {
  /** The folders that are watched today: nothing else is touched. */
  roots: readonly WatchedRoot[];
  /** Is told the id of each capture whose file is gone. */
  onGone: (id: string) => void;
  log: Log;
}

/** How long a folder rests after a failure, in milliseconds; twice as long after each further one. */
const REST_MS = { first: 60_000, most: 3_600_000 };
/** How many files of a folder at rest are remembered; the others are found again. */
const MAX_RESTING = 1_000;

/** A folder in which something could not be tidied up. */
interface Resting {
  files: Map<string, DeliveredFile>;
  restMs: number;
  /** Until when, by a clock that never jumps. */
  until: number;
}

/**
 * Deletes or moves delivered files with their sidecars, one at a time.
 *
 * A file goes only if it is still the one that was delivered, by its identity or,
 * where it was touched since, by its content, and nobody has it open for writing.
 * A sidecar goes only if it is what was delivered as metadata. Moving overwrites
 * nothing. What fails is tried again at lengthening times and said once a folder.
 */
export class TidyUp {
  readonly #policy: AfterUpload;
  readonly #target: MoveTarget | undefined;
  readonly #options: TidyUpOptions;
  /** By the path of the folder. */
  readonly #resting = new Map<string, Resting>();
  #last = Promise.resolve();

  constructor(policy: AfterUpload, options: TidyUpOptions) {
    this.#policy = policy;
    this.#target = policy.kind === "move"
      ? new MoveTarget(policy.dir)
      : undefined;
    this.#options = options;
  }

  /** Tidies a file up after those before it; never throws. */
  tidy(file: DeliveredFile): Promise<void> {
    const place = this.#placeOf(file.path);
    if (this.#policy.kind === "keep" || !place) return Promise.resolve();
    this.#last = this.#last.then(() => this.#tidy(file, place));
    return this.#last;
  }

  /** Tries again what failed, as far as it is time to; to be called now and then. */
  async retry(): Promise<void> {
    const now = performance.now();
    for (const resting of [...this.#resting.values()]) {
      if (now < resting.until) continue;
      for (const file of [...resting.files.values()]) {
        // The others would fail as well.
        if (performance.now() < resting.until) break;
        resting.until = 0;
        await this.tidy(file);
      }
    }
  }

  async #tidy(file: DeliveredFile, place: Place): Promise<void> {
    const folder = dirname(file.path);
    const resting = this.#resting.get(folder);
    if (resting && performance.now() < resting.until) {
      if (resting.files.size < MAX_RESTING) resting.files.set(file.path, file);
      return;
    }
    try {
      using root = place.root.open();
      const isGone = root !== undefined &&
        await this.#tidyIn(root, place.name, file);
      resting?.files.delete(file.path);
      if (isGone || resting?.files.size === 0) this.#resting.delete(folder);
      if (isGone) this.#options.onGone(file.id);
    } catch (error) {
      this.#rest(file, error as Error);
    }
  }

  #rest(file: DeliveredFile, { message }: Error): void {
    const folder = dirname(file.path);
    const before = this.#resting.get(folder);
    const restMs = before
      ? Math.min(before.restMs * 2, REST_MS.most)
      : REST_MS.first;
    const files = before?.files ?? new Map<string, DeliveredFile>();
    files.set(file.path, file);
    const until = performance.now() + restMs;
    this.#resting.set(folder, { files, restMs, until });
    if (before) return;
    this.#options.log(
      "warn",
      `Cannot ${this.#policy.kind} "${file.path}", which is delivered, will try again with whatever else is in its folder: ${message}`,
    );
  }

  async #tidyIn(
    root: Folder,
    name: string,
    file: DeliveredFile,
  ): Promise<boolean> {
    const identity = await identityNow(root, name, file);
    if (!identity) return false;
    const sidecar = sidecarNow(root, name, file);
    if (this.#target) {
      return await this.#target.take(root, { name, identity, sidecar });
    }
    // The sidecar goes first: alone it would wait for its capture for ever.
    if (sidecar) root.remove(sidecarOf(name), sidecar);
    return root.remove(name, identity);
  }

  #placeOf(path: string): Place | undefined {
    for (const root of this.#options.roots) {
      const name = root.nameOf(path);
      if (name !== undefined) return { root, name };
    }
  }
}

/** A file as it is now, if it is the one that was delivered and nobody writes to it. */
async function identityNow(
  root: Folder,
  name: string,
  { identity, sha256 }: DeliveredFile,
): Promise<FileIdentity | undefined> {
  const now = fileAt(root, name);
  const isOther = now?.size !== identity.size ||
    "fileId" in identity && now.fileId !== identity.fileId;
  if (isOther) return undefined;
  using file = root.openFile(name);
  if (file.isOpenForWriting()) return undefined;
  const isSameFile = "fileId" in identity &&
    isSameVersion(file.identity, identity);
  if (isSameFile) return file.identity;
  // It was touched, or written to.
  if (sha256 === null) return undefined;
  const isSame = (await readHashed(file)).sha256 === sha256 &&
    isSameVersion(file.stat(), file.identity);
  return isSame ? file.identity : undefined;
}

/** A file's sidecar as it is now, if it is what was delivered as metadata. */
function sidecarNow(
  root: Folder,
  name: string,
  { metadataSha256 }: DeliveredFile,
): FileIdentity | undefined {
  if (metadataSha256 === null || !fileAt(root, sidecarOf(name))) {
    return undefined;
  }
  try {
    const sidecar = readSidecar(root, sidecarOf(name));
    if (!sidecar) return undefined;
    const isSame = metadataHash(sidecar.metadataJson) === metadataSha256;
    return isSame ? sidecar.identity : undefined;
  } catch (error) {
    if (error instanceof SidecarError) return undefined;
    throw error;
  }
}
