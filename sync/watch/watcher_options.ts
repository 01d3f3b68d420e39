import type { Log } from "../host/log.ts";
import type { Taker } from "./candidates.ts";
import type { FilterOptions } from "./capture_filter.ts";

/** Options for `FolderWatcher`. */
export interface FolderWatcherOptions extends Taker, FilterOptions {
  /**
   * How long a file must be unchanged to count as finished, in milliseconds.
   *
   * @default {2000, and 10000 on file systems that tell neither events nor writers}
   */
  settleMs?: number | undefined;
  /**
   * How often folders are looked through for what events missed, in milliseconds.
   *
   * @default {300000}
   */
  rescanMs?: number;
  /**
   * How often folders are looked through of which nobody tells what happens in
   * them, in milliseconds; less often where that costs much.
   *
   * @default {3000}
   */
  pollMs?: number;
  /**
   * How long a JSON file `NAME.json` without a `NAME` is not delivered: it may be
   * the metadata of a capture that is still to come. Where `NAME` has an extension
   * itself, as `a.png` has, it is waited for as long as it takes, and reported
   * after this time. In milliseconds.
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
  maxFolders?: number;
  /** Is called every two seconds, and waited for. */
  onTurn?: () => Promise<void>;
  log: Log;
}
