/**
 * The order of the steps that touch the disk when a capture is handed over, and when
 * one leaves. The effects of a crash after each are in `docs/design.md`, "The order
 * of fsyncs": nothing is lost, or stored twice.
 *
 * 1. `spool-file`      a private copy of the bytes is in the spool, and fsynced
 * 2. `spool-record`    the record is in the log, and its directory's names are, fsynced
 * 3. `row`             the row is committed with `synchronous=FULL`: now it is kept
 * 4. `answered`        the server has answered 2xx
 * 5. `completed`       the row is moved to the ledger, committed
 * 6. `spool-removed`   the bytes are gone; then a watched original is deleted or moved
 * 7. `row-removed`     on request: the rows are deleted, committed
 * 8. `bytes-removed`   on request: the bytes are unlinked; their directories are fsynced
 *
 * A file that is given away is moved into the spool: then 2 comes before 1, so that at
 * no time there is no trace of it. If it is copied, it loses its name between 2 and 3.
 *
 * @module
 */

import { resolve, SEPARATOR } from "@std/path";
import { newCaptureId } from "../capture/capture_id.ts";
import { CaptureFileError } from "../capture/errors.ts";
import { checkMetadata, type HostFacts } from "../capture/metadata.ts";
import { reached } from "../host/fault_point.ts";
import type { Log } from "../host/log.ts";
import { tryTo } from "../host/try_to.ts";
import type { Completion, NewCapture, UploadQueue } from "../queue/queue.ts";
import { Copies, type CopyWatchedOptions, type WatchedFile } from "./copies.ts";
import { moveIn, openGiven, Original } from "./move_in.ts";
import { hashFinished, openSource } from "./private_copy.ts";
import { draftOf, type RecordDraft } from "./record_log.ts";
import { asNoRoom, Room, type RoomOptions } from "./room.ts";
import type { Spool, SpoolRecord } from "./spool.ts";

/** Options for {@linkcode Intake}. */
export interface IntakeOptions extends RoomOptions {
  /** Takes warnings for a person. @default {nothing is logged} */
  log?: Log;
}

/** Options for {@linkcode Intake.add}. */
export interface AddOptions {
  /**
   * The treatment of the file: `copy` leaves it, and it may change afterwards; `move`
   * takes it away; with `reference` it must stay where it is, unchanged, until it is
   * delivered.
   *
   * @default {"copy"}
   */
  mode?: "copy" | "move" | "reference";
  /** @default {a new UUID, greater than those before} */
  id?: string;
  /**
   * What the server was told under this id before, of bytes that the copy must have,
   * and is told again.
   */
  sent?: HostFacts | undefined;
  /** The outcome of an attempt under this id, made before the file was copied. */
  tried?: Completion | undefined;
}

/** Takes captures over: one for which it returned an id is kept. */
export class Intake {
  readonly #queue: UploadQueue;
  readonly #spool: Spool;
  readonly #room: Room;
  readonly #copies: Copies;
  readonly #log: Log;

  constructor(queue: UploadQueue, spool: Spool, options: IntakeOptions = {}) {
    this.#queue = queue;
    this.#spool = spool;
    this.#room = new Room(queue, spool, options);
    this.#log = options.log ?? (() => {});
    this.#copies = new Copies(spool, this.#room, this.#log);
  }

  /**
   * Takes a file over and returns the capture's id: exactly the bytes that it has
   * now are kept then, unless the mode is `reference`.
   *
   * @param metadataJson A JSON object as text.
   * @throws {CaptureFileError} if the file is not there, or is no regular file.
   * @throws {CaptureReadError} if it cannot be read, or is still being written to.
   * @throws {TypeError | RangeError} if the metadata cannot be used.
   * @throws {NoRoomError} if the spool or its disk is too full. After any error
   * nothing was done, unless its message names the capture.
   */
  async add(
    path: string,
    metadataJson: string,
    options: AddOptions = {},
  ): Promise<string> {
    const { id = newCaptureId(), mode = "copy" } = options;
    const { sent } = options;
    // Made absolute, it would name a file that is there.
    if ([SEPARATOR, "/", "/."].some((end) => path.endsWith(end))) {
      throw new CaptureFileError(
        `Cannot take "${path}": it ends as the path of a folder does, expected a file`,
      );
    }
    const capture = draftOf({
      id,
      filepath: resolve(path),
      metadataJson: checkMetadata(metadataJson),
      hostname: sent?.hostname,
      watched: false,
    });
    this.#spool.occupants.enter();
    switch (mode) {
      case "copy":
        this.#commit([await this.#copies.ofFinished(capture, sent)], options);
        break;
      case "move":
        await this.#move(capture);
        break;
      case "reference":
        await this.#reference(capture);
    }
    return id;
  }

