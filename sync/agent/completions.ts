import type { QueuedCapture, Settlement, UploadQueue } from "../queue/queue.ts";

/** What became of one claimed capture. */
export type Completion =
  & { id: string }
  & (
    | {
      kind: "delivered";
      captureId?: string | null;
      identity?: { size: number; mtimeMs: number } | null;
    }
    | { kind: "charge"; error: string }
    | { kind: "snooze"; error: string; delayMs: number }
    | { kind: "release"; error?: string }
    | { kind: "discard"; error: string }
  );

const KINDS = {
  charge: "charged",
  snooze: "deferred",
  release: "released",
  discard: "rejected",
} as const;

/** Records what became of captures, in one transaction. */
export function complete(
  queue: Pick<UploadQueue, "settle">,
  completions: Completion[],
): void {
  queue.settle(completions.map((completion): Settlement => {
    if (completion.kind !== "delivered") {
      return { ...completion, kind: KINDS[completion.kind] } as Settlement;
    }
    const { id, kind, captureId = null, identity } = completion;
    return { id, kind, captureId, ...(identity && { sent: identity }) };
  }));
}

const snoozes = new Map<string, number>();

/** How often a capture was snoozed. */
export function snoozesOf({ id }: QueuedCapture): number {
  return snoozes.get(id) ?? 0;
}

/** A capture is snoozed. */
export function countSnooze(id: string): void {
  if (snoozes.size > 1000) snoozes.clear();
  snoozes.set(id, (snoozes.get(id) ?? 0) + 1);
}
