/** The file `SHA256SUMS` of a folder, in the form that `sha256sum --check` takes. */

import { join } from "@std/path";
import { sha256Of } from "../../sync/host/sha256.ts";

/**
 * Brings `SHA256SUMS` up to date: these files are in it as they are now, others
 * as they were there before, and those that are gone no more.
 */
export function writeSums(dir: string, names: string[]): void {
  const path = join(dir, "SHA256SUMS");
  const sums = new Map<string, string>();
  for (const line of isFile(path) ? readLines(path) : []) {
    const [sum = "", name = ""] = line.split("  ");
    if (isFile(join(dir, name))) sums.set(name, sum);
  }
  for (const name of names) {
    sums.set(name, sha256Of(Deno.readFileSync(join(dir, name))));
  }
  const lines = [...sums].sort()
    .map(([name, sum]) => `${sum}  ${name}\n`);
  Deno.writeTextFileSync(path, lines.join(""));
}

function readLines(path: string): string[] {
  return Deno.readTextFileSync(path).split("\n").filter(Boolean);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
