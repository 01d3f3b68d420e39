/**
 * Linux's inotify: it reports changes of the names in the folders that are watched,
 * not below them. Names are bytes, and nothing is opened or followed.
 *
 * @module
 */

import { AT_FDCWD, close, openAt } from "../host/descriptor.ts";
import { descriptorOf, type Folder } from "../host/folder.ts";
import { nameOf } from "../host/listing.ts";
import { cString, lastErrno, libc, systemError } from "../host/libc.ts";
import type { OnceLog } from "../host/log.ts";
import { MOUNT_TABLE } from "../host/mounts.ts";
import { tryTo } from "../host/try_to.ts";
import {
  type FolderEvents,
  type FolderListener,
  sayUnheard,
} from "./folder_events.ts";
import { pathOf, type Place, within } from "./place.ts";

const IN_ATTRIB = 0x4;
const IN_CLOSE_WRITE = 0x8;
const IN_MOVED_FROM = 0x40;
const IN_MOVED_TO = 0x80;
const IN_CREATE = 0x100;
const IN_DELETE = 0x200;
const IN_DELETE_SELF = 0x400;
const IN_MOVE_SELF = 0x800;
const IN_Q_OVERFLOW = 0x4000;
const IN_IGNORED = 0x8000;
const IN_ONLYDIR = 0x01000000;
const IN_ISDIR = 0x40000000;

/** Not each write: that would be thousands of events for one film. */
const WANTED = IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO |
  IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
/** To be closed in child processes, and not to wait: for inotify and eventfd alike. */
const FLAGS = 0o2004000;
const POLLIN = 1;
const POLLPRI = 2;
/** Of `poll(2)`: a negative descriptor is passed over. */
const NONE = -1;

/** One inotify instance, of which a user has few: it listens to all folders. */
export class InotifyEvents implements FolderEvents {
  readonly #listener: FolderListener;
  readonly #log: OnceLog;
  readonly #fd: number;
  /** Ends the wait for events. */
  readonly #end: number;
  /** Tells when something is mounted or unmounted. */
  readonly #mounts: number;
  /** Of each watch: a folder may have several, by mounts of its disk. */
  readonly #places = new Map<number, Place[]>();

  /** @throws {Error} whose `code` is `EMFILE` if this user has no instance left. */
  constructor(listener: FolderListener, log: OnceLog) {
    this.#listener = listener;
    this.#log = log;
    this.#end = libc!.eventfd(0, FLAGS);
    this.#fd = this.#end < 0 ? -1 : libc!.inotify_init1(FLAGS);
    this.#mounts = this.#fd < 0
      ? NONE
      : tryTo(() => openAt(AT_FDCWD, MOUNT_TABLE)) ?? NONE;
    if (this.#fd >= 0) return;
    const error = systemError(lastErrno(), "watch folders");
    if (this.#end >= 0) close(this.#end);
    throw error;
  }

  watch(place: Place, folder: Folder): number | undefined {
    // By its descriptor, because another folder may have its name meanwhile.
    const path = cString(`/proc/self/fd/${descriptorOf(folder)}`);
    const watch = libc!.inotify_add_watch(this.#fd, path, WANTED);
    if (watch < 0) {
      sayUnheard(this.#log, systemError(lastErrno(), `watch "${folder.path}"`));
      return undefined;
    }
    const others = this.#without(watch, place);
    this.#places.set(watch, [...others, place]);
    return watch;
  }

  unwatch(watch: number, place: Place): void {
    if (!this.#places.has(watch)) return;
    const others = this.#without(watch, place);
    this.#places.set(watch, others);
    if (others.length > 0) return;
    this.#places.delete(watch);
    libc!.inotify_rm_watch(this.#fd, watch);
  }

  #without(watch: number, place: Place): Place[] {
    const path = pathOf(place);
    return (this.#places.get(watch) ?? [])
      .filter((other) => pathOf(other) !== path);
  }

  async run(signal: AbortSignal): Promise<void> {
    const end = () => libc!.write(this.#end, BigUint64Array.of(1n), 8n);
    signal.addEventListener("abort", end);
    const waited = new Int32Array([
      ...[this.#fd, POLLIN, this.#end, POLLIN],
      ...[this.#mounts, POLLPRI],
    ]);
    const bytes = new Uint8Array(64 * 1024);
    while (!signal.aborted) {
      await libc!.pollAside(waited, 3n, -1);
      // The upper half of the last one is what has happened.
      if (waited[5]! >> 16 & POLLPRI) this.#listener.onMounts();
      for (let read; !signal.aborted && (read = this.#read(bytes)) > 0;) {
        this.#tellAll(bytes.subarray(0, read));
      }
    }
    signal.removeEventListener("abort", end);
    close(this.#fd);
    close(this.#end);
    if (this.#mounts !== NONE) close(this.#mounts);
  }

  #read(bytes: Uint8Array<ArrayBuffer>): number {
    return Number(libc!.read(this.#fd, bytes, BigInt(bytes.length)));
  }

  #tellAll(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0, length; at < bytes.length; at += 16 + length) {
      length = view.getUint32(at + 12, true);
      const padded = bytes.subarray(at + 16, at + 16 + length);
      const end = padded.indexOf(0);
      this.#tell({
        watch: view.getInt32(at, true),
        mask: view.getUint32(at + 4, true),
        ...nameOf(end < 0 ? padded : padded.subarray(0, end)),
      });
    }
  }

  #tell({ watch, mask, name, isUtf8 }: {
    watch: number;
    mask: number;
    name: string;
    isUtf8: boolean;
  }): void {
    if (mask & IN_Q_OVERFLOW) return this.#listener.onLost();
    const folder = this.#places.get(watch)?.at(-1);
    if (!folder) return;
    if (mask & IN_IGNORED) this.#places.delete(watch);
    if (name === "") {
      // The folder itself was moved, removed or unmounted.
      if (folder.name === "") this.#listener.onRootUnsure();
      return;
    }
    const place = within(folder, name);
    const hasLeft = (mask & (IN_MOVED_FROM | IN_DELETE)) !== 0;
    // Whoever lists its folder tells of it, but no more often than that costs little.
    if (!isUtf8) this.#listener.onLost();
    else if (mask & IN_ISDIR) {
      if (hasLeft) this.#listener.onFolderLeft(place);
      else this.#listener.onFolder(place);
    } else if (hasLeft) this.#listener.onFileLeft(place);
    else {
      const renamed = (mask & IN_MOVED_TO) !== 0;
      this.#listener.onFile(place, { renamed });
    }
  }
}
