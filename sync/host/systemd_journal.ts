import { fstatSync } from "node:fs";

/**
 * Whether standard error is the journal.
 *
 * @param stream What `JOURNAL_STREAM` says: which device and file the journal
 * reads. A program that was started from a service inherits it, whatever its own
 * standard error is.
 */
export function isJournal(stream: string | undefined): boolean {
  if (!stream) return false;
  const { dev, ino } = fstatSync(2);
  return stream === `${dev}:${ino}`;
}
