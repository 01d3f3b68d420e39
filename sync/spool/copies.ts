import { delay } from "@std/async/delay";
import { newCaptureId } from "../capture/capture_id.ts";
import { CaptureFileError, CaptureReadError } from "../capture/errors.ts";
import type { HostFacts } from "../capture/metadata.ts";
import { reached } from "../host/fault_point.ts";
import { isOutOfDescriptors } from "../host/files.ts";
import { type Log, OnceLog } from "../host/log.ts";
import {
  type FileIdentity,
  isSameFile,
  type OpenedFile,
} from "../host/opened_file.ts";
import {
  hashFinished,
  opened,
  openSource,
  UnfinishedFileError,
} from "./private_copy.ts";
import { draftOf, type RecordDraft } from "./record_log.ts";
import { asNoRoom, NoRoomError, type Room } from "./room.ts";
import type { Spool, SpoolRecord } from "./spool.ts";

/** A finished file of a watched folder. */
export interface WatchedFile {
  path: string;
  /** A JSON object as text. */
  metadataJson: string;
  /** As it was when it was found to be finished. */
  identity: FileIdentity;
  /** As in {@linkcode SeenFile}. */
  isUnsure?: boolean;
  /** Opens the file of this path as it is now. */
  open: () => OpenedFile;
}

/** Options for taking over watched files. */
export interface CopyWatchedOptions {
  /**
   * The largest file that is copied, in bytes; a larger one is left where it is
   * until it is delivered.
   *
   * @default {8388608}
   */
  copyUpToBytes?: number;
}

/** The default of {@linkcode CopyWatchedOptions.copyUpToBytes}: 8 MiB. */
const COPY_UP_TO_BYTES = 8 * 1024 * 1024;

const NO_ROOM = "no room";

/** How long to wait before a file is tried again that changed while it was copied, in milliseconds. */
const PAUSES_MS = [100, 400];

/** Takes copies of files into the spool, as far as there is room. */
export class Copies {
  readonly #spool: Spool;
  readonly #room: Room;
  readonly #log: OnceLog;

  constructor(spool: Spool, room: Room, log: Log) {
    this.#spool = spool;
    this.#room = room;
    this.#log = new OnceLog(log);
  }

  /** Copies the file of a capture; one that changes meanwhile is tried again a few times. */
  async ofFinished(
    capture: RecordDraft,
    sent?: Pick<HostFacts, "sha256" | "mtimeMs">,
  ): Promise<SpoolRecord> {
    for (let tries = 0;; tries++) {
      try {
        using file = openSource(capture.filepath);
        return await this.of(capture, file, sent);
      } catch (error) {
        const pauseMs = PAUSES_MS[tries];
        const isUnfinished = error instanceof UnfinishedFileError;
        if (!isUnfinished || pauseMs === undefined) throw error;
        await delay(pauseMs);
      }
    }
  }

  /**
   * Copies an open file.
   *
   * @param sent The hash that its bytes must have, and the time that is recorded.
   */
  async of(
    capture: RecordDraft,
    file: OpenedFile,
    sent?: Pick<HostFacts, "sha256" | "mtimeMs">,
  ): Promise<SpoolRecord> {
    const { mtimeMs = file.identity.mtimeMs } = sent ?? {};
    const identity = { ...file.identity, mtimeMs };
    const { size } = identity;
    this.#room.assertInSpool(size);
    // A clone takes no room but for its record and its row.
    this.#room.assertOnDisk(0);
    const beforeCopy = () => {
      if (capture.watched) this.#room.assertForWatched(size);
      this.#room.assertOnDisk(size);
    };
    const sha256 = await this.#spool
      .addFile(capture.id, file, { beforeCopy, sha256: sent?.sha256 }).catch(
        asNoRoom,
      );
    this.#room.taken(size);
    reached("spool-file");
    return { ...capture, sha256, identity };
  }

  /**
   * Copies a watched file if it is to be copied; returns the capture to enqueue, or
   * `undefined` if it is no longer the file that was found.
   */
  async ofWatched(
    watched: WatchedFile,
    { copyUpToBytes = COPY_UP_TO_BYTES }: CopyWatchedOptions,
  ) {
    const { path: filepath, metadataJson, identity } = watched;
    const id = newCaptureId();
    const capture = draftOf({ id, filepath, metadataJson, watched: true });
    try {
      using file = opened(filepath, watched.open);
      if (!isSameFile(file.identity, identity)) return undefined;
      if (identity.size <= copyUpToBytes) {
        return await this.#copyOrHash(capture, file);
      }
    } catch (error) {
      if (error instanceof CaptureFileError) return undefined;
      if (error instanceof UnfinishedFileError) return undefined;
      const isUnreadable = error instanceof CaptureReadError &&
        !isOutOfDescriptors(error);
      if (!isUnreadable) throw error;
      // An unreadable file is queued where it is: that shows it, and holds up no other.
    }
    return { ...capture, identity, spooled: false as const };
  }

  /** Without room for a copy the hash tells a file that is only touched from another version. */
  async #copyOrHash(capture: RecordDraft, file: OpenedFile) {
    try {
      const record = await this.of(capture, file);
      this.#log.forget(NO_ROOM);
      return record;
    } catch (error) {
      if (!(error instanceof NoRoomError)) throw error;
      const { identity } = file;
      this.#log.warn(
        NO_ROOM,
        `Watched files are sent from where they are, and must stay there until then: ${error.message}`,
      );
      const sha256 = await hashFinished(file);
      return { ...capture, identity, sha256, spooled: false as const };
    }
  }
}
