/** The store of the reference server for the captures it receives: a folder, nothing else. */

import { randomUUID } from "node:crypto";
import { join } from "@std/path";
import { syncDir } from "../../sync/host/files.ts";
import { IncomingCapture } from "./incoming_capture.ts";

/** The record of a capture that was received in full. */
export interface ReceivedCapture {
  /** The server's own name for it: a UUID. */
  id: string;
  /** The sender's name for this capture; null if it sent none. */
  idempotencyKey: string | null;
  /** The file name as the sender gave it. Not fit for use as a path. */
  filename: string;
  /** The content type as the sender gave it. */
  contentType: string;
  /** Size in bytes. */
  size: number;
  /** SHA-256 of the bytes, in lower-case hexadecimal. */
  sha256: string;
  /** When it was stored, ISO 8601 with `Z`. */
  receivedAt: string;
}

/** A capture as it is in the folder, with its metadata. */
export interface StoredCapture extends ReceivedCapture {
  /** The path of its bytes. */
  path: string;
  metadata: Record<string, unknown>;
}

const INCOMING_FOLDER = ".incoming";
const MAX_NAME_BYTES = 200;

/**
 * Keeps captures in a folder, each with its record and metadata as NAME.json
 * beside it, and remembers idempotency keys for ever.
 *
 * A capture is there in full with its metadata or not at all, whenever the
 * process dies: both are written elsewhere first, and the capture's own rename
 * comes last. The folder is the only state; a new store reads it again. It is
 * for one process at a time.
 */
export class ReceivedStore {
  readonly #folder: string;
  readonly #fsync: boolean;
  readonly #byKey = new Map<string | null, ReceivedCapture>();
  readonly #captures: ReceivedCapture[] = [];

  /**
   * Opens `folder`; created where needed, readable by this user only.
   *
   * @param fsync Whether `commit` waits until the capture would survive a power
   * failure. Without, it survives a crash of the server only.
   * @throws {Error} if it cannot be created, read or written.
   */
  constructor(folder: string, fsync: boolean) {
    this.#folder = folder;
    this.#fsync = fsync;
    const incoming = join(folder, INCOMING_FOLDER);
    Deno.mkdirSync(incoming, { recursive: true, mode: 0o700 });
    // Uploads that an earlier process did not finish: nobody got an answer to them.
    for (const entry of Deno.readDirSync(incoming)) {
      Deno.removeSync(join(incoming, entry.name));
    }
    this.#readFolder();
  }

  /** Every capture received so far, the oldest first. */
  get captures(): readonly ReceivedCapture[] {
    return this.#captures;
  }

  /** The capture that was stored under this idempotency key. */
  find(idempotencyKey: string): ReceivedCapture | undefined {
    return this.#byKey.get(idempotencyKey);
  }

  /** The path of a stored capture; its record is there too, plus `.json`. */
  pathOf(capture: ReceivedCapture): string {
    return join(this.#folder, nameFor(capture));
  }

  /** Begins to store a capture: write to it, commit it, dispose of it. */
  receive(): Promise<IncomingCapture> {
    return IncomingCapture.create(
      join(this.#folder, INCOMING_FOLDER, randomUUID()),
      this.#fsync,
    );
  }

  /** Makes a received and finished capture part of the store. */
  async commit(
    incoming: IncomingCapture,
    received: Omit<ReceivedCapture, "id" | "receivedAt">,
    metadata: string,
  ): Promise<ReceivedCapture> {
    const capture = {
      id: randomUUID(),
      ...received,
      receivedAt: new Date().toISOString(),
    };
    const path = this.pathOf(capture);
    await using record = await this.receive();
    await record.write(formatRecord(capture, metadata));
    await record.finish();
    await record.moveTo(`${path}.json`);
    try {
      await incoming.moveTo(path);
    } catch (error) {
      await Deno.remove(`${path}.json`);
      throw error;
    }
    if (this.#fsync) syncDir(this.#folder);
    this.#remember(capture);
    return capture;
  }

  #remember(capture: ReceivedCapture): void {
    this.#captures.push(capture);
    this.#byKey.set(capture.idempotencyKey, capture);
  }

  #readFolder(): void {
    const { stored, unfinished } = readReceived(this.#folder);
    for (const path of unfinished) Deno.removeSync(path);
    stored.sort((a, b) => a.receivedAt < b.receivedAt ? -1 : 1);
    for (const { path: _, metadata: __, ...capture } of stored) {
      this.#remember(capture);
    }
  }
}

/**
 * Reads the captures in a server's folder, in any order, also while it runs, and the
 * paths of records without a capture: the process died between its two renames, and
 * never answered. Files that are somebody else's are left out.
 */
export function readReceived(
  folder: string,
): { stored: StoredCapture[]; unfinished: string[] } {
  const names = new Set(
    Array.from(Deno.readDirSync(folder), (entry) => entry.name),
  );
  const stored: StoredCapture[] = [];
  const unfinished: string[] = [];
  for (const name of names) {
    // A capture may itself be a .json file, of any size; it has a record of its own.
    if (!name.endsWith(".json") || names.has(`${name}.json`)) continue;
    const record = readRecord(join(folder, name));
    if (!record || `${nameFor(record)}.json` !== name) continue;
    const path = join(folder, nameFor(record));
    if (names.has(nameFor(record))) stored.push({ ...record, path });
    else unfinished.push(`${path}.json`);
  }
  return { stored, unfinished };
}

/** A name no other capture has, in which a person still knows the file. */
function nameFor(capture: ReceivedCapture): string {
  // deno-lint-ignore no-control-regex -- these are what must not get into a name
  const safe = capture.filename.replace(/[\x00-\x1f\x7f/\\:*?"<>|]/g, "_");
  let name = `${capture.id}-${safe}`;
  while (new TextEncoder().encode(name).length > MAX_NAME_BYTES) {
    name = name.slice(0, -1);
  }
  // Half of a surrogate pair may be left, which no file name can hold.
  return name.toWellFormed();
}

/** The metadata go in as they were written: parsed, large numbers would change. */
function formatRecord(
  capture: ReceivedCapture,
  metadata: string,
): Uint8Array {
  const start = JSON.stringify(capture, null, 2).slice(0, -"\n}".length);
  return new TextEncoder().encode(`${start},\n  "metadata": ${metadata}\n}\n`);
}

function readRecord(path: string): Omit<StoredCapture, "path"> | undefined {
  try {
    const record = JSON.parse(Deno.readTextFileSync(path));
    if (record.id && record.filename) return record;
  } catch {
    // Somebody else's file.
  }
  return undefined;
}
