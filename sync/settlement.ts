import { MAX_RETRY_DELAY_MS, type Statements } from "./statements.ts";

/** What became of one claimed capture. */
export type Settlement =
  | {
    id: string;
    kind: "delivered";
    captureId?: string | null;
    /** What was sent, if it is not what was handed over. */
    sent?: { size: number; mtimeMs: number };
  }
  | { id: string; kind: "charged" | "rejected"; error: string }
  | { id: string; kind: "released"; error?: string }
  | { id: string; kind: "deferred"; error: string; delayMs: number };

/** Records one settlement; returns 1 if the capture was there to be settled, else 0. */
export function settle(
  sql: Statements,
  settlement: Settlement,
  nowMs: number,
): number {
  const { id } = settlement;
  switch (settlement.kind) {
    case "delivered": {
      const { captureId = null, sent } = settlement;
      const size = sent?.size ?? null;
      const mtimeMs = sent?.mtimeMs ?? null;
      sql.deliver.run(size, mtimeMs, captureId, nowMs, id);
      return sql.delete.run(id);
    }
    case "charged":
      return sql.charge.run(settlement.error, nowMs, nowMs, id);
    case "rejected":
      return sql.reject.run(settlement.error, nowMs, id);
    case "released":
      return sql.release.run(settlement.error ?? null, null, id);
    case "deferred": {
      const { error, delayMs } = settlement;
      const dueAt = nowMs + Math.min(delayMs, MAX_RETRY_DELAY_MS);
      return sql.release.run(error, Math.round(dueAt), id);
    }
  }
}
