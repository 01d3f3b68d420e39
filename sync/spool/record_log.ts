import { dirname } from "@std/path";
import {
  exists,
  removeIfThere,
  statIfThere,
  syncDir,
  writeAll,
} from "../host/files.ts";
import { lockNow, openLocked } from "../host/lock.ts";
import { openPrivate } from "../host/private_files.ts";
import type { FileIdentity } from "../host/opened_file.ts";

/** The record of a spool entry, from which a lost queue can be rebuilt. */
export interface SpoolRecord {
  id: string;
  /** The path at which the capture was handed over. */
  filepath: string;
  /** A JSON object as text. */
  metadataJson: string;
  /** In milliseconds since 1970. */
  createdAtMs: number;
  /** The name of the host that took it over, if that is known. */
  hostname?: string | undefined;
  watched: boolean;
  /** The SHA-256 of the bytes, in hexadecimal. */
  sha256: string;
  /** The identity of its file; the entry has its size and time. */
  identity: FileIdentity;
}

/** The part of a record that is known before the bytes are read. */
export type RecordDraft = Omit<SpoolRecord, "sha256" | "identity">;

/** Returns the draft of a capture that this host takes over now. */
export function draftOf(
  capture: Omit<RecordDraft, "createdAtMs">,
): RecordDraft {
  const { hostname = Deno.hostname() } = capture;
  return { ...capture, createdAtMs: Date.now(), hostname };
}

/** A log that is smaller than this is left as it is, in bytes. */
const MIN_BYTES = 256 * 1024;
/** No record is as long: six times the largest metadata and path, in characters. */
const MAX_LINE = 8 * 1024 * 1024;
/** The size of the pieces that are copied, in bytes. */
const CHUNK_BYTES = 64 * 1024;

/**
 * The records of all spool entries, one JSON text a line, in one file that only
 * grows.
 *
 * One for all, because a file for each would cost an entry more than all else: to be
 * made, to be synced, and most of all to be removed. A delivery writes nothing here:
 * a record whose entry has no bytes any more is dead, and goes when the log is
 * compacted. A record that a crash has cut off is one line that is no JSON, and harms
 * no other.
 *
 * Several processes may append at once; only the agent compacts.
 */
export class RecordLog {
  readonly #path: string;
  /** Its size when it was compacted last. */
  #compactBytes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Adds records; they are on the disk when the call returns.
   *
   * @throws {Error} if something else than a file has the log's name.
   */
  append(records: SpoolRecord[]): void {
    this.#assertFile();
    using file = openLocked(this.#path);
    if (file.statSync().size === 0) syncDir(dirname(this.#path));
    // On a line of its own, as a crash or a full disk may have left a part of one
    // before it.
    writeAll(file, linesOf(records, { before: "\n" }));
    file.syncDataSync();
  }

  /** All records, dead ones as well, in the order in which they came; some at a time. */
  async *read(): AsyncGenerator<SpoolRecord[]> {
    if (!this.#assertFile()) return;
    const file = Deno.openSync(this.#path, { read: true });
    let rest = "";
    for await (const text of file.readable.pipeThrough(utf8())) {
      const lines = text.split("\n");
      lines[0] = rest + lines[0];
      rest = lines.pop()!;
      // Its start alone is no JSON either.
      if (rest.length > MAX_LINE) rest = rest.slice(0, 1);
      yield lines.filter(Boolean).map(parseRecord)
        .filter((record) => record !== undefined);
    }
  }

  /** Returns whether it is there. To open a pipe would last for ever. */
  #assertFile(): boolean {
    if (!exists(this.#path)) return false;
    if (Deno.lstatSync(this.#path).isFile) return true;
    throw new Error(
      `Cannot use "${this.#path}": it is not a regular file; remove it, and a new one is made`,
    );
  }

  /** Whether so much was added since the last time that compacting is worth its while. */
  get isCompactable(): boolean {
    const size = statIfThere(this.#path)?.size ?? 0;
    return size >= Math.max(MIN_BYTES, 2 * this.#compactBytes);
  }

  /**
   * Drops the records that are dead. Others may append meanwhile; they wait only
   * while the new log takes the old one's name.
   *
   * @throws {Error} if it cannot be done: then the log is as it was.
   */
  async compact(isLive: (record: SpoolRecord) => boolean): Promise<void> {
    const newPath = `${this.#path}.new`;
    try {
      using old = Deno.openSync(this.#path, { read: true, append: true });
      using compacted = openPrivate(newPath, { truncate: true });
      const before = lockedSize(old, this.#path);
      for await (const records of this.read()) {
        writeAll(compacted, linesOf(records.filter(isLive)));
      }
      // Records appended meanwhile may have been read or not: twice does no harm.
      lockNow(old, this.#path);
      old.seekSync(before, Deno.SeekMode.Start);
      copyRest(old, compacted);
      compacted.syncSync();
      Deno.renameSync(newPath, this.#path);
      syncDir(dirname(this.#path));
      this.#compactBytes = compacted.statSync().size;
    } catch (error) {
      removeIfThere(newPath);
      throw error;
    }
  }
}

function linesOf(records: SpoolRecord[], { before = "" } = {}): Uint8Array {
  const lines = records.map((record) => JSON.stringify(record) + "\n");
  return new TextEncoder().encode(before + lines.join(""));
}

/** Reads a record from its JSON text; `undefined` if something of it is missing. */
function parseRecord(text: string): SpoolRecord | undefined {
  try {
    const record = JSON.parse(text) as SpoolRecord;
    const { id, filepath, metadataJson, sha256, identity, watched } = record;
    const { fileId, size, mtimeMs, ctimeMs } = identity;
    const { hostname = "" } = record;
    const texts = [id, filepath, metadataJson, sha256, fileId, hostname];
    const numbers = [record.createdAtMs, size, mtimeMs, ctimeMs];
    const isWhole = texts.every((value) => typeof value === "string") &&
      numbers.every(Number.isSafeInteger) && typeof watched === "boolean";
    return isWhole ? record : undefined;
  } catch {
    return undefined;
  }
}

/** The size of the log while no process is appending, in bytes. */
function lockedSize(file: Deno.FsFile, path: string): number {
  lockNow(file, path);
  const { size } = file.statSync();
  file.unlockSync();
  return size;
}

function copyRest(from: Deno.FsFile, to: Deno.FsFile): void {
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let read; (read = from.readSync(chunk)) !== null;) {
    writeAll(to, chunk.subarray(0, read));
  }
}

/** Invalid UTF-8 spoils only its own line. */
function utf8(): TransformStream<BufferSource, string> {
  return new TextDecoderStream();
}
