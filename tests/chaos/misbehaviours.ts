import type { Misbehaviour } from "../../scripts/server/misbehaviour.ts";

/** What the server may do to the agent for a while. */
export const MISBEHAVIOURS: readonly Partial<Misbehaviour>[] = [
  { failRate: 0.5 },
  { dropRate: 0.5 },
  { dropRate: 1, dropAt: "after" },
  { dropRate: 0.7, dropAt: "body" },
  { dropRate: 0.7, dropAt: "before" },
  { latencyMs: 300 },
  // Without those that mean "never": they make captures fail, as they should.
  ...[302, 401, 403, 404, 408, 409, 429, 500, 502, 503].map((status) => ({
    status,
  })),
  ...(["page", "empty", "other JSON"] as const).map((impostor) => ({
    impostor,
  })),
  ...[429, 503].map((status) => ({ status, statusRate: 0.5, retryAfterS: 1 })),
  ...[403, 500].map((status) => ({
    status,
    statusRate: 0.5,
    statusOf: "captures" as const,
  })),
];
