/**
 * The problems of an agent and its queue, with remedies: the only place where they
 * are judged. `status`, `doctor`, the page, the metrics, the heartbeat and the
 * service manager show these.
 *
 * @module
 */

import { format as formatBytes } from "@std/fmt/bytes";
import { isOutage } from "../agent/server_state.ts";
import { capturesWait, counted } from "../host/counted.ts";
import { isIncomplete } from "../queue/side_files.ts";
import { failure, type Finding, ok, outage, warning } from "./finding.ts";
import {
  DOCTOR,
  NO_ROOM,
  remedyForRemaining,
  remedyForUnreadable,
  remedyOf,
} from "./remedy.ts";
import type { Facts } from "./status_report.ts";

/** Limits up to which a state counts as healthy. */
export interface HealthLimits {
  /** How long a capture may wait, in seconds. @default {Infinity} */
  maxAgeSeconds?: number;
  /** How many captures may have failed. @default {0} */
  maxFailed?: number;
}

/** The share of the spool's limit that counts as all of it. */
const NEARLY_FULL = 0.9;

/** A disk with less is full, in bytes: a queue that grows needs more at a time. */
export const FULL_BYTES = 64 * 1024;

/** Judges each subject, healthy ones included. */
export function judge(facts: Facts, limits: HealthLimits = {}): Finding[] {
  return [
    ...judgeAgent(facts),
    ...judgeDeliveries(facts, limits),
    ...judgeRoom(facts.spool),
    ...judgeFolders(facts),
    ...judgeRemains(facts, limits),
  ];
}

/** How many captures are not delivered and have not failed. */
export function waitingIn(
  { pending, uploading }: Pick<Facts, "pending" | "uploading">,
): number {
  return pending + uploading;
}

/** Whether nothing is sent at this time of the week. */
export function isOutside({ schedule }: Facts): boolean {
  return schedule?.open === false;
}

function* judgeAgent({ agent, service }: Facts): Generator<Finding> {
  const { running, hanging, heartbeatAt, pid, problem } = agent;
  if (!running && !service) {
    yield outage(
      "agent",
      "no agent runs",
      '"jarvis-agent service install" keeps one running, "jarvis-agent run" is one',
    );
  } else if (!running) {
    yield outage(
      "agent",
      `no agent runs: ${service?.reason ?? "the service is stopped"}`,
      '"jarvis-agent service logs" tells more, then "jarvis-agent service restart"',
    );
  } else if (hanging) {
    yield outage(
      "agent",
      `the agent hangs, its last turn was at ${heartbeatAt}`,
      `"kill -CONT ${pid}" if somebody stopped it, else end it and start it again`,
    );
  } else yield ok("agent", pid ? `it runs, process ${pid}` : "it runs");
  if (problem) yield warning("agent", problem, "mend what it names");
  if (running && service?.reason) {
    yield warning(
      "service",
      `the service delivers nothing: ${service.reason}`,
      '"jarvis-agent service logs" tells more',
    );
  } else if (service) yield ok("service", service.state);
}

function* judgeDeliveries(
  facts: Facts,
  { maxAgeSeconds = Infinity }: HealthLimits,
): Generator<Finding> {
  const { paused, server, schedule, time, oldestPendingAgeSeconds } = facts;
  const waiting = capturesWait(waitingIn(facts));
  if (paused) {
    const until = paused.until === null ? "" : ` until ${paused.until}`;
    yield warning(
      "deliveries",
      `deliveries are paused${until}, ${waiting}`,
      '"jarvis-agent resume" lets them go on',
    );
  }
  // While nothing is sent anyway, the server's state is from before.
  if (paused || isOutside(facts)) return;
  if (isOutage(server.state)) {
    yield outage(
      "server",
      `the server cannot be used since ${server.since} (${server.reason}), ${waiting}`,
      remedyOf(server),
    );
  }
  // It could not have been sent before the schedule opened.
  const sinceMs = schedule?.since ? Date.parse(schedule.since) : -Infinity;
  const openSeconds = Math.round((Date.parse(time) - sinceMs) / 1000);
  const age = Math.min(oldestPendingAgeSeconds ?? 0, Math.max(openSeconds, 0));
  if (age > maxAgeSeconds) {
    yield outage(
      "captures",
      `a capture waits for ${age} s, expected at most ${maxAgeSeconds}`,
      DOCTOR,
    );
  }
}

