import type { Log } from "../host/log.ts";
import {
  CLOCK_TICK_MS,
  type FileIdentity,
  isSameFile,
} from "../host/opened_file.ts";
import type { AfterUpload } from "./after_upload.ts";
import type { DeliveredFile } from "./delivered_file.ts";
import { sidecarNow, sidecarOf } from "./sidecar.ts";
import { type WatchedRoot } from "./watched_root.ts";
import { fileAt, placeIn } from "./place.ts";

export interface LateSidecarsOptions {
  /** The folders that are watched today. */
  roots: readonly WatchedRoot[];
  /** The treatment of the capture itself. */
  afterUpload: AfterUpload;
  /** Whether a sidecar was reported before, and not written anew since. */
  isKnown: (path: string, sidecar: FileIdentity) => boolean;
  /** Is called with each sidecar that is reported. */
  onSaid: (path: string, sidecar: FileIdentity) => void;
  log: Log;
}

/** A capture that is taken over. */
export interface TakenFile {
  path: string;
  identity: FileIdentity;
}

/** How many names are remembered. */
const MAX_SAID = 1_000;

/**
 * Logs the sidecars that came too late to be sent with their captures, once for each
 * capture and sidecar.
 */
export class LateSidecars {
  readonly #options: LateSidecarsOptions;
  /** The pair that was reported last, by the path of the capture. */
  readonly #said = new Map<
    string,
    { file: FileIdentity; sidecar: FileIdentity }
  >();

  /** Those that were found since the last turn, by the path of the capture, and in the one before it. */
  #found = new Map<string, DeliveredFile>();
  #foundBefore = new Map<string, DeliveredFile>();

  constructor(options: LateSidecarsOptions) {
    this.#options = options;
  }

  /** Looks at the sidecar of a capture that was delivered just now. */
  delivered(file: DeliveredFile): void {
    if (this.#lateFor(file)?.isSent === false) this.#remember(file);
  }

  /** Looks at one that is beside a file that was delivered some time ago. */
  found(file: DeliveredFile, { ctimeMs }: FileIdentity): void {
    const { size, mtimeMs } = file.identity;
    // The next version, written in place, is still to be taken with this one.
    if (size !== file.size || mtimeMs !== file.mtimeMs) return;
    // Another look at it would cost too much, each time that the folder is looked through.
    if (ctimeMs + CLOCK_TICK_MS > file.sinceMs) this.#remember(file);
  }

  /** The next version may follow, from a maker who writes its sidecar first. */
  #remember(file: DeliveredFile): void {
    if (this.#found.size < MAX_SAID) this.#found.set(file.path, file);
  }

  /** Logs those that were found and are still there; to be called now and then. */
  turn(): void {
    const due = this.#foundBefore;
    this.#foundBefore = this.#found;
    this.#found = new Map();
    for (const [path, file] of due) {
      if (this.#foundBefore.has(path)) continue;
      const { identity } = file;
      const sidecar = this.#lateFor(file);
      if (!sidecar || !("fileId" in identity)) continue;
      this.missed({ path, identity }, sidecar.identity);
    }
  }

  /** The sidecar of a delivered capture, if it was not sent and no other version has come. */
  #lateFor(file: DeliveredFile): ReturnType<typeof sidecarNow> {
    const { path, identity } = file;
    const place = placeIn(this.#options.roots, path);
    if (!place || !("fileId" in identity)) return undefined;
    try {
      using root = place.root.open();
      const now = root && fileAt(root, place.name);
      if (!root || now && !isSameFile(now, identity)) return undefined;
      const sidecar = sidecarNow(root, place.name, file);
      return sidecar?.isSent ? undefined : sidecar;
    } catch {
      // It cannot be read: whoever tidies up says so.
      return undefined;
    }
  }

  /**
   * Logs that this one came too late for a capture, which may be gone since. It may be
   * met with each event: one that is recorded costs no further write.
   */
  missed({ path, identity }: TakenFile, sidecar: FileIdentity): void {
    if (this.#options.isKnown(sidecarOf(path), sidecar)) return;
    const said = this.#said.get(path);
    const isSaid = said && (isSameFile(said.sidecar, sidecar) ||
      isSameFile(said.file, identity));
    if (!isSaid) this.#warn(path);
    if (this.#said.size >= MAX_SAID) this.#said.clear();
    this.#said.set(path, { file: identity, sidecar });
    this.#options.onSaid(sidecarOf(path), sidecar);
  }

  #warn(path: string): void {
    const { afterUpload, log } = this.#options;
    const sidecar = sidecarOf(path);
    const advice = afterUpload.kind === "keep"
      ? '"jarvis-agent enqueue --metadata-file SIDECAR CAPTURE" sends both anew'
      : `it stays, and its capture is ${
        afterUpload.kind === "move" ? `in "${afterUpload.dir}"` : "deleted here"
      }; "jarvis-agent show CAPTURE" tells what the server calls that`;
    log(
      "warn",
      `"${sidecar}" came or changed when its capture had been taken, and was not sent: ${advice}; have such ones written before their captures, or within --settle after them; files that are renamed into the folder wait for theirs from now on`,
    );
  }
}
