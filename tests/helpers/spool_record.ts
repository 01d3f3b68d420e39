import type { SpoolRecord } from "../../sync/spool/record_log.ts";

/** A record of a capture, with some things changed. */
export function recordOf(
  id: string,
  changes: Partial<SpoolRecord> = {},
): SpoolRecord {
  return {
    id,
    filepath: "/captures/Tür \u{1F6AA}.png",
    metadataJson: '{"text":"a line\\nand another"}',
    createdAtMs: 1_700_000_000_000,
    watched: false,
    sha256: "00ff".repeat(16),
    identity: {
      fileId: "8.1:2a",
      size: 5,
      mtimeMs: 1_600_000_000_000,
      ctimeMs: 1_600_000_000_001,
    },
    ...changes,
  };
}