function* judgeRoom(spool: Facts["spool"]): Generator<Finding> {
  const { maxBytes, freeBytes, minFreeBytes, orphans, obstacle } = spool;
  const used = formatBytes(spool.bytes);
  if (maxBytes !== null && spool.bytes >= maxBytes * NEARLY_FULL) {
    yield failure(
      "spool",
      `the spool is full (${used} of ${
        formatBytes(maxBytes)
      }), captures are refused`,
      "get the server to take some, or raise --max-spool-bytes",
    );
  } else yield ok("spool", `${used} in it`);
  const free = formatBytes(freeBytes ?? 0);
  if (freeBytes !== null && freeBytes < minFreeBytes) {
    yield failure(
      "disk",
      `the disk has ${free} left and ${
        formatBytes(minFreeBytes)
      } are kept free, with these settings captures are refused`,
      "make room on it, or lower --min-free-bytes",
    );
  } else if (freeBytes !== null && freeBytes < FULL_BYTES) {
    yield failure(
      "disk",
      `the disk is full (${free} left), captures are refused and deliveries may wait`,
      "make room on it",
    );
  } else if (freeBytes !== null) yield ok("disk", `${free} free`);
  if (obstacle !== null) {
    // Else deliveries go on: the queue itself can be written to.
    const found = isReadOnlyDisk(obstacle) ? outage : failure;
    yield found(
      "data directory",
      obstacle,
      "until then no capture is taken over; what is there can be looked at and exported",
    );
  }
  if (orphans > 0) {
    const files = counted(orphans, "file");
    yield warning(
      "spool",
      `${files} in the spool's folder "orphans" without a capture`,
      "hand over again, or remove",
    );
  }
}

/** Whether this is why nothing can be written, to files that are there neither. */
export function isReadOnlyDisk(obstacle: string | null): boolean {
  return obstacle?.includes("(EROFS)") ?? false;
}

function* judgeFolders({ folders }: Facts): Generator<Finding> {
  for (const folder of folders) {
    const { path, watchedBy, reason, firstUnreadable, firstRemaining } = folder;
    const name = `the watched folder "${path}"`;
    if (watchedBy === "missing") {
      yield failure("folder", `${name} is missing`, "make or mount it");
    } else if (watchedBy === "refused") {
      yield failure(
        "folder",
        `${name} is not looked into: ${reason}`,
        "give it to this user, or name another one with --watch",
      );
    } else if (reason !== null && !NO_ROOM.test(reason)) {
      yield failure(
        "folder",
        `files of ${name} cannot be taken over: ${reason}`,
        "that is tried again; they stay where they are",
      );
    }
    if (firstUnreadable) {
      const { path: first, reason: why } = firstUnreadable;
      yield warning(
        "folder",
        `${
          counted(folder.unreadable, "file or folder", "files and folders")
        } in ${name} cannot be read, like "${first}": ${why}`,
        remedyForUnreadable(why),
      );
    }
    if (firstRemaining) {
      const { path: first, reason: why } = firstRemaining;
      yield warning(
        "folder",
        `${
          counted(folder.remaining, "delivered file", "delivered files")
        } in ${name} cannot be deleted or moved, like "${first}": ${why}`,
        remedyForRemaining(why),
      );
    }
  }
}

/** Judges files that stay until a person has looked at them. */
function* judgeRemains(
  facts: Facts,
  { maxFailed = 0 }: HealthLimits,
): Generator<Finding> {
  const { failed, database } = facts;
  if (failed > maxFailed) {
    yield warning(
      "captures",
      counted(failed, "capture has failed", "captures have failed"),
      '"jarvis-agent list --status failed" says why, "jarvis-agent retry --failed" tries them again once that is mended',
    );
  } else yield ok("captures", `${waitingIn(facts)} wait, ${failed} failed`);
  for (const name of database.setAside) {
    yield isIncomplete(name)
      ? warning(
        "queue",
        `not all of a damaged queue could be read, it is kept as "${name}"`,
        "hand over again what is missing of --no-copy or above --copy-up-to, then remove it",
      )
      : warning(
        "queue",
        `a damaged queue was set aside and is kept as "${name}"`,
        "all of it was taken over: remove it when it is of no more use",
      );
  }
}
