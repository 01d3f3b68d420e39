import { fstatSync } from "node:fs";

/**
 * Whether standard error is the journal.
 *
 * @param stream `JOURNAL_STREAM`: the device and inode that the journal reads. A
 * program started from a service inherits it, even with another standard error.
 */
export function isJournal(stream: string | undefined): boolean {
  if (!stream) return false;
  const { dev, ino } = fstatSync(2);
  return stream === `${dev}:${ino}`;
}
