import type { FolderState } from "../watch/folder_state.ts";
import type { Verdict } from "./verdict.ts";

/**
 * The state of an agent and its queue, for people and machines alike: `status --json`
 * prints it, the page shows it and the metrics count it. Scripts read it: no name in
 * it may change. Times are ISO 8601 in UTC.
 */
export interface StatusReport {
  version: string;
  /** When this was found out. */
  time: string;
  pending: number;
  uploading: number;
  failed: number;
  delivered: number;
  /** Of the captures that are pending or being sent; `null` if there are none. */
  oldestPendingAgeSeconds: number | null;
  /** The size of the captures that are pending or being sent, as far as it is known. */
  waitingBytes: number;
  /** When the next capture that waits for its retry is due. */
  nextAttemptAt: string | null;
  /** The rate at which the queue is being drained; `null` while it is not. */
  rate: {
    capturesPerSecond: number;
    bytesPerSecond: number;
    secondsLeft: number;
  } | null;
  /** Failed captures by their last error, the most frequent first. */
  failedByReason: { reason: string; count: number }[];
  /** Whether a person has stopped deliveries; `until` is `null` for until told otherwise. */
  paused: { since: string; until: string | null } | null;
  /** When the agent sends, by the clock; `null` if always. `since` and `until` are those of the present state. */
  schedule: {
    text: string;
    open: boolean;
    since: string | null;
    until: string | null;
  } | null;
  /** The most that leaves a second; `null` if there is no limit, now or at all. */
  bandwidth: {
    text: string;
    bytesPerSecond: number | null;
    until: string | null;
  } | null;
  server: {
    url: string | null;
    state: "ready" | "down" | "paused" | "unknown";
    reason: string | null;
    since: string | null;
    nextProbeAt: string | null;
    lastDeliveryAt: string | null;
    /** The file with its token, where that is known. */
    tokenFile: string | null;
  };
  agent: {
    running: boolean;
    pid: number | null;
    /** When its loop last made a turn. */
    heartbeatAt: string | null;
    /** Whether it runs and makes no turn any more. */
    hanging: boolean;
    /** The problem that keeps it from following its settings, like a file that it refused. */
    problem: string | null;
  };
  /** The service that runs it, in systemd's words; `null` if there is none, or it was not asked. */
  service: {
    /** Like `active (running)`. */
    state: string;
    /** The reason why it does not run, or does no work; `null` if it works, or was stopped. */
    reason: string | null;
  } | null;
  spool: {
    bytes: number;
    /** `null` for no limit. */
    maxBytes: number | null;
    /** The free space of its disk for this user. */
    freeBytes: number | null;
    /** The free space that the disk must have to take captures. */
    minFreeBytes: number;
    /** How many files it has that belong to no capture. */
    orphans: number;
    /**
     * Why no file can be made in it, or in the data directory; `null` if one can, or
     * the disk is full.
     */
    obstacle: string | null;
  };
  folders: FolderState[];
  database: {
    path: string;
    engine: string | null;
    sqlite: string | null;
    /** Damaged ones that are kept beside it, by their names. */
    setAside: string[];
  };
  /** Whether all is well, in one line. */
  verdict: Verdict;
  /** The remedies, a line for each problem; empty if nothing is wrong. */
  advice: string[];
}

/** The part of a report that is judged; to find it out costs the same for any number of captures. */
export type Facts = Omit<
  StatusReport,
  | "version"
  | "waitingBytes"
  | "nextAttemptAt"
  | "rate"
  | "failedByReason"
  | "bandwidth"
  | "verdict"
  | "advice"
>;
