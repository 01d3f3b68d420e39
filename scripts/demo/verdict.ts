/** Compares what was handed over with what the server has, byte for byte. */

import { createHash } from "node:crypto";
import { join } from "@std/path";

/** A file as it was handed over. */
export interface SentCapture {
  /** Its base name. */
  filename: string;
  /** SHA-256 of its bytes, in lower-case hexadecimal. */
  sha256: string;
}

/** What is needed of an entry in the server's listing. */
export interface ListedCapture {
  id: string;
  filename: string;
}

/** How the two ends compare. */
export interface Verdict {
  /** Captures that the server has, with their name and their bytes. */
  delivered: number;
  /** The names of those that it does not have. */
  lost: string[];
  /** The names of what it has beyond what was handed over. */
  duplicated: string[];
}

/**
 * Compares names, and the SHA-256 of the bytes in the server's folder: what the
 * server says of its content is not believed.
 */
export async function compareEnds(
  sent: readonly SentCapture[],
  listed: readonly ListedCapture[],
  receivedDir: string,
): Promise<Verdict> {
  const missing = new Counter();
  for (const capture of sent) missing.add(capture);
  const duplicated: string[] = [];
  const paths = receivedPaths(receivedDir);
  for (const { id, filename } of listed) {
    const path = paths.get(id);
    const sha256 = path === undefined ? "" : await hashFile(path);
    if (!missing.remove({ filename, sha256 })) duplicated.push(filename);
  }
  const lost = missing.filenames();
  return { delivered: sent.length - lost.length, lost, duplicated };
}

/** The SHA-256 of a file of any size, in lower-case hexadecimal. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  for await (const chunk of file.readable) hash.update(chunk);
  return hash.digest("hex");
}

/** How many there are of each capture: equal ones may be handed over twice. */
class Counter {
  readonly #counts = new Map<string, number>();

  add(capture: SentCapture): void {
    const key = JSON.stringify([capture.filename, capture.sha256]);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** Takes one away; false if there is none. */
  remove(capture: SentCapture): boolean {
    const key = JSON.stringify([capture.filename, capture.sha256]);
    const count = this.#counts.get(key) ?? 0;
    this.#counts.set(key, count - 1);
    return count > 0;
  }

  filenames(): string[] {
    return [...this.#counts].flatMap(([key, count]) =>
      Array(Math.max(count, 0)).fill(JSON.parse(key)[0])
    );
  }
}

/** The server's files by id: their names begin with it, and have a record beside them. */
function receivedPaths(dir: string): Map<string, string> {
  const names = new Set(Array.from(Deno.readDirSync(dir), (one) => one.name));
  return new Map(
    [...names].filter((name) => names.has(`${name}.json`))
      .map((name) => [name.slice(0, 36), join(dir, name)]),
  );
}
