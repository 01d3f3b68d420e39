/** The faults that the reference server can be told to show. */

/** When a connection is cut: before anything is read, amid the body, or after storing. */
export type CutPoint = "before" | "body" | "after";

/** An answer with 2xx that is not a capture server's. */
export type Impostor = keyof typeof IMPOSTORS;

/** The faults, and how often they occur. Everything here may change at any time. */
export interface Misbehaviour {
  /** The share of uploads that are answered 500 and not stored, 0 to 1. @default {0} */
  failRate: number;
  /** The share of uploads whose connection is cut without an answer, 0 to 1. @default {0} */
  dropRate: number;
  /**
   * The point at which connections are cut. After storing is the case that only an
   * idempotency key makes harmless. @default {one of the three each time}
   */
  dropAt: CutPoint | undefined;
  /**
   * How long every answer is held back, in milliseconds: a client that does not
   * wait has its capture stored. @default {0}
   */
  latencyMs: number;
  /**
   * Answers every upload with this status, 300 to 599, and stores nothing. With
   * 503, `/health/ready` answers 503 too; else the server says it is ready.
   */
  status: number | undefined;
  /** The share of uploads to which `status` applies, 0 to 1. @default {1} */
  statusRate: number;
  /** Whether that is a share of requests, or of captures, which meet it each time. */
  statusOf: "requests" | "captures";
  /** The `Retry-After` of answers with `status`, in seconds. */
  retryAfterS: number | undefined;
  /** Answers every upload as this, and stores nothing. */
  impostor: Impostor | undefined;
}

/** A server that behaves. */
export const NO_MISBEHAVIOUR: Readonly<Misbehaviour> = {
  failRate: 0,
  dropRate: 0,
  dropAt: undefined,
  latencyMs: 0,
  status: undefined,
  statusRate: 1,
  statusOf: "requests",
  retryAfterS: undefined,
  impostor: undefined,
};

/** A captive portal's page, nothing at all, and some other server's JSON. */
export const IMPOSTORS = {
  page: () =>
    new Response("<!DOCTYPE html><title>Please log in</title>", {
      headers: { "content-type": "text/html" },
    }),
  empty: () => new Response(null, { status: 204 }),
  "other JSON": () => Response.json({ success: false, error: "quota" }),
};

/** The least and the most of each number. A status of 200 would be a lie. */
export const LIMITS = {
  failRate: [0, 1],
  dropRate: [0, 1],
  statusRate: [0, 1],
  latencyMs: [0, 2 ** 31 - 1],
  status: [300, 599],
} as const;

/** Whether a number is in its range, and whole unless it is a share. */
export function isWithin(
  value: number,
  [min, max]: readonly [min: number, max: number],
): boolean {
  return (max === 1 || Number.isInteger(value)) && value >= min && value <= max;
}

/** @throws {RangeError} if a setting is outside its range. */
export function checkMisbehaviour(settings: Misbehaviour): void {
  for (const [name, range] of Object.entries(LIMITS)) {
    const value = settings[name as keyof typeof LIMITS];
    if (value === undefined || isWithin(value, range)) continue;
    const [min, max] = range;
    throw new RangeError(
      `Cannot set ${name} to ${value}: expected a number from ${min} to ${max}`,
    );
  }
}
