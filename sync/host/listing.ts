import { close, openAt, readEntries, type Stat, statAt } from "./descriptor.ts";
import { tryTo } from "./try_to.ts";

/** One name in a folder. */
export interface FolderEntry {
  name: string;
  kind: Stat["kind"];
  /** Whether the name is valid UTF-8: another one is shown with replacement characters. */
  isUtf8: boolean;
}

/** How much of a listing is read at a time, in bytes. */
const LISTING_BYTES = 32 * 1024;

// A file name keeps its byte order mark.
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenientUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const KINDS: Readonly<Record<number, Stat["kind"]>> = {
  4: "folder",
  8: "file",
  10: "link",
};

/** The names in an open folder, in no order, some hundreds at a time. */
export function* listEntries(folder: number): Generator<FolderEntry[]> {
  // Of its own, because a listing goes on where the last one on it ended.
  const fd = openAt(folder, ".", { folder: true });
  try {
    const bytes = new Uint8Array(LISTING_BYTES);
    for (let end; (end = readEntries(fd, bytes)) > 0;) {
      yield [...entriesOf(fd, bytes.subarray(0, end))];
    }
  } finally {
    close(fd);
  }
}

/** Reads the records of `getdents64`. */
function* entriesOf(fd: number, bytes: Uint8Array): Generator<FolderEntry> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; at += view.getUint16(at + 16, true)) {
    const start = at + 19;
    const raw = bytes.subarray(start, bytes.indexOf(0, start));
    const { name, isUtf8 } = nameOf(raw);
    if (name === "." || name === "..") continue;
    const type = view.getUint8(at + 18);
    // Some file systems leave it to be asked for; by then it may have gone.
    const kind = type === 0 && isUtf8
      ? tryTo(() => statAt(fd, name))?.kind
      : KINDS[type];
    yield { name, kind: kind ?? "other", isUtf8 };
  }
}

/** Reads a name as Linux has it: bytes, in any encoding or none. */
export function nameOf(raw: Uint8Array): { name: string; isUtf8: boolean } {
  try {
    return { name: strictUtf8.decode(raw), isUtf8: true };
  } catch {
    return { name: lenientUtf8.decode(raw), isUtf8: false };
  }
}