  /**
   * Takes finished files of a watched folder over: as copies, or where they are, if
   * they are large or there is no room for copies.
   *
   * @returns Those that were not taken: they are gone, or others by now.
   * @throws {NoRoomError} if there is no room for their rows: then none is taken over.
   * @throws {UnreachableError} if queue or spool cannot be reached now: likewise.
   */
  async addWatched(
    files: WatchedFile[],
    options: CopyWatchedOptions = {},
  ): Promise<WatchedFile[]> {
    this.#spool.assertReachable();
    this.#spool.occupants.enter();
    const taken: IntakeEntry[] = [];
    const left: WatchedFile[] = [];
    try {
      for (const file of files) {
        const one = await this.#copies.ofWatched(file, options);
        if (one) taken.push(one);
        else left.push(file);
      }
    } finally {
      // Copies already made must get their rows, or each further attempt would add
      // them to the spool again.
      this.#commit(taken);
    }
    return left;
  }

  /** Removes captures with their copies, undelivered, and returns the ids of those it found. */
  remove(ids: string[]): string[] {
    const spooled = ids.filter((id) =>
      this.#spool.canHold(id) && this.#queue.get(id)?.spooled
    );
    this.#spool.occupants.enter();
    const removed = this.#queue.remove(ids);
    reached("row-removed");
    this.#spool.remove(spooled);
    reached("bytes-removed");
    // An agent that starts just now may have taken them up again in between.
    if (spooled.length > 0) this.#queue.remove(spooled);
    return removed;
  }

  async #reference(capture: RecordDraft): Promise<void> {
    using file = openSource(capture.filepath);
    // Not by a link, which may lead elsewhere later.
    const filepath = Deno.realPathSync(capture.filepath);
    const { identity } = file;
    // Who writes to it can set its time back: only its content tells.
    const sha256 = await hashFinished(file);
    this.#commit([{ ...capture, filepath, identity, sha256, spooled: false }]);
  }

  async #move(capture: RecordDraft): Promise<void> {
    using given = openGiven(capture.filepath);
    this.#room.assertInSpool(given.file.identity.size);
    this.#room.assertOnDisk(0);
    const isMoved = given.isPrivate && await moveIn(this.#spool, given, {
      capture,
      enqueue: (record) => this.#enqueue([record]),
      isQueued: (id) => this.#isQueued(id),
    }).catch(asNoRoom);
    if (isMoved) return;
    const copy = await this.#copies.of(capture, given.file);
    const original = new Original(given, capture.id);
    try {
      this.#commit([copy], { beforeRow: () => original.hide() });
    } catch (error) {
      throw original.putBack(error);
    }
    original.remove();
  }

  /** Queues captures, all or none; those with a copy in the spool get their records first. */
  #commit(
    captures: IntakeEntry[],
    { tried, beforeRow }: Pick<AddOptions, "tried"> & { beforeRow?(): void } =
      {},
  ): void {
    if (captures.length === 0) return;
    const copied = captures.filter(isCopied);
    try {
      if (copied.length > 0) this.#spool.commit(copied);
      reached("spool-record");
      beforeRow?.();
      this.#enqueue(captures, tried);
    } catch (error) {
      this.#takeBack(copied);
      return asNoRoom(error);
    } finally {
      copied.forEach(({ identity }) => this.#room.committed(identity.size));
    }
  }

  #enqueue(captures: IntakeEntry[], tried?: Completion): void {
    const rows = captures
      .map((capture) => ({ ...capture, spooled: isCopied(capture), tried }));
    this.#queue.enqueueMany(rows);
    reached("row");
  }

  /** Removes copies without a row, so that they are not delivered beside the caller's next try. */
  #takeBack(copied: SpoolRecord[]): void {
    try {
      const ids = copied.map(({ id }) => id);
      this.#spool.remove(ids.filter((id) => !this.#isQueued(id)));
    } catch (error) {
      this.#spool.occupants.leaveUnfinished();
      this.#log("error", `Cannot remove what was not taken over: ${error}`);
    }
  }

  #isQueued(id: string): boolean {
    // If it is damaged: the caller was not told that the capture is kept, and still has
    // the file.
    return tryTo(() => this.#queue.get(id)) !== undefined;
  }
}

/** A capture as it is queued: with a copy in the spool, or where it is. */
type IntakeEntry = SpoolRecord | NewCapture & { spooled: false };

function isCopied(capture: IntakeEntry): capture is SpoolRecord {
  return !("spooled" in capture);
}
