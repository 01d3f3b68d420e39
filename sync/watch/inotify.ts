/**
 * Linux's inotify: it tells what happens to the names in the folders that are
 * watched, not below them. A name comes as bytes, nothing is opened or followed.
 *
 * @module
 */

import { close } from "../host/descriptor.ts";
import { descriptorOf, type Folder, nameOf } from "../host/folder.ts";
import { cString, lastErrno, libc, systemError } from "../host/libc.ts";

const IN_ATTRIB = 0x4;
const IN_CLOSE_WRITE = 0x8;
const IN_MOVED_FROM = 0x40;
const IN_MOVED_TO = 0x80;
const IN_CREATE = 0x100;
const IN_DELETE_SELF = 0x400;
const IN_MOVE_SELF = 0x800;
const IN_UNMOUNT = 0x2000;
const IN_Q_OVERFLOW = 0x4000;
const IN_IGNORED = 0x8000;
const IN_ONLYDIR = 0x01000000;
const IN_ISDIR = 0x40000000;

/** Not each write: that would be thousands of events for one film. */
const WANTED = IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO |
  IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
const FLAGS = 0o2004000; // IN_CLOEXEC | IN_NONBLOCK, and those of an eventfd
const POLLIN = 1;

/** What happened. */
export interface InotifyEvent {
  /**
   * - `changed`: something came, was closed after writing, or may be read now;
   * - `renamed`: something got this name, be it that it had another one before;
   * - `left`: something has this name no more;
   * - `unsure`: the watched folder itself was moved, removed or unmounted;
   * - `ended`: nothing more will be told by this watch;
   * - `overflow`: there was too much to tell, of any watch.
   */
  kind: "changed" | "renamed" | "left" | "unsure" | "ended" | "overflow";
  watch: number;
  /** Empty where it is about the watched folder. */
  name: string;
  /** Whether the name is valid UTF-8: another one is shown with replacement characters. */
  isUtf8: boolean;
  isFolder: boolean;
}

/** One inotify instance, of which a user has few: it is for all folders. */
export class Inotify {
  readonly #fd: number;
  readonly #wakeup: number;
  #isClosed = false;

  /** @throws {Error} whose `code` is `EMFILE` if the user has no instance left. */
  constructor() {
    this.#wakeup = libc!.eventfd(0, FLAGS);
    this.#fd = this.#wakeup < 0 ? -1 : libc!.inotify_init1(FLAGS);
    if (this.#fd >= 0) return;
    const error = systemError(lastErrno(), "watch folders");
    if (this.#wakeup >= 0) close(this.#wakeup);
    throw error;
  }

  /**
   * Watches a folder, whatever its name leads to meanwhile, and returns the
   * watch's number: the same one if it is watched already.
   *
   * @throws {Error} whose `code` is `ENOSPC` if the user has no watch left.
   */
  watch(folder: Folder): number {
    const path = cString(`/proc/self/fd/${descriptorOf(folder)}`);
    const watch = libc!.inotify_add_watch(this.#fd, path, WANTED);
    if (watch < 0) throw systemError(lastErrno(), `watch "${folder.path}"`);
    return watch;
  }

  unwatch(watch: number): void {
    libc!.inotify_rm_watch(this.#fd, watch);
  }

  /** Tells what happens as it happens, until it is closed. */
  async *events(): AsyncGenerator<InotifyEvent[]> {
    const waited = new Int32Array([this.#fd, POLLIN, this.#wakeup, POLLIN]);
    const bytes = new Uint8Array(64 * 1024);
    try {
      while (!this.#isClosed) {
        await libc!.pollAside(waited, 2n, -1);
        for (let read; !this.#isClosed && (read = this.#read(bytes)) > 0;) {
          yield [...eventsOf(bytes.subarray(0, read))];
        }
      }
    } finally {
      close(this.#fd);
      close(this.#wakeup);
    }
  }

  #read(bytes: Uint8Array<ArrayBuffer>): number {
    return Number(libc!.read(this.#fd, bytes, BigInt(bytes.length)));
  }

  /** Ends {@linkcode events}, at once. */
  close(): void {
    if (!this.#isClosed) libc!.write(this.#wakeup, BigUint64Array.of(1n), 8n);
    this.#isClosed = true;
  }
}

function* eventsOf(bytes: Uint8Array): Generator<InotifyEvent> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0, length; at < bytes.length; at += 16 + length) {
    const mask = view.getUint32(at + 4, true);
    length = view.getUint32(at + 12, true);
    const padded = bytes.subarray(at + 16, at + 16 + length);
    const end = padded.indexOf(0);
    yield {
      kind: kindOf(mask),
      watch: view.getInt32(at, true),
      isFolder: (mask & IN_ISDIR) !== 0,
      ...nameOf(end < 0 ? padded : padded.subarray(0, end)),
    };
  }
}

function kindOf(mask: number): InotifyEvent["kind"] {
  if (mask & IN_Q_OVERFLOW) return "overflow";
  if (mask & IN_IGNORED) return "ended";
  if (mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) return "unsure";
  if (mask & IN_MOVED_FROM) return "left";
  return mask & IN_MOVED_TO ? "renamed" : "changed";
}
