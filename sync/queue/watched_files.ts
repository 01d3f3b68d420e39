/**
 * The files of watched folders that were taken over. Each stands there once, as it
 * was when it was last taken over or delivered: a file that is written anew is
 * another capture, also if it has the content of an earlier one again.
 *
 * A file counts as the same if device, inode and time of birth, size and both times
 * are those that are known. Where one of these differs (the file was touched,
 * restored, or its disk mounted anew) the content decides, which only the caller can
 * read.
 *
 * @module
 */

import type { HostFacts } from "../capture/metadata.ts";
import { AgentRow } from "./agent_row.ts";
import { idOf, type KnownIdentity, type QueuedCapture } from "./capture_row.ts";
import {
  type FileVersion,
  keyOfLateSidecar,
  keysOfNames,
  versionOf,
  versionValues,
} from "./file_version.ts";
import {
  type ChangedFile,
  changedFile,
  hasOtherMetadata,
  type IsAt,
  type KnownFile,
  lookUp,
  rowsOf,
  type SeenFile,
  type WatchedState,
} from "./known_file.ts";

/** The delivery of a watched file. */
export interface DeliveredCapture {
  id: string;
  /** The path where the file was seen last; empty if the agent has taken it from there. */
  path: string;
  /** The SHA-256 of its bytes, in hexadecimal; `null` if that is not known. */
  sha256: string | null;
  /**
   * The SHA-256 of its metadata as JSON text, in hexadecimal: it tells a sidecar that
   * was delivered from one that was not, without keeping private text. `null` if that
   * is not known.
   */
  metadataSha256: string | null;
  /** When it was delivered, in milliseconds since 1970. */
  sinceMs: number;
  /**
   * Size and time of the version that was delivered, or seen with its bytes since;
   * `null` if not known.
   */
  size: number | null;
  mtimeMs: number | null;
}

/** How long a lost version is shown to a person, in milliseconds. */
const LOST_KEPT_MS = 86_400_000;
/** How many of those are forgotten in one commit. */
const MAX_FORGOTTEN = 1000;

/** A late sidecar: when its names or permissions changed does not matter. */
function lateSidecar(path: string, identity: KnownIdentity): FileVersion {
  const version = versionOf(path, identity);
  const key = keyOfLateSidecar(version.key, path);
  return { ...version, key, ctimeMs: null };
}

/** The record of the files of watched folders. */
export class WatchedFiles extends AgentRow {
  /**
   * Records the hash of a capture that was not copied, before its first byte leaves,
   * and what else was not known: from then on nothing else is sent for it.
   *
   * @param facts `sha256` is that of its bytes, in hexadecimal; `mtimeMs` is in
   * milliseconds since 1970.
   */
  setContent(
    id: string,
    { sha256, mtimeMs, hostname }: Pick<
      HostFacts,
      "sha256" | "mtimeMs" | "hostname"
    >,
  ): void {
    this.file.write((sql) => {
      sql.setContent.run(sha256, mtimeMs, hostname, id);
      sql.setWatchedContent.run(sha256, id);
    });
  }

