import { assert } from "@std/assert";
import fc from "fast-check";
import { MAX_RETRY_AFTER_MS } from "../../sync/upload/answer.ts";
import type { Outcome } from "../../sync/upload/outcome.ts";

export const TOKEN = "a-token-of-24-characters";

/** Any token that can be sent. */
export const token = fc.string({ minLength: 12, maxLength: 60 })
  .filter((text) => /^[\x21-\x7e]+$/.test(text));

export const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** What every failure must be. */
export function assertShown(
  { error, retryAfterMs }: Outcome,
  secrets: string[],
): void {
  assert(error !== null && error !== "");
  assert(error.length <= 700, "long");
  assert(!UNPRINTABLE.test(error), "unprintable");
  // How a direction mark is shown has letters of its own.
  const told = error.replaceAll(/\\u[0-9a-f]{4}/g, " ")
    .split(/\[(?:token|metadata)\]/).map(fold);
  // What consists of escapes may be shorter than it looks.
  const plain = secrets.filter((text) => !/[\\%&]/.test(text));
  for (const text of plain.map(fold).filter(({ length }) => length >= 8)) {
    const isTold = told.some((part) => part.includes(text));
    assert(!isTold, `tells ${JSON.stringify(text)}`);
  }
  if (retryAfterMs === null) return;
  assert(retryAfterMs >= 0 && retryAfterMs <= MAX_RETRY_AFTER_MS);
}

/** The letters and digits: what makes a text known again. */
function fold(text: string): string {
  return text.normalize("NFKD").toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]/gu, "");
}
