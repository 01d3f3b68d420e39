import { basename } from "@std/path";
import { counted } from "../host/counted.ts";
import { durationText } from "../host/duration.ts";
import type { Log } from "../host/log.ts";
import type { QueuedCapture } from "../queue/queue.ts";
import { repeats } from "../upload/redact.ts";
import type { UploadResult } from "../upload/uploader.ts";
import type { FailedDelivery } from "./suspects.ts";

/** Logs the outcomes of attempts, with the same fields for programs that read them. */
export class AttemptLog {
  readonly #log: Log;
  /** The last delivery whose id is known. */
  #last: Pick<UploadResult, "captureId" | "sha256"> | undefined;
  #hasWarned = false;

  constructor(log: Log) {
    this.#log = log;
  }

  delivered(capture: QueuedCapture, result: UploadResult): void {
    const fields = fieldsOf("delivered", capture, result);
    const { bytes, ms } = fields;
    const { captureId } = result;
    const size = bytes === null ? "" : `${counted(bytes, "byte")} `;
    const isPrivate = captureId !== null &&
      repeats(captureId, { metadata: capture.metadataJson });
    const id = isPrivate
      ? `, which repeats metadata, has "jarvis-agent show ${capture.id}"`
      : ` is ${captureId}`;
    this.#log(
      "info",
      `${
        nameOf(capture)
      } is delivered: ${size}in ${ms} ms, the server's id${id}`,
      { ...fields, serverId: isPrivate ? null : captureId },
    );
    if (captureId !== null) this.#compare(result, isPrivate);
  }

  /** Warns once of a server that seems to give every capture the same id. */
  #compare({ captureId, sha256 }: UploadResult, isPrivate: boolean): void {
    const isSame = captureId === this.#last?.captureId &&
      sha256 !== this.#last.sha256;
    this.#last = { captureId, sha256 };
    if (!isSame || this.#hasWarned) return;
    this.#hasWarned = true;
    const id = isPrivate ? "same id" : `id ${JSON.stringify(captureId)}`;
    this.#log(
      "warn",
      `The server gave the ${id} to different captures: it may be a cache or a stub that answers, and keeps nothing; have the server name "size" or "sha256" in its answers`,
    );
  }

  /** The first time of each capture is a warning. */
  snoozed({ capture, reason, result }: FailedDelivery, delayMs: number): void {
    const again = durationText(delayMs);
    this.#log(
      capture.snoozes === 0 ? "warn" : "debug",
      `${nameOf(capture)} will be tried again in ${again}: ${reason}`,
      fieldsOf("postponed", capture, result),
    );
  }

  charged({ capture, reason, result }: FailedDelivery): void {
    this.#log(
      "warn",
      `${nameOf(capture)} was not taken, will be tried again: ${reason}`,
      fieldsOf("postponed", capture, result),
    );
  }

  /** The server's own words may repeat private data: they stay in the queue. */
  failed(attempt: Omit<FailedDelivery, "endedMs">): void {
    const { capture, error, reason, result, isLost } = attempt;
    const kept = isLost ? "for a day" : "until it is retried or removed";
    const more = error === reason
      ? ""
      : `; "jarvis-agent show ${capture.id}" has the server's words`;
    this.#log(
      "error",
      `${nameOf(capture)} failed and is kept ${kept}: ${reason}${more}`,
      fieldsOf("failed", capture, result),
    );
  }

  /** With its stack: somebody has to mend the program. */
  unforeseen(capture: QueuedCapture, cause: unknown): void {
    const { stack, message } = cause instanceof Error
      ? cause
      : new Error(String(cause));
    this.#log(
      "error",
      `${nameOf(capture)} could not be sent: ${stack ?? message}`,
    );
  }
}

function nameOf({ id, filepath }: QueuedCapture): string {
  return `Capture "${basename(filepath)}" (${id})`;
}

function fieldsOf(
  event: string,
  capture: QueuedCapture,
  result: UploadResult | undefined,
) {
  const attempt = capture.attempts + capture.snoozes + 1;
  const { status = null, elapsedMs = 0, sent } = result ?? {};
  const bytes = sent?.size ?? capture.size;
  const ms = Math.round(elapsedMs);
  return { event, captureId: capture.id, attempt, status, ms, bytes };
}

/** An attempt whose file is another one by now. */
export function asLost(attempt: FailedDelivery): FailedDelivery {
  const error =
    `Cannot send "${attempt.capture.filepath}": it was overwritten, or touched, before it was sent, and had no copy (see --copy-up-to); as it is now it is another capture`;
  return { ...attempt, error, reason: error, isLost: true };
}