  /**
   * The state of each of these files: `undefined` if it is new, `"in doubt"` if only
   * its content can tell, see {@linkcode UploadQueue.knownContent}. Costs the same
   * for any number of captures.
   *
   * @param isAt A file that is still where it was known keeps that name.
   */
  knownWatched(
    files: SeenFile[],
    isAt: IsAt = () => false,
  ): (WatchedState | "in doubt" | undefined)[] {
    const known = files.map((file) => lookUp(this.sql, file, isAt));
    const changes = known.flatMap(({ change }) => change ? [change] : []);
    if (changes.length > 0 && !this.file.looksOnly) {
      this.file.write(() => changes.forEach((change) => this.#change(change)));
    }
    return known.map(({ state }) => state);
  }

  /**
   * The state of a file, by its content: `undefined` if neither this file nor the
   * last one of its name was taken over with it, or only the latter, with other
   * metadata. If one was, the file is not in doubt any more.
   *
   * @param file `metadataJson` are those of its sidecar; none, or `{}`, are not compared.
   * @param sha256 The SHA-256 of its bytes, in hexadecimal.
   * @param isAt As for {@linkcode UploadQueue.knownWatched}.
   */
  knownContent(
    file: SeenFile,
    sha256: string,
    isAt: IsAt = () => false,
  ): WatchedState | undefined {
    const find = () =>
      rowsOf(this.sql, file).find((one) =>
        one.sha256 === sha256 && !hasOtherMetadata(this.sql, one, file)
      );
    if (this.file.looksOnly) return find()?.state;
    return this.file.write(() => {
      const known = find();
      if (known) this.#change(changedFile(known, file, isAt));
      return known?.state;
    });
  }

  /** Whether this very file was taken over, and only its name has changed since. */
  wasTaken({ path, identity }: SeenFile): boolean {
    const { key, size, mtimeMs } = versionOf(path, identity);
    const known = this.sql.watchedFile.get<KnownFile>(key);
    return known?.size === size && known?.mtimeMs === mtimeMs;
  }

  /** The deliveries of a watched file by all of its names, that by this one first. */
  deliveriesOf({ path, identity }: SeenFile): DeliveredCapture[] {
    const { key } = versionOf(path, identity);
    const keys = [key, ...keysOfNames(key)];
    return this.sql.deliveriesOfFile.all<DeliveredCapture>(...keys, path);
  }

  /** The delivery of a capture of a watched file; `undefined` if none is known. */
  deliveryOf(id: string): DeliveredCapture | undefined {
    return this.sql.watchedDelivery.get<DeliveredCapture>(id);
  }

  /**
   * Looks for the file of a capture without a copy, which is gone by its name, under
   * the other names that are known of it. If one still leads there, it is sent from there.
   */
  findOtherName(
    { id, identity, filepath }: QueuedCapture,
    isAt: IsAt,
  ): void {
    if (!identity) return;
    const { fileId } = identity;
    const file = this.sql.watchedFile.get<KnownFile>(fileId);
    const names = this.sql.namesOfFile.all<KnownFile>(...keysOfNames(fileId));
    const found = [...file ? [file] : [], ...names].find(({ path }) =>
      path !== "" && path !== filepath && isAt(path, fileId)
    );
    if (!found) return;
    this.file.write((sql) => sql.setUncopiedPath.run(found.path, id));
  }

  /**
   * Whether a capture without a copy can never be sent: its file was taken over as
   * another version, or another file has taken its name.
   */
  isOverwritten(id: string): boolean {
    return this.sql.isOverwritten.get(id) !== undefined;
  }

  /**
   * Removes captures that failed a day ago as their files were overwritten: nobody can
   * do anything about them. One whose file comes back is new. Returns how many were
   * removed: a thousand at most.
   */
  forgetOverwritten(): number {
    const before = this.now() - LOST_KEPT_MS;
    const ids = this.sql.oldOverwritten.all(before, MAX_FORGOTTEN).map(idOf);
    if (ids.length === 0) return 0;
    this.file.write((sql) => {
      for (const id of ids) {
        sql.remove.run(id);
        sql.forgetWatchedCapture.run(id);
        sql.forgetAttempts.run(id, Number.MAX_SAFE_INTEGER);
      }
    });
    return ids.length;
  }

  /** Records that a sidecar came too late for its capture: as it is now it is no other's. */
  markLateSidecar(path: string, identity: KnownIdentity): void {
    const values = versionValues(lateSidecar(path, identity));
    const state: WatchedState = "removed";
    // Of no capture, and without a hash.
    this.file.write((sql) =>
      sql.addWatched.run("", ...values, null, state, this.now())
    );
  }

  /** Whether a sidecar came too late for its capture, and was not written anew since. */
  isLateSidecar(path: string, identity: KnownIdentity): boolean {
    const { key, size, mtimeMs } = lateSidecar(path, identity);
    return this.sql.isLateSidecar.get(key, size, mtimeMs) !== undefined;
  }

  /**
   * Records that the agent has removed or moved a delivered capture's file: a file
   * that comes in its place is new.
   *
   * @param options Whether the file `hasOtherNames`: by those it is still known.
   */
  markRemoved(
    id: string,
    { hasOtherNames = false }: { hasOtherNames?: boolean } = {},
  ): void {
    this.file.write(({ forgetWatchedName, forgetWatchedCapture }) =>
      (hasOtherNames ? forgetWatchedName : forgetWatchedCapture).run(id)
    );
  }

  /** Knows a file by another name or number from now on; if it waits without a copy, it is sent from there. */
  #change(change: ChangedFile): void {
    const { path, key, n } = change;
    this.sql.setUncopiedPathOfRow.run(path, n, path);
    this.sql.setWatchedVersion.run(...versionValues(change), n);
    this.sql.takeWatchedName.run(path, key);
  }
}
