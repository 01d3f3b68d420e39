import type { Log } from "../host/log.ts";
import type { FileIdentity } from "../host/opened_file.ts";
import type { SeenFile, WatchedState } from "../queue/queue.ts";
import type { WatchedFile } from "../spool/copies.ts";
import type { FilterOptions } from "./capture_filter.ts";
import type { TakenFile } from "./late_sidecars.ts";

/** How long, by default, a file waits for another one before that is reported. */
export const ALONE_MS = 60_000;

/** The reason why a file is not taken over: not yet (`later`), or not as it is (`pass`). */
export interface SkipReason {
  kind: "later" | "pass";
  reason: string;
}

/** Knows files, and takes finished ones over. */
export interface Taker {
  /** Tells of each whether it was taken over before, or could have been. */
  known: (files: SeenFile[]) => (WatchedState | "in doubt" | undefined)[];
  /** Whether this very file was taken over, and only its name has changed since. */
  wasTaken?: (file: SeenFile) => boolean;
  /** Tells of a file in doubt whether it was taken over with this content, and with its metadata if it has any. */
  knownContent: (
    file: SeenFile & { metadataJson?: string },
    sha256: string,
  ) => WatchedState | undefined;
  /**
   * Takes files over, or throws: some of them may be known then all the same.
   *
   * @returns Those that were not taken, because they are gone or others by now.
   */
  onFinished: (files: WatchedFile[]) => Promise<WatchedFile[]>;
  /** Is called with each sidecar that is found beside its capture's file. */
  onSidecar?: (file: SeenFile, sidecar: FileIdentity) => void;
  /**
   * Is called, now and then, with each that came too late: that version of its
   * capture was taken over without it.
   */
  onLateSidecar?: (file: TakenFile, sidecar: FileIdentity) => void;
  /** Whether a sidecar, as it is now, is known to have come too late: it is no other version's. */
  isLateSidecar?: (path: string, sidecar: FileIdentity) => boolean;
  /** Is called with each file that was delivered and is still there, and waited for. */
  onDelivered?: (file: SeenFile) => void | Promise<void>;
  /** Is called with each file, or folder, that is left, whenever it is looked at. */
  onSkipped?: (path: string, why: SkipReason) => void;
}

/** Options for `FolderWatcher`. */
export interface FolderWatcherOptions extends Taker, FilterOptions {
  /**
   * How long a file must be unchanged to count as finished, in milliseconds.
   *
   * @default {2000, and 10000 on file systems that tell neither events nor writers}
   */
  settleMs?: number | undefined;
  /**
   * The time between two looks through the folders for files that events missed, in
   * milliseconds.
   *
   * @default {300000}
   */
  rescanMs?: number;
  /**
   * The time between two looks through folders for which there are no events, in
   * milliseconds; less often where that costs much.
   *
   * @default {3000}
   */
  pollMs?: number;
  /**
   * How long a JSON file `NAME.json` without a `NAME` is not delivered: it may be
   * the metadata of a capture that is still to come. Where `NAME` has an extension
   * itself, as `a.png` has, it is waited for as long as it takes, and reported
   * after this time; so is the control file of a download that broke off, which is
   * looked for this often. In milliseconds.
   *
   * @default {60000}
   */
  aloneMs?: number;
  /**
   * How many folders are looked through, all in all: each takes a kilobyte or two
   * of memory.
   *
   * @default {200000}
   */
  maxFolders?: number | undefined;
  /**
   * Whether the files of a disk that was mounted meanwhile have to prove by their
   * content that they are those that are known: all of them are read then.
   *
   * @default {false}
   */
  provesMounted?: boolean;
  /** Is called when a watched folder that went is there again, or another one in its place. */
  onBack?: () => void;
  /** Is called every two seconds, and waited for. */
  onTurn?: () => Promise<void>;
  log: Log;
}
