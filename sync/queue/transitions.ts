import type { SqlValue } from "./sqlite.ts";
import {
  filledUp,
  MAX_RETRY_DELAY_MS,
  type Statements,
  together,
} from "./statements.ts";
import type { Tally } from "./tally.ts";

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

type Delivery = Extract<Settlement, { kind: "delivered" }>;

/** Records settlements in their order; returns how many captures were there to be settled. */
export function settleAll(
  sql: Statements,
  settlements: Settlement[],
  { nowMs, tally }: { nowMs: number; tally: Tally },
): number {
  let found = 0;
  let deliveries: Delivery[] = [];
  const deliverThem = () => {
    found += deliver(sql, deliveries, { nowMs, tally });
    deliveries = [];
  };
  for (const settlement of settlements) {
    if (settlement.kind === "delivered") {
      deliveries.push(settlement);
    } else {
      deliverThem();
      found += settle(sql, settlement, nowMs);
    }
  }
  deliverThem();
  return found;
}

/** Takes captures out of the queue, whatever their status; returns how many were in it. */
export function takeOut(sql: Statements, ids: string[], tally: Tally): number {
  let found = 0;
  for (const some of together(ids)) {
    const parameters = filledUp(some, 1);
    const there = sql.countOf.get(...parameters)!;
    const n = Number(there.n);
    if (n === 0) continue;
    const [pending, uploading] = [there.pending, there.uploading].map(Number);
    tally.add("pending", -pending!);
    tally.add("uploading", -uploading!);
    tally.add("failed", pending! + uploading! - n);
    tally.add("spooled bytes", -Number(there.bytes));
    found += sql.delete.run(...parameters);
  }
  return found;
}

function deliver(
  sql: Statements,
  deliveries: Delivery[],
  { nowMs, tally }: { nowMs: number; tally: Tally },
): number {
  for (const some of together(deliveries)) {
    const values = some.flatMap((
      { id, captureId = null, sent },
    ): SqlValue[] => [
      id,
      sent?.size ?? null,
      sent?.mtimeMs ?? null,
      captureId,
    ]);
    tally.add("delivered", sql.deliver.run(nowMs, ...filledUp(values, 4)));
  }
  return takeOut(sql, deliveries.map(({ id }) => id), tally);
}

function settle(
  sql: Statements,
  settlement: Exclude<Settlement, Delivery>,
  nowMs: number,
): number {
  const { id } = settlement;
  switch (settlement.kind) {
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
