/** Compares the captures handed over with those that the server has, byte for byte. */

import { createHash } from "node:crypto";
import { readReceived } from "../server/received_store.ts";

/** A file as it was handed over. */
export interface SentCapture {
  /** Its base name. */
  filename: string;
  /** SHA-256 of its bytes, in lower-case hexadecimal. */
  sha256: string;
}

/** The result of comparing the two ends. */
export interface Verdict {
  /** How many captures the server has, with their name and their bytes. */
  delivered: number;
  /** The names of those that it does not have. */
  lost: string[];
  /** The names of the captures that it has beyond those handed over. */
  duplicated: string[];
}

/**
 * Compares names and bytes with those in the server's folder, where each capture
 * has a record beside it. The record's own hash is not trusted.
 */
export async function compareEnds(
  sent: readonly SentCapture[],
  receivedDir: string,
): Promise<Verdict> {
  const missing = [...sent];
  const duplicated: string[] = [];
  for (const { path, filename } of readReceived(receivedDir).stored) {
    const sha256 = await hashFile(path);
    const at = missing.findIndex((one) =>
      one.filename === filename && one.sha256 === sha256
    );
    if (at < 0) duplicated.push(filename);
    else missing.splice(at, 1);
  }
  const lost = missing.map(({ filename }) => filename);
  duplicated.sort();
  return { delivered: sent.length - lost.length, lost, duplicated };
}

/** The SHA-256 of a file of any size, in lower-case hexadecimal. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  for await (const chunk of file.readable) hash.update(chunk);
  return hash.digest("hex");
}
